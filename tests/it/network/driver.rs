//! One case: a run with the fault, and then a run without it.

use super::step::{SLOW_ANSWER, Scenario, Step};
use super::table::{Case, Cause, Outcome, Times, TokenPolicy};
use crate::support::process::through_shell;
use crate::support::{Done, files_below};
use aweber_sandbox::{Status, World};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

/// Far longer than a run takes; a run that reaches it hangs and is killed.
const RUN_LIMIT: Duration = Duration::from_secs(120);

/// More requests than any of these runs needs, retries included; more indicate a loop.
const MAX_REQUESTS: usize = 60;

/// Limits the data segment of a run, in KiB. A 16 MiB body and its copy take much of it; a run that reads all of a
/// 200 MB body cannot allocate the memory and dies.
const MEMORY_LIMIT: &str = r#"ulimit -d 98304; exec "$@""#;

/// Timeouts for a run whose server stalls (a whole answer may take four times as long), and for any other on a busy
/// machine.
const SHORT_TIMEOUT: &str = "400ms";
const LONG_TIMEOUT: &str = "30s";

type Person = (String, String);

/// Runs one case; returns what differs from the expectation.
pub(super) fn run_case(case: &Case) -> Result<(), String> {
    let scenario = Scenario::new(case.step, case.policy);
    let site = &scenario.site;
    match &case.cause {
        Cause::Change(change) => scenario.change(case.step, *change),
        Cause::Answer(kind) => {
            let fault = scenario.fault(case.step);
            let fault = match case.times {
                Times::Once => fault.times(1),
                Times::Twice => fault.times(2),
                Times::Always => fault.always(),
            };
            site.sandbox.with(|w| w.fault(fault.answer(kind.clone())));
        }
    }
    let done = run(
        &scenario,
        case,
        if case.stalls {
            SHORT_TIMEOUT
        } else {
            LONG_TIMEOUT
        },
    );
    let in_full = |why: String| format!("{why}\n{done}");
    check_faulty_run(&scenario, case, &done).map_err(in_full)?;

    scenario.recover();
    if !scenario.token_is_live() {
        // Only the tokens were lost.
        site.authorize_anew();
    }
    let done = run(&scenario, case, LONG_TIMEOUT);
    let in_full = |why: String| format!("the next run: {why}\n{done}");
    check_next_run(&scenario, case, &done).map_err(in_full)
}

fn run(scenario: &Scenario, case: &Case, timeout: &str) -> Done {
    let arguments = scenario.arguments(case.step);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = through_shell(MEMORY_LIMIT, &scenario.site.command(&arguments));
    command.env("AWEBER_SYNC_TIMEOUT", timeout);
    let child = command.spawn().unwrap();
    let id = Pid::from_child(&child);
    let (ended, end) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if end.recv_timeout(RUN_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            kill_process(id, Signal::KILL).unwrap();
        }
    });
    let done = scenario.site.wait(child);
    drop(ended);
    watchdog.join().unwrap();
    done
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// Checks the run with the fault.
fn check_faulty_run(scenario: &Scenario, case: &Case, done: &Done) -> Result<(), String> {
    let (site, code) = (&scenario.site, case.code());
    check(done.code == code, || {
        format!("{} instead of {code}", done.code)
    })?;
    let requests = site.requests();
    check(requests <= MAX_REQUESTS, || format!("{requests} requests"))?;
    check_messages(case, done)?;
    check(!case.step.is_slow() || prefetched(scenario), || {
        "nothing was prefetched".to_owned()
    })?;

    // Tokens.
    let refreshes = refreshes(scenario);
    let expected = case.step.refreshes() + usize::from(case.outcome == Outcome::Refreshes);
    if !case.step.is_refresh() && !case.stalls {
        check(refreshes == expected, || {
            format!("{refreshes} refreshes instead of {expected}")
        })?;
    }
    let may_be_lost = match case.cause {
        Cause::Answer(_) => {
            case.outcome == Outcome::TokensLost && case.policy != TokenPolicy::KeepsBoth
        }
        Cause::Change(_) => case.outcome == Outcome::Ends(77),
    };
    check(may_be_lost || scenario.token_is_live(), || {
        "the refresh token is dead".to_owned()
    })?;

    // Rows: none duplicated, none unexpected, and none missing if the exit code says so.
    let rows = published(scenario)?;
    let (expected_people, offers) = (
        expected_people(scenario, case.step),
        people_on(scenario, scenario.offers, case.step),
    );
    if matches!(case.cause, Cause::Answer(_)) {
        let unexpected = difference(&rows, &expected_people);
        check(unexpected.is_empty(), || {
            format!("unexpected: {unexpected:?}")
        })?;
    }
    let has_access = case.policy == TokenPolicy::KeepsAccess && case.outcome == Outcome::TokensLost;
    let due = match code {
        0 => expected_people,
        77 if has_access && !case.step.refreshed_because_refused() => expected_people,
        69 if case.step.is_of_one_list() => offers,
        _ => BTreeSet::new(),
    };
    let deleted = match stays_pending(case) {
        true => Some(pending_person(scenario)),
        false => missing_person(scenario, case),
    };
    let missing: Vec<_> = difference(&due, &rows)
        .into_iter()
        .filter(|person| deleted.as_ref() != Some(person))
        .collect();
    check(missing.is_empty(), || format!("missing: {missing:?}"))
}

