//! Pages: size, order, links, counts.

use crate::commands::check::facts::Facts;
use crate::commands::check::judgement::Part::{Count, Text};
use crate::commands::check::judgement::{Assumption, Judgement};
use crate::commands::check::listing::{Link, Listing, Total};
use crate::pages::collection::PAGE_SIZE;

const NO_PAGE: &str = "the page could not be read";

pub(super) fn page_size(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "page_size",
        expected: "a full page has the 100 rows that were asked for",
    };
    let (Some(page), Some(real)) = (&facts.plain, facts.real) else {
        return assumption.unseen(NO_PAGE);
    };
    match page.len() {
        PAGE_SIZE => assumption.holds("100 rows"),
        rows if rows >= real => {
            assumption.unseen([Text("the list has "), Count(real), Text(" rows")])
        }
        rows => assumption.costs(
            [Count(rows), Text(" rows for the 100 asked for")],
            "pages are read until a short one without a next link",
        ),
    }
}

pub(super) fn page_limit(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "page_limit",
        expected: "a page of 101 rows is refused (400)",
    };
    match facts.larger {
        None => assumption.unseen(NO_PAGE),
        Some((400, _)) => assumption.holds("400"),
        Some((200, rows)) => assumption.is_fine(
            [Count(rows), Text(" rows")],
            "100 rows a page are always asked for",
        ),
        Some((status, _)) => assumption.is_fine(
            [Text("status "), Count(status.into())],
            "100 rows a page are always asked for",
        ),
    }
}

/// Whether the times of a page never fall, or never rise; `None`: they show neither.
fn direction(page: &Listing, field: &str) -> Option<bool> {
    let times = page.times(field);
    let (rises, falls) = (times.is_sorted(), times.iter().rev().is_sorted());
    match (rises, falls) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

pub(super) fn order(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "order",
        expected: "oldest first (sort_order=asc)",
    };
    let Some(page) = &facts.oldest else {
        return assumption.unseen(NO_PAGE);
    };
    let times = page.times("subscribed_at");
    let ends = (times.first(), times.last());
    match (direction(page, "subscribed_at"), ends) {
        (Some(true), _) => assumption.holds("oldest first"),
        (Some(false), _) => assumption.costs(
            "newest first",
            "each list is read twice or counted to be sure of its end",
        ),
        (None, (Some(first), Some(last))) if first < last => assumption.holds("oldest first"),
        _ => assumption.unseen("the rows have no order by time"),
    }
}

pub(super) fn sort_key(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "sort_key",
        expected: "sort_key=subscribed_at sorts by that time",
    };
    let pages = [&facts.oldest, &facts.newest];
    let times: Vec<Vec<i64>> = pages
        .into_iter()
        .flatten()
        .map(|page| page.times("subscribed_at"))
        .collect();
    let is_ordered = |times: &Vec<i64>| times.is_sorted() || times.iter().rev().is_sorted();
    match times.iter().map(Vec::len).sum() {
        0usize if pages.into_iter().flatten().next().is_none() => assumption.unseen(NO_PAGE),
        0 | 1 => assumption.unseen("too few rows with a time and an offset"),
        _ if times.iter().all(is_ordered) => assumption.holds("sorted"),
        _ => assumption.costs(
            "not sorted by that time",
            "the overlap of pages holds in any fixed order; more lists are counted to be sure of their end",
        ),
    }
}

pub(super) fn next_link(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "next_link",
        expected: "an absolute link to the same host while rows follow, none on the last page",
    };
    let (Some(page), Some(real)) = (&facts.plain, facts.real) else {
        return assumption.unseen(NO_PAGE);
    };
    let last = facts.last.as_ref().map_or(Link::Absent, |page| page.next);
    let rest =
        "links only tell whether a page follows; the next request is made from the configured host";
    match (page.next, last) {
        (Link::OtherHost | Link::Broken, _) => assumption.risks(
            "a link to another host, or no link",
            "such pages are refused, so that no token goes there, and the run ends with 69: please report this",
        ),
        (Link::Relative, _) => assumption.is_fine("a relative link", rest),
        (Link::OtherScheme, _) => assumption.is_fine("a link with the other scheme", rest),
        (_, Link::Null) => assumption.is_fine("null on the last page", "null is read as none"),
        (Link::Absolute, Link::Absent) => assumption.holds("as documented"),
        (Link::Absolute, _) => assumption.costs(
            "a link on the last page",
            "one more page is read, and is empty",
        ),
        (Link::Absent | Link::Null, _) if page.len() >= real => {
            assumption.unseen("the list has one page")
        }
        (Link::Absent | Link::Null, _) => assumption.costs(
            "no link although rows follow",
            "a full page is followed by another request, and the count decides about the end",
        ),
    }
}

pub(super) fn total_size(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "total_size",
        expected: "a number in plain collections",
    };
    let lists = "for lists the pages are read to their end instead";
    match facts.plain.as_ref().map(|page| page.total) {
        None => assumption.unseen(NO_PAGE),
        Some(Total::Number(_)) => assumption.holds("a number"),
        Some(Total::Text(_)) => assumption.is_fine("a number in quotes", "it is read as a number"),
        Some(Total::Absent) => assumption.is_fine("absent", lists),
        Some(Total::NotANumber) => assumption.is_fine("not a number", lists),
    }
}

