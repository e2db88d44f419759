//! Scenarios of several commands in a row: what people do when one failed, was killed or was stopped, with the four kinds
//! of servers.

use crate::scenario::Step::{Change, Disturbed, Ends, Failing, OnFailure, Plain};
use crate::scenario::{APPEND, CommandLine, End, RUN, Scenario, Step};
use crate::setup::{
    CREDENTIALS, LIST, TRADED_CODE, add_with_old_date, answer_well, ask_for_code, authorize_anew,
    expire_access_token, garble_next_answer, refuse_accounts, rotate_growing_file,
    stop_full_export, subscribe_more, undo_rotation, write_credentials,
};
use aweber_sandbox::Rotation;

const IMPORT: CommandLine = CommandLine(&["authorize", "--import", CREDENTIALS]);
const TRADE: CommandLine = CommandLine(&["authorize", "--code", TRADED_CODE]);
const REVOKE: CommandLine = CommandLine(&["revoke"]);
const FULL: CommandLine = CommandLine(&["run", "--full"]);
const FORGET: CommandLine = CommandLine(&["forget", "--list", LIST]);

/// The four servers, and how the names of scenarios call them.
const ROTATIONS: [(Rotation, &str); 4] = [
    (Rotation::DeadAtOnce, "dead"),
    (Rotation::Tolerated, "lives"),
    (Rotation::UntilUsed, "until used"),
    (Rotation::FamilyKill, "kills"),
];

/// Exit codes.
const UNREACHABLE: i32 = 69;
const OUTPUT_FAILED: i32 = 73;
const AUTHORIZE_AGAIN: i32 = 77;
const NO_TOKENS: i32 = 78;

/// These scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (rotation, name) in ROTATIONS {
        let with_rotation = |(what, is_authorized, steps): (&str, bool, Vec<Step>)| Scenario {
            name: format!("{what} ({name})"),
            is_authorized,
            rotation,
            steps,
            end: End::Complete,
        };
        let is_new = |(what, ..): &(&str, bool, Vec<Step>)| {
            rotation != Rotation::DeadAtOnce || *what != RUN_WITH_401
        };
        all.extend(of_tokens().into_iter().filter(is_new).map(with_rotation));
    }
    all.extend(of_answers());
    all.extend(of_revocation());
    all.extend(of_rows());
    all
}

/// `single` has it with the first of the servers.
const RUN_WITH_401: &str = "run with a 401";

/// Name, whether the job holds tokens at the start, steps.
fn of_tokens() -> Vec<(&'static str, bool, Vec<Step>)> {
    let (run, import) = (Plain(RUN), Plain(IMPORT));
    let credentials = Change(write_credentials);
    let (refuse, answer) = (Change(refuse_accounts), Change(answer_well));
    let (ask, trade) = (Change(ask_for_code), Plain(TRADE));
    let change = [Change(subscribe_more), Change(expire_access_token)];
    vec![
        (
            RUN_WITH_401,
            true,
            vec![run, change[0], change[1], Disturbed(RUN), run],
        ),
        (
            "import fails, again",
            false,
            vec![
                credentials,
                refuse,
                Failing(IMPORT, UNREACHABLE),
                answer,
                import,
                run,
            ],
        ),
        (
            "import again",
            false,
            vec![
                credentials,
                refuse,
                Ends(IMPORT, &[UNREACHABLE]),
                answer,
                Disturbed(IMPORT),
                import,
                run,
            ],
        ),
        (
            "import, run, import",
            false,
            vec![
                credentials,
                Disturbed(IMPORT),
                Ends(RUN, &[0, NO_TOKENS]),
                import,
                run,
            ],
        ),
        (
            "code, new code",
            false,
            vec![ask, Disturbed(TRADE), ask, trade, run],
        ),
    ]
}

/// An answer that cannot be parsed, which a server that forgives repeats.
fn of_answers() -> [Scenario; 2] {
    let garbled = |name: &str, rotation, code| Scenario {
        name: name.to_owned(),
        is_authorized: true,
        rotation,
        steps: vec![
            Change(garble_next_answer),
            Failing(RUN, code),
            Change(answer_well),
            Ends(RUN, &[0, AUTHORIZE_AGAIN]),
            OnFailure(authorize_anew),
            Plain(RUN),
        ],
        end: End::AnswerKept,
    };
    [
        garbled(
            "unreadable answer (dead)",
            Rotation::DeadAtOnce,
            AUTHORIZE_AGAIN,
        ),
        garbled("unreadable answer (lives)", Rotation::Tolerated, 0),
    ]
}

fn of_revocation() -> [Scenario; 2] {
    let revoke = Ends(REVOKE, &[0, NO_TOKENS]);
    let revoked = |name: &str, steps: Vec<Step>| Scenario {
        name: name.to_owned(),
        is_authorized: false,
        rotation: Rotation::DeadAtOnce,
        steps,
        end: End::Revoked,
    };
    [
        revoked(
            "import, revoke",
            vec![Change(write_credentials), Disturbed(IMPORT), revoke],
        ),
        revoked(
            "code, revoke",
            vec![Change(ask_for_code), Disturbed(TRADE), revoke],
        ),
    ]
}

fn of_rows() -> [Scenario; 3] {
    let (run, append, add) = (Plain(RUN), Plain(APPEND), Change(subscribe_more));
    let scenario = |name: &str, steps: Vec<Step>| Scenario {
        name: name.to_owned(),
        is_authorized: true,
        rotation: Rotation::DeadAtOnce,
        steps,
        end: End::Complete,
    };
    let full_again = vec![
        run,
        Change(stop_full_export),
        Change(add_with_old_date),
        Disturbed(FULL),
        Plain(FULL),
    ];
    let rotated = vec![
        append,
        add,
        Disturbed(APPEND),
        Change(rotate_growing_file),
        Ends(APPEND, &[0, OUTPUT_FAILED]),
        OnFailure(undo_rotation),
        append,
    ];
    [
        scenario("full stopped, full again", full_again),
        scenario("append, rotated away, append", rotated),
        Scenario {
            end: End::Forgotten,
            ..scenario("forget, run", vec![run, add, Disturbed(FORGET), run, run])
        },
    ]
}
