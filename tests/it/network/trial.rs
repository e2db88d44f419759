//! One case: a run that meets the fault, and then a run on a network that is well again.

use super::place::{LONG_WAY, Scene};
use super::table::{Case, Fate, Server, Times, Trouble};
use crate::support::process::behind_script;
use crate::support::{Done, files_below};
use aweber_sandbox::{Status, World};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

/// Far longer than a run takes; one that takes so long hangs, and is killed.
const HANGS: Duration = Duration::from_secs(120);

/// More requests than any of these runs needs, repeats included; one that asks more is in a loop.
const LOOPS: usize = 60;

/// Limits the data that a run can have in memory, KiB. 16 MiB of a body, twice while it is copied, are much of that;
/// one that took a whole body of 200 MB would be refused the memory, and die.
const MEMORY: &str = r#"ulimit -d 98304; exec "$@""#;

/// The timeout of a run whose server stalls (a whole answer may take four times as long), and of any other on a busy
/// machine.
const SHORT: &str = "400ms";
const LONG: &str = "30s";

/// List and subscriber.
type Person = (String, String);

/// Tries one case; the error says what was not as it should be.
pub(super) fn try_one(case: &Case) -> Result<(), String> {
    let scene = Scene::new(case.place, case.server);
    let site = &scene.site;
    match &case.trouble {
        Trouble::Change(change) => scene.change(case.place, *change),
        Trouble::Answer(kind) => {
            let fault = scene.fault(case.place);
            let fault = match case.times {
                Times::Once => fault.times(1),
                Times::Twice => fault.times(2),
                Times::ForEver => fault.always(),
            };
            site.sandbox.with(|w| w.fault(fault.answer(kind.clone())));
        }
    }
    let done = run(&scene, case, if case.stalls { SHORT } else { LONG });
    let in_full = |why: String| format!("{why}\n{done}");
    met(&scene, case, &done).map_err(in_full)?;

    scene.heal();
    if !scene.token_is_live() {
        // Nothing else was lost with it.
        site.authorize_anew();
    }
    let done = run(&scene, case, LONG);
    let in_full = |why: String| format!("the next run: {why}\n{done}");
    healed(&scene, case, &done).map_err(in_full)
}

fn run(scene: &Scene, case: &Case, timeout: &str) -> Done {
    let arguments = scene.arguments(case.place);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = behind_script(MEMORY, &scene.site.command(&arguments));
    command.env("AWEBER_SYNC_TIMEOUT", timeout);
    let child = command.spawn().unwrap();
    let id = Pid::from_child(&child);
    let (ended, end) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if end.recv_timeout(HANGS) == Err(mpsc::RecvTimeoutError::Timeout) {
            kill_process(id, Signal::KILL).unwrap();
        }
    });
    let done = scene.site.wait(child);
    drop(ended);
    watchdog.join().unwrap();
    done
}

fn check(is_so: bool, or_else: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(or_else()) }
}

/// What must be so after the run that met the fault.
fn met(scene: &Scene, case: &Case, done: &Done) -> Result<(), String> {
    let (site, code) = (&scene.site, case.code());
    check(done.code == code, || {
        format!("{} instead of {code}", done.code)
    })?;
    let requests = site.requests();
    check(requests <= LOOPS, || format!("{requests} requests"))?;
    said(case, done)?;
    check(!case.place.is_slow() || asked_ahead(scene), || {
        "nothing was asked ahead".to_owned()
    })?;

    // What was spent, and what is left.
    let refreshes = granted(scene);
    let expected = case.place.refreshes() + usize::from(case.fate == Fate::Refreshes);
    if !case.place.is_refresh() && !case.stalls {
        check(refreshes == expected, || {
            format!("{refreshes} refreshes instead of {expected}")
        })?;
    }
    let may_be_lost = match case.trouble {
        Trouble::Answer(_) => case.fate == Fate::Lost && case.server != Server::Forgives,
        Trouble::Change(_) => case.fate == Fate::Ends(77),
    };
    check(may_be_lost || scene.token_is_live(), || {
        "the refresh token is dead".to_owned()
    })?;

    // What is published: nobody twice, nobody else, and nobody missing if the code says so.
    let rows = published(scene)?;
    let (everybody, offers) = (truth(scene), of_list(scene, scene.offers));
    if matches!(case.trouble, Trouble::Answer(_)) {
        let strangers = difference(&rows, &everybody);
        check(strangers.is_empty(), || format!("strangers: {strangers:?}"))?;
    }
    let has_access = case.server == Server::Spares && case.fate == Fate::Lost;
    let due = match code {
        0 => everybody,
        77 if has_access && !case.place.refreshed_because_refused() => everybody,
        69 if case.place.is_of_one_list() => offers,
        _ => BTreeSet::new(),
    };
    let gone = gone(scene, case);
    let missing: Vec<_> = difference(&due, &rows)
        .into_iter()
        .filter(|person| gone.as_ref() != Some(person))
        .collect();
    check(missing.is_empty(), || format!("missing: {missing:?}"))
}