pub(super) fn count(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "count_form",
        expected: "ws.show=total_size answers a bare number",
    };
    match facts.count {
        None => assumption.unseen("it could not be asked"),
        Some((Total::Number(_), true)) => assumption.holds("a bare number"),
        Some((Total::Number(_) | Total::Text(_), _)) => {
            assumption.is_fine("an object or a text with the number", "both forms are read")
        }
        Some((Total::Absent | Total::NotANumber, _)) => assumption.risks(
            "no number",
            "a list whose end is not clear without it ends with 69: please report this",
        ),
    }
}

pub(super) fn count_truth(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "count_truth",
        expected: "the count is the number of rows",
    };
    let (Some(real), Some(claimed), Some(last)) = (facts.real, facts.claimed, &facts.last) else {
        return assumption.unseen(NO_PAGE);
    };
    match last.len() {
        1 if real == claimed => assumption.holds([Count(claimed)]),
        0 => assumption.costs(
            [Text("fewer rows than the count of "), Count(claimed)],
            "a list is read twice, and exported with a warning if both readings agree",
        ),
        more => assumption.is_fine(
            [
                Text("at least "),
                Count(more - 1),
                Text(" rows more than the count"),
            ],
            "pages are read to their end; a count that is too low is not used",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A page of rows, one an hour.
    fn page(rows: u64, next: Link, total: Total) -> Listing {
        let row = |n: u64| {
            let at = format!("2026-03-{:02}T{:02}:00:00-05:00", n / 24 + 1, n % 24);
            let row = json!({ "id": n, "subscribed_at": at });
            row.as_object().cloned().unwrap()
        };
        Listing {
            rows: (0..rows).map(row).collect(),
            next,
            total,
        }
    }

    /// What a list of 150 rows shows.
    fn usual() -> Facts {
        Facts {
            real: Some(150),
            claimed: Some(150),
            plain: Some(page(100, Link::Absolute, Total::Number(150))),
            larger: Some((400, 0)),
            last: Some(page(1, Link::Absent, Total::Number(150))),
            oldest: Some(page(100, Link::Absolute, Total::Absent)),
            newest: Some(page(100, Link::Absent, Total::Absent)),
            count: Some((Total::Number(150), true)),
            ..Facts::default()
        }
    }

    /// One judgement of this module.
    type Judge = fn(&Facts) -> Judgement;

    /// A judgement, another reading, and its effect.
    type Case = (Judge, fn(&mut Facts), &'static str);

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn each_assumption_has_its_usual_reading_and_its_odd_ones() {
        let table: [Case; 17] = [
            (
                page_size,
                |f| f.plain = Some(page(50, Link::Absolute, Total::Absent)),
                "more_requests",
            ),
            (page_size, |f| f.real = Some(50), "as_expected"),
            (page_limit, |f| f.larger = Some((200, 101)), "fine"),
            (page_limit, |f| f.larger = Some((500, 0)), "fine"),
            (
                order,
                |f| f.oldest.as_mut().unwrap().rows.reverse(),
                "more_requests",
            ),
            (
                sort_key,
                |f| f.newest.as_mut().unwrap().rows.swap(0, 50),
                "more_requests",
            ),
            (
                next_link,
                |f| f.plain.as_mut().unwrap().next = Link::OtherHost,
                "rows_at_risk",
            ),
            (
                next_link,
                |f| f.plain.as_mut().unwrap().next = Link::Broken,
                "rows_at_risk",
            ),
            (
                next_link,
                |f| f.plain.as_mut().unwrap().next = Link::Relative,
                "fine",
            ),
            (
                next_link,
                |f| f.plain.as_mut().unwrap().next = Link::Absent,
                "more_requests",
            ),
            (
                next_link,
                |f| f.last.as_mut().unwrap().next = Link::Absolute,
                "more_requests",
            ),
            (
                total_size,
                |f| f.plain.as_mut().unwrap().total = Total::Text(150),
                "fine",
            ),
            (
                total_size,
                |f| f.plain.as_mut().unwrap().total = Total::NotANumber,
                "fine",
            ),
            (
                count,
                |f| f.count = Some((Total::Number(150), false)),
                "fine",
            ),
            (
                count,
                |f| f.count = Some((Total::NotANumber, false)),
                "rows_at_risk",
            ),
            (
                count_truth,
                |f| f.last.as_mut().unwrap().rows.clear(),
                "more_requests",
            ),
            (
                count_truth,
                |f| f.last = Some(page(4, Link::Absent, Total::Absent)),
                "fine",
            ),
        ];
        for (n, (judge, change, effect)) in table.into_iter().enumerate() {
            assert_eq!(judge(&usual()).effect.word(), "as_expected", "{n}");
            assert_eq!(judge(&Facts::default()).effect.word(), "not_seen", "{n}");
            let mut facts = usual();
            change(&mut facts);
            assert_eq!(
                judge(&facts).effect.word(),
                effect,
                "{n}: {}",
                judge(&facts).seen
            );
        }
    }
}
