//! Every answer that AWeber or the network between can give, on the lists and on the subscribers, once and for ever: the
//! exit code, and that the next run on a network that is well again brings everybody, once.

mod bodies;

use crate::support::calendar::{add_readers, at};
use crate::support::{Done, Site, subscribed};
use aweber_sandbox::{Fault, FaultKind, Rotation, World};
use chrono::TimeDelta;

/// What happens, and the exit codes: on the lists once and for ever, on the subscribers of one list of two once and for ever.
type Case = (&'static str, FaultKind, [i32; 4]);

fn refused(status: u16, message: &str) -> FaultKind {
    FaultKind::envelope_a(status, "ForbiddenError", message)
}

/// The statuses of the API's error table that can pass.
fn passing() -> Vec<Case> {
    use FaultKind as F;
    let not_accepting = "This account is not accepting requests at this time";
    let invalid = "The access token is invalid or has expired";
    vec![
        // Passing: repeated, and 69 in the end.
        (
            "500",
            F::envelope_a(500, "InternalServerError", "Oops"),
            [0, 69, 0, 69],
        ),
        ("500 empty", F::status(500), [0, 69, 0, 69]),
        (
            "503",
            F::envelope_a(503, "ServiceUnavailableError", "API Unavailable"),
            [0, 69, 0, 69],
        ),
        ("502 HTML", F::html(502), [0, 69, 0, 69]),
        ("504 HTML", F::html(504), [0, 69, 0, 69]),
        ("403 not now", refused(403, not_accepting), [0, 69, 0, 69]),
        ("403 HTML", F::html(403), [0, 69, 0, 69]),
        (
            "302",
            redirect("https://elsewhere.example/login"),
            [0, 69, 0, 69],
        ),
        // The rate limit: waited out, and 75 in the end.
        ("403 rate limit", F::rate_limit(), [0, 75, 0, 75]),
        (
            "403 rate limit, shouted",
            refused(403, "RATE LIMIT exceeded"),
            [0, 75, 0, 75],
        ),
        ("429", F::status(429), [0, 75, 0, 75]),
        // A refresh heals it, or a human.
        (
            "401 B",
            F::envelope_b(401, "invalid_token", invalid),
            [0, 77, 0, 77],
        ),
        (
            "401 A",
            F::envelope_a(401, "UnauthorizedError", "Invalid Token"),
            [0, 77, 0, 77],
        ),
        ("401 HTML", F::html(401), [0, 77, 0, 77]),
    ]
}

/// Those where asking again is of no use.
fn lasting() -> Vec<Case> {
    use FaultKind as F;
    let missing = "Missing oauth parameters: oauth_consumer_key";
    vec![
        (
            "401 account",
            F::envelope_a(401, "UnauthorizedError", "Invalid Account"),
            [77; 4],
        ),
        (
            "401 request",
            F::envelope_a(401, "UnauthorizedError", "Invalid Request"),
            [78; 4],
        ),
        (
            "401 key",
            F::envelope_a(401, "UnauthorizedError", "Consumer key is invalid."),
            [78; 4],
        ),
        (
            "400 header",
            F::envelope_a(400, "MissingOAuthParametersError", missing),
            [78; 4],
        ),
        (
            "403 suspended",
            refused(403, "Account Temporarily Suspended"),
            [78; 4],
        ),
        (
            "403 on hold",
            refused(403, "Your account is on hold"),
            [78; 4],
        ),
        (
            "403 permission",
            refused(403, "Method requires permission"),
            [77; 4],
        ),
        (
            "410",
            F::envelope_a(410, "BlockedError", "Blocked"),
            [78; 4],
        ),
        (
            "404",
            F::envelope_a(404, "ListNotFoundError", "Not Found"),
            [77, 77, 69, 69],
        ),
        ("400", F::envelope_a(400, "WebServiceError", "Bad"), [69; 4]),
        (
            "405",
            F::envelope_a(405, "MethodNotAllowedError", "No"),
            [69; 4],
        ),
    ]
}

fn redirect(location: &str) -> FaultKind {
    let location = location.to_owned();
    FaultKind::Redirect {
        status: 302,
        location,
    }
}

/// What breaks below HTTP.
fn connections() -> Vec<Case> {
    let heals = [0, 69, 0, 69];
    vec![
        ("reset before", FaultKind::ResetBefore, heals),
        ("reset after", FaultKind::ResetAfter, heals),
        ("half a body", FaultKind::HalfBody, heals),
    ]
}

/// Two lists of 30.
fn site() -> (Site, [u64; 2]) {
    let site = Site::on(at("2026-03-10T12:00:00Z"));
    let lists = ["News", "Offers"].map(|name| site.list(name));
    site.sandbox.with(|w| {
        for list in lists {
            add_readers(w, list, 30, w.now(), TimeDelta::days(1));
        }
    });
    (site, lists)
}

fn run_with_timeout(site: &Site, timeout: &str) -> Done {
    let mut command = site.command(&["run"]);
    command.env("AWEBER_SYNC_TIMEOUT", timeout);
    site.finish(command)
}

/// One place of one case.
fn try_one(name: &str, kind: FaultKind, on_lists: bool, for_ever: bool, code: i32, timeout: &str) {
    let (site, lists) = site();
    // A short timeout on a busy machine may cut off a refresh: that is not what is tried here.
    site.sandbox
        .with(|w| w.settings.rotation = Rotation::Tolerated);
    let place = match on_lists {
        true => "/lists?".to_owned(),
        false => format!("{}/subscribers?", lists[0]),
    };
    site.sandbox.with(|w| {
        let on = Fault::on(place);
        let on = if for_ever { on.always() } else { on.times(1) };
        w.fault(on.answer(kind));
    });
    let done = run_with_timeout(&site, timeout);
    let what = format!("{name}, lists {on_lists}, for ever {for_ever}");
    assert_eq!(done.code, code, "{what}: {}", site.dump(&done));
    assert!(site.requests() <= 20, "{what}: {}", site.dump(&done));
    match code {
        0 => assert_eq!(site.emails(), subscribed(&site, &lists), "{what}"),
        // The other list is exported.
        69 if !on_lists => assert_eq!(site.emails(), subscribed(&site, &lists[1..]), "{what}"),
        _ => assert_eq!(site.emails(), [""; 0], "{what}"),
    }
    if code != 0 {
        // What happened to what, what was kept safe, what to do next.
        for part in ["list", "\n  safe: ", "\n  next: "] {
            assert!(
                done.stderr.contains(part),
                "{what}: no {part:?} in {}",
                done.stderr
            );
        }
    }
    // The token has outlived it all, and so has every row.
    assert!(site.token_is_live(), "{what}");
    site.sandbox.with(World::clear_faults);
    site.run_ok(&[]);
    assert_eq!(site.emails(), subscribed(&site, &lists), "{what}");
}

fn try_all(cases: Vec<Case>, on_lists: bool) {
    for (name, kind, codes) in cases {
        let [once, ever] = if on_lists {
            [codes[0], codes[1]]
        } else {
            [codes[2], codes[3]]
        };
        try_one(name, kind.clone(), on_lists, false, once, "5s");
        try_one(name, kind, on_lists, true, ever, "5s");
    }
}

#[test]
fn every_passing_status_on_the_lists_has_its_exit_code_and_advice() {
    try_all(passing(), true);
}

#[test]
fn every_lasting_status_on_the_lists_has_its_exit_code_and_advice() {
    try_all(lasting(), true);
}

#[test]
fn every_passing_status_on_the_subscribers_has_its_exit_code_and_advice() {
    try_all(passing(), false);
}

#[test]
fn every_lasting_status_on_the_subscribers_has_its_exit_code_and_advice() {
    try_all(lasting(), false);
}

#[test]
fn every_broken_connection_has_its_exit_code_and_advice() {
    try_all(connections(), true);
    try_all(connections(), false);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let never = FaultKind::Never { work_done: true };
    for on_lists in [true, false] {
        try_one("never", never.clone(), on_lists, false, 0, "200ms");
        try_one("never", never.clone(), on_lists, true, 69, "100ms");
    }
}