/// Silence on success; else what happened, what was kept safe, what to do next.
fn said(case: &Case, done: &Done) -> Result<(), String> {
    check(done.stdout.is_empty(), || "says something".to_owned())?;
    if done.code == 0 {
        return check(done.stderr.is_empty(), || "is not silent".to_owned());
    }
    let says: &[&str] = match (case.fate, done.code) {
        (Fate::Lost, 77) => &[
            "no longer accepts the refresh token",
            "next: aweber-sync authorize",
        ],
        (Fate::Waits, _) => &["again after every wait"],
        _ => &[&case.says],
    };
    for part in says.iter().chain(&["\n  safe: ", "\n  next: "]) {
        check(done.stderr.contains(part), || format!("says no {part:?}"))?;
    }
    let longest = done.stderr.lines().map(str::len).max().unwrap_or(0);
    check(longest < 500 && !done.stderr.contains('<'), || {
        "repeats too much of a foreign body".to_owned()
    })
}

/// What must be so after the next run.
fn healed(scene: &Scene, case: &Case, done: &Done) -> Result<(), String> {
    check(done.code == 0, || format!("{} instead of 0", done.code))?;
    let requests = scene.site.requests();
    check(requests <= LOOPS, || format!("{requests} requests"))?;
    check(scene.token_is_live(), || "the token is dead".to_owned())?;
    let rows = published(scene)?;
    let mut everybody = truth(scene);
    if let Some(gone) = gone(scene, case) {
        everybody.remove(&gone);
    }
    let missing = difference(&everybody, &rows);
    check(missing.is_empty(), || format!("missing: {missing:?}"))?;
    if matches!(case.trouble, Trouble::Answer(_)) {
        let strangers = difference(&rows, &everybody);
        check(strangers.is_empty(), || format!("strangers: {strangers:?}"))?;
    }
    let exports = scene.site.exports();
    let left: Vec<_> = files_below(&exports)
        .into_iter()
        .filter(|file| file.extension().is_none_or(|end| end != "csv"))
        .collect();
    check(left.is_empty(), || format!("left over: {left:?}"))
}

/// How often the server has handed out new tokens.
fn granted(scene: &Scene) -> usize {
    scene.site.sandbox.with(|w| {
        let requests = w.token_requests();
        requests.iter().filter(|r| r.status == Some(200)).count()
    })
}

/// Whether a request came before the one ahead of it can have been answered.
fn asked_ahead(scene: &Scene) -> bool {
    scene.site.sandbox.with(|w| {
        let mut pairs = w.requests.windows(2);
        pairs.any(|two| two[1].at - two[0].at < LONG_WAY)
    })
}

/// Whom AWeber has said not to exist.
fn gone(scene: &Scene, case: &Case) -> Option<Person> {
    (case.fate == Fate::Gone).then(|| (scene.news.to_string(), scene.early.to_string()))
}

/// Who stands in the published files; nobody twice.
fn published(scene: &Scene) -> Result<BTreeSet<Person>, String> {
    let mut people = BTreeSet::new();
    for row in scene.site.rows() {
        let person = (row["list_id"].clone(), row["id"].clone());
        check(people.insert(person.clone()), || {
            format!("{person:?} stands there twice")
        })?;
    }
    Ok(people)
}

/// Who is subscribed on the lists that are exported.
fn truth(scene: &Scene) -> BTreeSet<Person> {
    let mut people = of_list(scene, scene.news);
    people.extend(of_list(scene, scene.offers));
    people
}

fn of_list(scene: &Scene, list: u64) -> BTreeSet<Person> {
    let of = |w: &mut World| {
        let subscribed = w
            .subscribers(list)
            .filter(|someone| someone.status == Status::Subscribed);
        subscribed
            .map(|someone| (list.to_string(), someone.id.to_string()))
            .collect()
    };
    scene.site.sandbox.with(of)
}

fn difference(some: &BTreeSet<Person>, others: &BTreeSet<Person>) -> Vec<Person> {
    some.difference(others).cloned().collect()
}
