//! Single decisions, misbehaving servers, and a property: no row that was there throughout the walk is missed.

use super::*;
use crate::subscriber::EventTime;
use proptest::prelude::*;

fn key(id: i64, at: i64) -> RowKey {
    RowKey {
        id,
        at: EventTime::Instant(at),
    }
}

fn keys(ids: std::ops::Range<i64>) -> Vec<RowKey> {
    ids.map(|id| key(id, id)).collect()
}

/// Gives the walk a page.
fn take(walk: &mut Walk, keys: &[RowKey], has_next: bool) -> Verdict {
    walk.take(&PageView {
        keys: &keys.iter().collect::<Vec<_>>(),
        has_next,
        total_size: None,
    })
}

#[test]
fn a_page_that_does_not_start_with_a_known_row_is_rejected() {
    let mut walk = Walk::new();
    assert!(
        matches!(take(&mut walk, &keys(0..100), true), Verdict::Forward(rows) if rows.len() == 100)
    );
    assert_eq!(walk.offset(), 99);
    // Three rows before the offset are gone: the page starts three rows later.
    assert_eq!(take(&mut walk, &keys(102..202), true), Verdict::Back);
    assert_eq!(walk.offset(), 98);
    assert_eq!(take(&mut walk, &keys(101..201), true), Verdict::Back);
    assert_eq!(walk.offset(), 96);
    assert!(
        matches!(take(&mut walk, &keys(99..199), true), Verdict::Forward(rows) if rows.len() == 99)
    );
}

#[test]
fn known_rows_after_stepping_far_back_do_not_mean_stuck() {
    let list = keys(0..800);
    let mut walk = Walk::new();
    for start in [0, 99, 198, 297, 396] {
        take(&mut walk, &list[start..start + 100], true);
    }
    // Empty pages until the walk has stepped back 1 + 2 + 4 + … + 99 + 99 rows and more.
    while walk.offset() > 150 {
        assert_eq!(take(&mut walk, &[], false), Verdict::Back);
    }
    while walk.offset() < 495 {
        let start = walk.offset() as usize;
        let verdict = take(&mut walk, &list[start..start + 100], true);
        assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
    }
}

#[test]
fn a_known_row_that_is_not_the_first_is_not_enough() {
    let mut walk = Walk::new();
    take(&mut walk, &keys(0..100), true);
    let page = [keys(150..160), keys(90..100), keys(100..150)].concat();
    assert_eq!(take(&mut walk, &page, true), Verdict::Back);
}

#[test]
fn a_duplicate_row_counts_once_for_the_next_offset() {
    let mut walk = Walk::new();
    let page = [keys(0..60), keys(0..60)].concat();
    assert!(matches!(take(&mut walk, &page, true), Verdict::Forward(rows) if rows.len() == 60));
    assert_eq!(walk.offset(), 59);
    // The last page is full, so only the one after it shows the end.
    let page = [keys(59..119), keys(59..119)].concat();
    assert!(matches!(take(&mut walk, &page, false), Verdict::Forward(_)));
    assert_eq!(walk.offset(), 118);
    assert_eq!(
        take(&mut walk, &keys(118..119), false),
        Verdict::End(vec![])
    );
}

#[test]
fn an_empty_page_in_the_middle_is_not_the_end() {
    let mut walk = Walk::new();
    take(&mut walk, &keys(0..100), true);
    assert_eq!(take(&mut walk, &[], false), Verdict::Back);
    assert_eq!(walk.offset(), 98);
}

#[test]
fn a_full_page_is_the_end_only_if_it_reaches_the_total() {
    let page = keys(0..100);
    assert!(matches!(
        take(&mut Walk::new(), &page, false),
        Verdict::Forward(_)
    ));
    let counted = PageView {
        keys: &page.iter().collect::<Vec<_>>(),
        has_next: false,
        total_size: Some(100),
    };
    assert!(matches!(Walk::new().take(&counted), Verdict::End(rows) if rows.len() == 100));
    assert!(matches!(
        take(&mut Walk::new(), &page[..99], false),
        Verdict::End(_)
    ));
    assert!(matches!(
        take(&mut Walk::new(), &page[..99], true),
        Verdict::Forward(_)
    ));
    assert_eq!(take(&mut Walk::new(), &[], false), Verdict::End(vec![]));
}

