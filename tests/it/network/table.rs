//! The rows of the tables: what goes wrong, and for each place what becomes of a run that meets it.

use super::place::Place;
use super::trial;
use aweber_sandbox::{FaultKind, Sandbox, World};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock};

/// What becomes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// 0, however often.
    Harmless,
    /// 0 if it passes within the repeats; 69 if it stays.
    Passes,
    /// 0 if it passes within the waits for the rate limit; 75 if it stays.
    Waits,
    /// 0 by one refresh more; 77 if the new token is refused too.
    Refreshes,
    /// This code, the first time already.
    Ends(i32),
    /// 0, and the subscriber asked for is never exported: AWeber has said that there is none.
    Gone,
    /// The tokens were granted, and the answer cannot be used. A server that forgives the repetition: 0, or 69 if it
    /// stays. One that does not: 77, having done the work if the access token still lives.
    Lost,
}

/// What goes wrong.
#[derive(Clone)]
pub(super) enum Trouble {
    /// With the answer.
    Answer(FaultKind),
    /// With the world, just before the request.
    Change(fn(&mut World)),
}

/// How often it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Once,
    Twice,
    ForEver,
}

use Times::{ForEver, Once, Twice};

/// Places, and what becomes of a run that meets the fault there.
pub(super) type Cells = &'static [(&'static [Place], Fate)];

/// One fault.
#[derive(Clone)]
pub(super) struct Row {
    name: String,
    trouble: Trouble,
    times: &'static [Times],
    pub(super) cells: Vec<(Place, Fate)>,
    /// What a message about it says.
    says: String,
    /// Only a timeout ends it.
    stalls: bool,
    /// Its outcome is a matter of the endpoint, not of the place.
    anywhere: bool,
}

/// A row for an answer, once and for ever.
pub(super) fn row(name: &str, kind: FaultKind, says: &str, cells: Cells) -> Row {
    let each = |(places, fate): &(&'static [Place], Fate)| {
        let fate = *fate;
        places.iter().map(move |place| (*place, fate))
    };
    Row {
        name: name.to_owned(),
        trouble: Trouble::Answer(kind),
        times: &[Once, ForEver],
        cells: cells.iter().flat_map(each).collect(),
        says: says.to_owned(),
        stalls: false,
        anywhere: false,
    }
}

/// A row for a change of the world, which comes once.
pub(super) fn change(name: &str, change: fn(&mut World), says: &str, cells: Cells) -> Row {
    Row {
        trouble: Trouble::Change(change),
        times: &[Once],
        ..row(name, FaultKind::ResetBefore, says, cells)
    }
}

impl Row {
    /// Also twice in a row.
    pub(super) fn twice(self) -> Row {
        Row {
            times: &[Once, Twice, ForEver],
            ..self
        }
    }

    /// Its outcome is a matter of the endpoint: every other place of one is enough, the others in the next row.
    pub(super) fn anywhere(self) -> Row {
        Row {
            anywhere: true,
            ..self
        }
    }

    /// Only a timeout ends it.
    pub(super) fn stalling(self) -> Row {
        Row {
            stalls: true,
            ..self
        }
    }

    /// How often it goes wrong, and with which kind of server, for one of the places.
    fn ways(&self, fate: Fate) -> Vec<(Times, Server)> {
        let servers = |times: Times| match (fate, times) {
            (Fate::Lost, Once) => &[Server::Strict, Server::Spares, Server::Forgives][..],
            (Fate::Lost, _) => &[Server::Forgives],
            // A short timeout on a busy machine may cut off a refresh: that is not what is tried here.
            _ if self.stalls => &[Server::Forgives],
            _ => &[Server::Strict],
        };
        let each = |times: &Times| {
            let times = *times;
            servers(times).iter().map(move |server| (times, *server))
        };
        self.times.iter().flat_map(each).collect()
    }

