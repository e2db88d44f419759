//! The rows of the tables: a fault, and its outcome for each step.

use super::driver;
use super::step::Step;
use crate::support::is_whole;
use aweber_sandbox::{FaultKind, Sandbox, World};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock};

/// The outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 0, however often it occurs.
    Succeeds,
    /// 0 if retries succeed; 69 if it is permanent.
    Retries,
    /// 0 if it ends within the waits for the rate limit; 75 if it is permanent.
    RateLimited,
    /// 0 with one more refresh. If the new token is rejected too, but works for the account: 69, for that path only; 0
    /// for one pending subscriber, who is named. If it is rejected there as well: 77.
    Refreshes,
    /// This code at the first occurrence.
    Ends(i32),
    /// 0, and the subscriber is never exported: AWeber has reported that it does not exist.
    Missing,
    /// Tokens were granted, but the answer is unusable. With a server that accepts the old token again: 0, or 69 if
    /// it is permanent. Otherwise 77, with rows exported if the access token still works.
    TokensLost,
}

/// What goes wrong.
#[derive(Clone)]
pub(super) enum Cause {
    /// The answer.
    Answer(FaultKind),
    /// The world, just before the request.
    Change(fn(&mut World)),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Once,
    Twice,
    Always,
}

use Times::{Always, Once, Twice};

/// Steps, and the outcome of a run with the fault there.
pub(super) type Outcomes = &'static [(&'static [Step], Outcome)];

#[derive(Clone)]
pub(super) struct Row {
    name: String,
    cause: Cause,
    times: &'static [Times],
    pub(super) outcomes: Vec<(Step, Outcome)>,
    /// A text in the message about it.
    says: String,
    /// Only a timeout ends it.
    stalls: bool,
    /// Its outcome depends on the endpoint, not on the step.
    sampled: bool,
}

/// A row for a faulty answer, once and permanently.
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

/// A row for a change of the world, once.
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

    /// The outcome depends on the endpoint: every second step is enough, and the next row takes the others.
    pub(super) fn sampled(self) -> Row {
        Row {
            sampled: true,
            ..self
        }
    }

    pub(super) fn stalling(self) -> Row {
        Row {
            stalls: true,
            ..self
        }
    }

    /// The variants for one outcome: how often, and with which token policy.
    fn variants(&self, outcome: Outcome) -> Vec<(Times, TokenPolicy)> {
        let policies = |times: Times| match (outcome, times) {
            (Outcome::TokensLost, Once) => &[
                TokenPolicy::RevokesBoth,
                TokenPolicy::KeepsAccess,
                TokenPolicy::KeepsBoth,
            ][..],
            (Outcome::TokensLost, _) => &[TokenPolicy::KeepsBoth],
            // A short timeout on a busy machine may cut off a refresh, which is not the subject here.
            _ if self.stalls => &[TokenPolicy::KeepsBoth],
            _ => &[TokenPolicy::RevokesBoth],
        };
        let each = |times: &Times| {
            let times = *times;
            policies(times).iter().map(move |policy| (times, *policy))
        };
        self.times.iter().flat_map(each).collect()
    }

    /// The cases: all variants in every step, or one variant per step in rotation.
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
            let mut variants = self.variants(*outcome);
            if !all {
                variants = vec![variants[(number + nth) % variants.len()]];
            }
            cases.extend(variants.into_iter().map(|(times, policy)| Case {
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

/// What a refresh does to the previous tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenPolicy {
    /// Both stay valid.
    KeepsBoth,
    /// The refresh token is revoked, the access token stays valid.
    KeepsAccess,
    /// Both are revoked.
    RevokesBoth,
}

/// One fault in one step.
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
    /// The expected exit code.
    pub(super) fn code(&self) -> i32 {
        match (self.outcome, self.times) {
            (Outcome::Succeeds | Outcome::Missing, _) => 0,
            (Outcome::Ends(code), _) => code,
            (Outcome::TokensLost, _) if self.policy != TokenPolicy::KeepsBoth => 77,
            (Outcome::Retries | Outcome::RateLimited | Outcome::TokensLost, Once | Twice)
            | (Outcome::Refreshes, Once) => 0,
            (Outcome::Retries | Outcome::TokensLost, Always) => 69,
            (Outcome::RateLimited, Always) => 75,
            (Outcome::Refreshes, Twice | Always) => match self.step {
                Step::Account => 77,
                Step::One => 0,
                _ => 69,
            },
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A host that must never receive a token.
pub(super) fn foreign_host() -> &'static Sandbox {
    static HOST: OnceLock<Sandbox> = OnceLock::new();
    HOST.get_or_init(Sandbox::start)
}

/// Cases tried in parallel: most of their time is spent waiting, and stalled ones do nothing else.
const PARALLEL: usize = 3;
const PARALLEL_STALLED: usize = 24;

/// Tries every row in every step, as a sample in one of them, and names all failed cases. `NETWORK_CASES=all`: in every
/// variant.
#[allow(clippy::print_stderr, reason = "how many cases there were")]
pub(super) fn run_all(rows: Vec<Row>) {
    let only = std::env::var("NETWORK_ONLY").unwrap_or_default();
    let all = !only.is_empty() || std::env::var("NETWORK_CASES").is_ok_and(|all| all == "all");
    let numbered = rows.iter().enumerate();
    let mut cases: Vec<Case> = numbered
        .flat_map(|(number, row)| {
            let mut cases = row.cases(number, all);
            if !all && !is_whole() && !cases.is_empty() {
                let chosen = number % cases.len();
                cases = vec![cases.swap_remove(chosen)];
            }
            cases
        })
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
