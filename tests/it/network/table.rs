//! The rows of the tables: what goes wrong, and for each place what becomes of a run that meets it.

use super::driver;
use super::step::Step;
use aweber_sandbox::{FaultKind, Sandbox, World};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock};

/// What becomes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 0, however often.
    Succeeds,
    /// 0 if it passes within the repeats; 69 if it stays.
    Retries,
    /// 0 if it passes within the waits for the rate limit; 75 if it stays.
    RateLimited,
    /// 0 by one refresh more; 77 if the new token is refused too.
    Refreshes,
    /// This code, the first time already.
    Ends(i32),
    /// 0, and the subscriber asked for is never exported: AWeber has said that there is none.
    Missing,
    /// The tokens were granted, and the answer cannot be used. A server that forgives the repetition: 0, or 69 if it
    /// stays. One that does not: 77, having done the work if the access token still lives.
    TokensLost,
}

/// What goes wrong.
#[derive(Clone)]
pub(super) enum Cause {
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
    Always,
}

use Times::{Always, Once, Twice};

/// Places, and what becomes of a run that meets the fault there.
pub(super) type Outcomes = &'static [(&'static [Step], Outcome)];

/// One fault.
#[derive(Clone)]
pub(super) struct Row {
    name: String,
    cause: Cause,
    times: &'static [Times],
    pub(super) outcomes: Vec<(Step, Outcome)>,
    /// What a message about it says.
    says: String,
    /// Only a timeout ends it.
    stalls: bool,
    /// Its outcome is a matter of the endpoint, not of the place.
    sampled: bool,
}

/// A row for an answer, once and for ever.
pub(super) fn row(name: &str, kind: FaultKind, says: &str, outcomes: Outcomes) -> Row {
    let each = |(steps, outcome): &(&'static [Step], Outcome)| {
        let outcome = *outcome;
        steps.iter().map(move |step| (*step, outcome))
    };
    Row {
        name: name.to_owned(),
        cause: Cause::Answer(kind),
        times: &[Once, Always],
        outcomes: outcomes.iter().flat_map(each).collect(),
        says: says.to_owned(),
        stalls: false,
        sampled: false,
    }
}

/// A row for a change of the world, which comes once.
pub(super) fn change(name: &str, change: fn(&mut World), says: &str, outcomes: Outcomes) -> Row {
    Row {
        cause: Cause::Change(change),
        times: &[Once],
        ..row(name, FaultKind::ResetBefore, says, outcomes)
    }
}

impl Row {
    /// Also twice in a row.
    pub(super) fn twice(self) -> Row {
        Row {
            times: &[Once, Twice, Always],
            ..self
        }
    }

    /// Its outcome is a matter of the endpoint: every other place of one is enough, the others in the next row.
    pub(super) fn sampled(self) -> Row {
        Row {
            sampled: true,
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
    fn ways(&self, outcome: Outcome) -> Vec<(Times, TokenPolicy)> {
        let policies = |times: Times| match (outcome, times) {
            (Outcome::TokensLost, Once) => &[
                TokenPolicy::RevokesBoth,
                TokenPolicy::KeepsAccess,
                TokenPolicy::KeepsBoth,
            ][..],
            (Outcome::TokensLost, _) => &[TokenPolicy::KeepsBoth],
            // A short timeout on a busy machine may cut off a refresh: that is not what is tried here.
            _ if self.stalls => &[TokenPolicy::KeepsBoth],
            _ => &[TokenPolicy::RevokesBoth],
        };
        let each = |times: &Times| {
            let times = *times;
            policies(times).iter().map(move |policy| (times, *policy))
        };
        self.times.iter().flat_map(each).collect()
    }

    /// Its cases: in every place in every way; or in one way, in another one in the next place.
    fn cases(&self, number: usize, all: bool) -> Vec<Case> {
        let is_alone = |step: Step| {
            let same = self.outcomes.iter().map(|(other, _)| other.endpoint());
            same.filter(|other| *other == step.endpoint()).count() == 1
        };
        let is_tried = |nth: usize, step: Step| {
            all || !self.sampled || is_alone(step) || (number + number / 2 + nth).is_multiple_of(2)
        };
        let outcomes = self.outcomes.iter().enumerate();
        let outcomes = outcomes.filter(|(nth, (step, _))| is_tried(*nth, *step));
        let mut cases = Vec::new();
        for (nth, (_, (step, outcome))) in outcomes.enumerate() {
            let mut ways = self.ways(*outcome);
            if !all {
                ways = vec![ways[(number + nth) % ways.len()]];
            }
            cases.extend(ways.into_iter().map(|(times, policy)| Case {
                name: format!("{}, {step:?}, {times:?}, {policy:?}", self.name),
                step: *step,
                outcome: *outcome,
                times,
                policy,
                cause: self.cause.clone(),
                says: self.says.clone(),
                stalls: self.stalls,
            }));
        }
        cases
    }
}

/// What a refresh does to the tokens before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenPolicy {
    /// The old refresh token works on.
    KeepsBoth,
    /// It is dead, the old access token works on.
    KeepsAccess,
    /// Both are dead.
    RevokesBoth,
}

/// One fault in one place.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) step: Step,
    pub(super) outcome: Outcome,
    pub(super) times: Times,
    pub(super) policy: TokenPolicy,
    pub(super) cause: Cause,
    pub(super) says: String,
    pub(super) stalls: bool,
}

impl Case {
    /// The exit code of the run that meets it.
    pub(super) fn code(&self) -> i32 {
        match (self.outcome, self.times) {
            (Outcome::Succeeds | Outcome::Missing, _) => 0,
            (Outcome::Ends(code), _) => code,
            (Outcome::TokensLost, _) if self.policy != TokenPolicy::KeepsBoth => 77,
            (Outcome::Retries | Outcome::RateLimited | Outcome::TokensLost, Once | Twice)
            | (Outcome::Refreshes, Once) => 0,
            (Outcome::Retries | Outcome::TokensLost, Always) => 69,
            (Outcome::RateLimited, Always) => 75,
            (Outcome::Refreshes, Twice | Always) => 77,
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A host to which no token may ever go.
pub(super) fn foreign_host() -> &'static Sandbox {
    static HOST: OnceLock<Sandbox> = OnceLock::new();
    HOST.get_or_init(Sandbox::start)
}

/// How many cases of a test are tried side by side: most of their time they wait. Those that stall do nothing else.
const PARALLEL: usize = 3;
const PARALLEL_STALLED: usize = 24;

/// Tries every row in every place, and names all cases that failed. `NETWORK_CASES=all`: in every way.
#[allow(clippy::print_stderr, reason = "how many cases there were")]
pub(super) fn run_all(rows: Vec<Row>) {
    let only = std::env::var("NETWORK_ONLY").unwrap_or_default();
    let all = !only.is_empty() || std::env::var("NETWORK_CASES").is_ok_and(|all| all == "all");
    let numbered = rows.iter().enumerate();
    let mut cases: Vec<Case> = numbered
        .flat_map(|(number, row)| row.cases(number, all))
        .collect();
    cases.retain(|case| case.name.contains(&only));
    let count = cases.len();
    let waits = |case: &Case| case.stalls || case.step.is_slow();
    let threads = match cases.iter().any(waits) {
        true => PARALLEL_STALLED,
        false => PARALLEL,
    };
    let (cases, failed) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().pop() else {
                        return;
                    };
                    let outcome = catch_unwind(AssertUnwindSafe(|| driver::run_case(&case)));
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
    let sent = foreign_host().with(|world| world.requests.len());
    assert_eq!(sent, 0, "a request went to another host");
}