    /// Its cases: in every place in every way; or in one way, in another one in the next place.
    fn cases(&self, number: usize, all: bool) -> Vec<Case> {
        let is_alone = |place: Place| {
            let same = self.cells.iter().map(|(other, _)| other.endpoint());
            same.filter(|other| *other == place.endpoint()).count() == 1
        };
        let is_tried = |nth: usize, place: Place| {
            all || !self.anywhere
                || is_alone(place)
                || (number + number / 2 + nth).is_multiple_of(2)
        };
        let cells = self.cells.iter().enumerate();
        let cells = cells.filter(|(nth, (place, _))| is_tried(*nth, *place));
        let mut cases = Vec::new();
        for (nth, (_, (place, fate))) in cells.enumerate() {
            let mut ways = self.ways(*fate);
            if !all {
                ways = vec![ways[(number + nth) % ways.len()]];
            }
            cases.extend(ways.into_iter().map(|(times, server)| Case {
                name: format!("{}, {place:?}, {times:?}, {server:?}", self.name),
                place: *place,
                fate: *fate,
                times,
                server,
                trouble: self.trouble.clone(),
                says: self.says.clone(),
                stalls: self.stalls,
            }));
        }
        cases
    }
}

/// What a refresh does to the tokens before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// The old refresh token works on.
    Forgives,
    /// It is dead, the old access token works on.
    Spares,
    /// Both are dead.
    Strict,
}

/// One fault in one place.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) fate: Fate,
    pub(super) times: Times,
    pub(super) server: Server,
    pub(super) trouble: Trouble,
    pub(super) says: String,
    pub(super) stalls: bool,
}

impl Case {
    /// The exit code of the run that meets it.
    pub(super) fn code(&self) -> i32 {
        match (self.fate, self.times) {
            (Fate::Harmless | Fate::Gone, _) => 0,
            (Fate::Ends(code), _) => code,
            (Fate::Lost, _) if self.server != Server::Forgives => 77,
            (Fate::Passes | Fate::Waits | Fate::Lost, Once | Twice) | (Fate::Refreshes, Once) => 0,
            (Fate::Passes | Fate::Lost, ForEver) => 69,
            (Fate::Waits, ForEver) => 75,
            (Fate::Refreshes, Twice | ForEver) => 77,
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A host to which no token may ever go.
pub(super) fn elsewhere() -> &'static Sandbox {
    static ELSEWHERE: OnceLock<Sandbox> = OnceLock::new();
    ELSEWHERE.get_or_init(Sandbox::start)
}

/// How many cases of a test are tried side by side: most of their time they wait. Those that stall do nothing else.
const SIDE_BY_SIDE: usize = 3;
const STALLED_SIDE_BY_SIDE: usize = 24;

/// Tries every row in every place, and names all cases that failed. `NETWORK_CASES=all`: in every way.
#[allow(clippy::print_stderr, reason = "how many cases there were")]
pub(super) fn try_all(rows: Vec<Row>) {
    let only = std::env::var("NETWORK_ONLY").unwrap_or_default();
    let all = !only.is_empty() || std::env::var("NETWORK_CASES").is_ok_and(|all| all == "all");
    let numbered = rows.iter().enumerate();
    let mut cases: Vec<Case> = numbered
        .flat_map(|(number, row)| row.cases(number, all))
        .collect();
    cases.retain(|case| case.name.contains(&only));
    let count = cases.len();
    let waits = |case: &Case| case.stalls || case.place.is_slow();
    let threads = match cases.iter().any(waits) {
        true => STALLED_SIDE_BY_SIDE,
        false => SIDE_BY_SIDE,
    };
    let (cases, failed) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().pop() else {
                        return;
                    };
                    let outcome = catch_unwind(AssertUnwindSafe(|| trial::try_one(&case)));
                    let outcome = outcome.unwrap_or_else(|_| Err("panicked, see above".into()));
                    if let Err(why) = outcome {
                        failed.lock().unwrap().push(format!("{case:?}: {why}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let first_lines = failed.iter().filter_map(|why| why.lines().next());
    let all = first_lines.collect::<Vec<_>>().join("\n");
    assert!(
        failed.is_empty(),
        "{} of {count} cases:\n{all}\n\nthe first in full:\n{}",
        failed.len(),
        failed[0]
    );
    eprintln!("{count} cases of {} faults", rows.len());
    let sent = elsewhere().with(|world| world.requests.len());
    assert_eq!(sent, 0, "a request went to another host");
}
