//! Scenarios in which one command is disturbed and repeated, also one that recovers from an earlier failure.

use crate::scenario::Step::{Change, Disturbed, Plain};
use crate::scenario::{APPEND, CommandLine, End, RUN, RUN_BOTH, RUN_SHARED, Scenario, Step};
use crate::setup::{
    break_disk_at_new_token, downgrade_ledger, expire_access_token, fail_to_store,
    keep_tokens_by_command, kill_at_append, kill_at_publication, kill_at_token_rename, some_leave,
    stop_first_export, subscribe_more,
};
use crate::support::Site;
use aweber_sandbox::Rotation;

const AUTHORIZE: CommandLine = CommandLine(&["authorize"]);

/// The client secret is in the token file.
const AUTHORIZE_OAUTH1: CommandLine =
    CommandLine(&["authorize", "--oauth1", "--client-id", "oauth1-consumer"]);

/// These scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        of_runs(),
        of_departures(),
        of_authorizations(),
        of_recoveries(),
    ]
    .concat()
}

/// The steps, with tokens at the start.
fn scenario(name: &str, steps: &[Step]) -> Scenario {
    Scenario {
        name: name.to_owned(),
        is_authorized: true,
        rotation: Rotation::DeadAtOnce,
        steps: steps.to_vec(),
        end: End::Complete,
    }
}

/// A run that exports, a change, and a disturbed run.
fn second_run(name: &str, change: fn(&Site)) -> Scenario {
    let run = Plain(RUN);
    let add = Change(subscribe_more);
    scenario(name, &[run, add, Change(change), Disturbed(RUN), run])
}

fn of_runs() -> Vec<Scenario> {
    let (add, run, append) = (Change(subscribe_more), Plain(RUN), Plain(APPEND));
    let (disturbed_run, disturbed_append) = (Disturbed(RUN), Disturbed(APPEND));
    vec![
        scenario("first export", &[disturbed_run, run]),
        scenario(
            "first export, shared files",
            &[Disturbed(RUN_SHARED), Plain(RUN_SHARED)],
        ),
        scenario(
            "first export into a growing file",
            &[disturbed_append, append],
        ),
        scenario("incremental run", &[run, add, disturbed_run, run]),
        scenario(
            "incremental run, growing file",
            &[append, add, disturbed_append, append],
        ),
        scenario("idle run", &[run, disturbed_run, run]),
        second_run("run with a 401", expire_access_token),
    ]
}

fn of_departures() -> Vec<Scenario> {
    let (add, run, both) = (Change(subscribe_more), Plain(RUN), Plain(RUN_BOTH));
    let (leave, downgrade) = (Change(some_leave), Change(downgrade_ledger));
    vec![
        scenario(
            "first export of departures",
            &[run, leave, add, Disturbed(RUN_BOTH), both],
        ),
        scenario(
            "incremental run with departures",
            &[both, leave, add, Disturbed(RUN_BOTH), both],
        ),
        scenario(
            "upgrade of the ledger",
            &[run, downgrade, leave, add, Disturbed(RUN_BOTH), both],
        ),
        scenario(
            "upgrade with an open batch",
            &[
                Change(stop_first_export),
                downgrade,
                Disturbed(RUN_BOTH),
                both,
            ],
        ),
    ]
}

fn of_authorizations() -> Vec<Scenario> {
    let run = Plain(RUN);
    let authorize_twice = [Disturbed(AUTHORIZE), Plain(AUTHORIZE), run];
    // Authorizing again also exercises the candidate.
    let authorize_oauth1_twice = [
        Change(Site::authorize_oauth1),
        Disturbed(AUTHORIZE_OAUTH1),
        Plain(AUTHORIZE_OAUTH1),
        run,
    ];
    vec![
        Scenario {
            is_authorized: false,
            ..scenario("authorize", &authorize_twice)
        },
        scenario("authorize again", &authorize_twice),
        Scenario {
            is_authorized: false,
            ..scenario(
                "first export, OAuth 1.0a",
                &[Change(Site::authorize_oauth1), Disturbed(RUN), run],
            )
        },
        Scenario {
            is_authorized: false,
            ..scenario("authorize again, OAuth 1.0a", &authorize_oauth1_twice)
        },
    ]
}

fn of_recoveries() -> Vec<Scenario> {
    let (add, run, append) = (Change(subscribe_more), Plain(RUN), Plain(APPEND));
    let half_append = Change(kill_at_append);
    vec![
        second_run("recovery of a stored token", kill_at_token_rename),
        second_run("recovery of tokens kept elsewhere", break_disk_at_new_token),
        scenario(
            "recovery of an open batch",
            &[Change(stop_first_export), Disturbed(RUN), run],
        ),
        second_run("recovery of a ready batch", kill_at_publication),
        scenario(
            "recovery of half an append",
            &[append, add, half_append, Disturbed(APPEND), append],
        ),
    ]
}

/// Scenarios whose tokens are behind a command.
pub(crate) fn with_token_command() -> Vec<Scenario> {
    let (add, run, disturbed) = (Change(subscribe_more), Plain(RUN), Disturbed(RUN));
    let by_command = Change(keep_tokens_by_command);
    let expire = Change(expire_access_token);
    let authorize_twice = [by_command, Disturbed(AUTHORIZE), Plain(AUTHORIZE), run];
    vec![
        scenario(
            "idle run, token command",
            &[by_command, run, disturbed, run],
        ),
        scenario(
            "run with a 401, token command",
            &[by_command, run, add, expire, disturbed, run],
        ),
        scenario(
            "recovery of a stored token, token command",
            &[by_command, run, Change(fail_to_store), disturbed, run],
        ),
        Scenario {
            is_authorized: false,
            ..scenario("authorize, token command", &authorize_twice)
        },
        scenario("authorize again, token command", &authorize_twice),
    ]
}