#[test]
fn no_server_can_cause_an_endless_loop() {
    type Answer = fn(u64) -> (Vec<RowKey>, bool);
    let answers: [(&str, Answer); 6] = [
        ("the same page forever", |_| (keys(0..100), true)),
        ("one row twice forever", |_| {
            ([keys(0..1), keys(0..1)].concat(), true)
        }),
        ("one row forever", |_| (keys(0..1), true)),
        ("empty pages forever", |_| (vec![], true)),
        ("unrelated rows after the first page", |start| {
            if start == 0 {
                (keys(0..100), true)
            } else {
                (keys(900..999), true)
            }
        }),
        ("empty pages after the first page", |start| {
            if start == 0 {
                (keys(0..100), true)
            } else {
                (vec![], true)
            }
        }),
    ];
    for (what, answer) in answers {
        let mut walk = Walk::new();
        let stuck = (0..500).any(|_| {
            let (page, more) = answer(walk.offset());
            take(&mut walk, &page, more) == Verdict::Stuck
        });
        assert!(stuck, "{what}");
    }
}

#[test]
fn another_process_can_continue_a_walk() {
    let list = keys(0..1000);
    let mut walk = Walk::new();
    take(&mut walk, &list[0..100], true);
    take(&mut walk, &list[99..199], true);
    let kept: Vec<RowKey> = walk.last_keys(100).cloned().collect();
    let mut resumed = Walk::resume(walk.offset(), walk.seen(), kept);
    // Five rows vanished in between.
    assert_eq!(take(&mut resumed, &list[203..303], true), Verdict::Back);
    let mut start = resumed.offset() as usize + 5;
    while take(&mut resumed, &list[start..start + 100], true) == Verdict::Back {
        start = resumed.offset() as usize + 5;
    }
    assert_eq!(resumed.seen(), start as u64 + 100);
}

/// What happens to the list between two requests.
#[derive(Debug, Clone)]
enum Change {
    Nothing,
    Delete(Vec<u16>),
    /// New rows at the end; those of the same second tie.
    Append(u8),
    /// A new row with an old date.
    Insert(u16),
    /// A new subscription under the same id, with a new time.
    MoveToEnd(u16),
    /// The page is empty and has no next link.
    EmptyPage,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => Just(Change::Nothing),
        2 => prop::collection::vec(any::<u16>(), 1..120).prop_map(Change::Delete),
        2 => (1u8..60).prop_map(Change::Append),
        1 => any::<u16>().prop_map(Change::Insert),
        2 => any::<u16>().prop_map(Change::MoveToEnd),
        1 => Just(Change::EmptyPage),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_that_stay_in_the_list_are_never_missed(
        size in 0usize..900,
        links in any::<bool>(),
        ahead in any::<bool>(),
        changes in prop::collection::vec(change(), 0..60),
    ) {
        // Ties: five rows a second.
        let mut list: Vec<RowKey> = (0..size as i64).map(|id| key(id, id / 5)).collect();
        let mut next_id = size as i64;
        let mut stayed: HashSet<RowKey> = list.iter().cloned().collect();
        let mut handed_on = HashSet::new();
        let mut walk = Walk::new();
        let mut changes = changes.into_iter();
        let mut ended = false;
        let read = |list: &[RowKey], offset: u64| {
            let from = (offset as usize).min(list.len());
            let to = (from + PAGE_SIZE as usize).min(list.len());
            (list[from..to].to_vec(), links && to < list.len())
        };
        // A page requested together with the previous one, and read even before it.
        let mut sent_ahead = None;
        for _ in 0..3000 {
            let expected = walk.offset() + PAGE_SIZE - 1;
            let next = ahead.then(|| (expected, read(&list, expected)));
            let mut is_empty = false;
            match changes.next().unwrap_or(Change::Nothing) {
                Change::Nothing => {}
                Change::EmptyPage => is_empty = walk.offset() > 0,
                Change::Delete(numbers) => for number in numbers {
                    if !list.is_empty() {
                        let gone = list.remove(number as usize % list.len());
                        stayed.remove(&gone);
                    }
                },
                Change::Append(n) => for _ in 0..n {
                    list.push(key(next_id, 1_000_000 + next_id / 5));
                    next_id += 1;
                },
                Change::Insert(number) => {
                    let index = number as usize % (list.len() + 1);
                    list.insert(index, key(next_id, 0));
                    next_id += 1;
                }
                Change::MoveToEnd(number) => if !list.is_empty() {
                    let moved = list.remove(number as usize % list.len());
                    stayed.remove(&moved);
                    list.push(key(moved.id, 2_000_000 + next_id));
                    next_id += 1;
                },
            }
            let (page, more) = match sent_ahead.take() {
                _ if is_empty => (Vec::new(), false),
                Some((offset, page)) if offset == walk.offset() => page,
                _ => read(&list, walk.offset()),
            };
            sent_ahead = next;
            let verdict = take(&mut walk, &page, more);
            if let Verdict::Forward(new) | Verdict::End(new) = &verdict {
                handed_on.extend(new.iter().map(|i| page[*i].clone()));
            }
            match verdict {
                Verdict::End(_) => { ended = true; break; }
                Verdict::Stuck => break,
                _ => {}
            }
        }
        prop_assert!(ended);
        let missing: Vec<_> = stayed.difference(&handed_on).collect();
        prop_assert!(missing.is_empty(), "missing {missing:?}");
    }
}