/// No output on success; otherwise the cause, what is safe and the next step.
fn check_messages(case: &Case, done: &Done) -> Result<(), String> {
    check(done.stdout.is_empty(), || "stdout is not empty".to_owned())?;
    if done.code == 0 && stays_pending(case) {
        return check(done.stderr.contains(&case.says), || "no warning".to_owned());
    }
    if done.code == 0 {
        return check(done.stderr.is_empty(), || "stderr is not empty".to_owned());
    }
    let says: &[&str] = match (case.outcome, done.code) {
        (Outcome::TokensLost, 77) => &[
            "no longer accepts the refresh token",
            "next: aweber-sync authorize",
        ],
        (Outcome::RateLimited, _) => &["again after every wait"],
        _ => &[&case.says],
    };
    for part in says.iter().chain(&["\n  safe: ", "\n  next: "]) {
        check(done.stderr.contains(part), || {
            format!("no {part:?} in stderr")
        })?;
    }
    let longest = done.stderr.lines().map(str::len).max().unwrap_or(0);
    check(longest < 500 && !done.stderr.contains('<'), || {
        "repeats too much of the body".to_owned()
    })
}

/// Checks the run after the fault.
fn check_next_run(scenario: &Scenario, case: &Case, done: &Done) -> Result<(), String> {
    check(done.code == 0, || format!("{} instead of 0", done.code))?;
    let requests = scenario.site.requests();
    check(requests <= MAX_REQUESTS, || format!("{requests} requests"))?;
    check(scenario.token_is_live(), || "the token is dead".to_owned())?;
    let rows = published(scenario)?;
    let mut expected_people = expected_people(scenario, case.step);
    if let Some(deleted) = missing_person(scenario, case) {
        expected_people.remove(&deleted);
    }
    let missing = difference(&expected_people, &rows);
    check(missing.is_empty(), || format!("missing: {missing:?}"))?;
    if matches!(case.cause, Cause::Answer(_)) {
        let unexpected = difference(&rows, &expected_people);
        check(unexpected.is_empty(), || {
            format!("unexpected: {unexpected:?}")
        })?;
    }
    let exports = scenario.site.exports();
    let left: Vec<_> = files_below(&exports)
        .into_iter()
        .filter(|file| file.extension().is_none_or(|end| end != "csv"))
        .collect();
    check(left.is_empty(), || format!("left over: {left:?}"))
}

/// How often the server has granted new tokens.
fn refreshes(scenario: &Scenario) -> usize {
    scenario.site.sandbox.with(|w| {
        let requests = w.token_requests();
        requests.iter().filter(|r| r.status == Some(200)).count()
    })
}

/// Whether a request arrived before the previous one can have been answered.
fn prefetched(scenario: &Scenario) -> bool {
    scenario.site.sandbox.with(|w| {
        let mut pairs = w.requests.windows(2);
        pairs.any(|two| two[1].at - two[0].at < SLOW_ANSWER)
    })
}

/// The subscriber that AWeber has reported as missing.
fn missing_person(scenario: &Scenario, case: &Case) -> Option<Person> {
    (case.outcome == Outcome::Missing).then(|| pending_person(scenario))
}

/// Who is asked for by id.
fn pending_person(scenario: &Scenario) -> Person {
    (scenario.news.to_string(), scenario.early.to_string())
}

/// Whether the request for one pending subscriber is rejected with a token that works elsewhere.
fn stays_pending(case: &Case) -> bool {
    case.outcome == Outcome::Refreshes && case.step == Step::One && case.times != Times::Once
}

/// List and subscriber of each published row; fails on duplicates.
fn published(scenario: &Scenario) -> Result<BTreeSet<Person>, String> {
    let mut people = BTreeSet::new();
    for row in scenario.site.rows() {
        let person = (row["list_id"].clone(), row["id"].clone());
        check(people.insert(person.clone()), || {
            format!("{person:?} was exported twice")
        })?;
    }
    Ok(people)
}

/// The people on both exported lists who are to be exported.
fn expected_people(scenario: &Scenario, step: Step) -> BTreeSet<Person> {
    let mut people = people_on(scenario, scenario.news, step);
    people.extend(people_on(scenario, scenario.offers, step));
    people
}

fn people_on(scenario: &Scenario, list: u64, step: Step) -> BTreeSet<Person> {
    let is_wanted = |status: Status| match status {
        Status::Unsubscribed => step.wants_departures(),
        status => status == Status::Subscribed,
    };
    let of = |w: &mut World| {
        let wanted = w
            .subscribers(list)
            .filter(|subscriber| is_wanted(subscriber.status));
        wanted
            .map(|subscriber| (list.to_string(), subscriber.id.to_string()))
            .collect()
    };
    scenario.site.sandbox.with(of)
}

fn difference(some: &BTreeSet<Person>, others: &BTreeSet<Person>) -> Vec<Person> {
    some.difference(others).cloned().collect()
}