/// What happens before a request, and whether its page is cut short and has no next link.
fn moment() -> impl Strategy<Value = (Change, Option<usize>)> {
    let cut = prop_oneof![3 => Just(None), 1 => (1usize..100).prop_map(Some)];
    (change(), cut)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// The end of a walk is believed if its last row is newer than its start, however many rows are added, and even if
    /// the last page is cut short.
    #[test]
    fn a_last_row_that_is_newer_than_the_start_proves_that_none_is_missing(
        size in 0usize..700,
        rate in 0u8..40,
        moments in prop::collection::vec(moment(), 0..60),
    ) {
        let start = size as i64 / 5;
        let mut list: Vec<RowKey> = (0..size as i64).map(|id| key(id, id / 5)).collect();
        let mut next_id = size as i64;
        let mut stayed: HashSet<RowKey> = list.iter().cloned().collect();
        let mut handed_on = HashSet::new();
        let mut walk = Walk::new();
        let mut proved = false;
        let mut moments = moments.into_iter();
        for clock in 1..400 {
            let (change, cut) = moments.next().unwrap_or((Change::Append(rate), None));
            let at = |id: i64, at: i64| key(id, at);
            match change {
                Change::Delete(numbers) => for number in numbers {
                    if !list.is_empty() {
                        stayed.remove(&list.remove(number as usize % list.len()));
                    }
                },
                Change::Append(n) => for _ in 0..n {
                    list.push(at(next_id, start + clock));
                    next_id += 1;
                },
                Change::Insert(number) => {
                    let index = number as usize % (list.len() + 1);
                    let date = list.get(index).map_or(start + clock, |next| next.at.earliest().unwrap());
                    list.insert(index, at(next_id, date));
                    next_id += 1;
                }
                Change::MoveToEnd(number) => if !list.is_empty() {
                    let moved = list.remove(number as usize % list.len());
                    stayed.remove(&moved);
                    list.push(at(moved.id, start + clock));
                },
                Change::Nothing | Change::EmptyPage => {}
            }
            let from = (walk.offset() as usize).min(list.len());
            let to = (from + PAGE_SIZE as usize).min(list.len());
            let len = cut.unwrap_or(to - from).min(to - from);
            let (page, has_next) = (list[from..from + len].to_vec(), cut.is_none() && to < list.len());
            let verdict = take(&mut walk, &page, has_next);
            if let Verdict::Forward(new) | Verdict::End(new) = &verdict {
                handed_on.extend(new.iter().map(|i| page[*i].clone()));
            }
            let is_newer = page.last().is_some_and(|row| row.at.earliest() > Some(start));
            match verdict {
                Verdict::End(_) if is_newer => { proved = true; break; }
                Verdict::Stuck => break,
                // Not proved: look for more rows after the last page.
                _ => {}
            }
        }
        prop_assert!(proved || rate == 0);
        if proved {
            let missing: Vec<_> = stayed.difference(&handed_on).collect();
            prop_assert!(missing.is_empty(), "missing {missing:?}");
        }
    }

    #[test]
    fn two_walks_have_the_same_checksum_only_if_they_saw_the_same_rows(
        size in 1usize..500,
        other in any::<prop::sample::Index>(),
        split in 1usize..99,
    ) {
        let checksum = |list: &[RowKey], pages: usize| {
            let mut walk = Walk::new();
            for start in (0..list.len()).step_by(pages) {
                walk.offset = start as u64;
                take(&mut walk, &list[start.saturating_sub(1)..(start + pages).min(list.len())], true);
            }
            (walk.seen(), walk.checksum())
        };
        let list = keys(0..size as i64);
        prop_assert_eq!(checksum(&list, 99), checksum(&list, split));
        let mut changed = list.clone();
        changed[other.index(size)] = key(-1, 0);
        prop_assert_ne!(checksum(&list, 99), checksum(&changed, 99));
    }
}
