//! What is disturbed: a world before it, and the command.

use super::trace::{CALLS, OnFile, Point, on_files, points};
use crate::support::browser::code_at;
use crate::support::disk::cannot_store;
use crate::support::killing::{Before, KILLED};
use crate::support::process::behind;
use crate::support::{Done, Site, files_below};
use aweber_sandbox::{ClientKind, NewSubscriber, Settings, Status, World};
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;

/// Something to be disturbed in the middle.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Makes the world before it.
    prepare: fn() -> Site,
    /// The arguments of the command; `authorize` is answered.
    arguments: &'static [&'static str],
}

/// The name of the growing file.
pub(crate) const GROWN: &str = "grown.csv";

/// Where commands find their directory for temporary files.
pub(crate) const TEMPORARY: &str = "tmp";

/// `run` into a growing file.
const INTO_FILE: &[&str] = &["run", "--output", GROWN];

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("first export", fresh, &["run"]),
    scenario("first export into a growing file", fresh, INTO_FILE),
    scenario("incremental run", grown, &["run"]),
    scenario("incremental run, growing file", file_grown, INTO_FILE),
    scenario("idle run", idle, &["run"]),
    scenario("run with a 401", unauthorized, &["run"]),
    scenario("authorize", unconnected, &["authorize"]),
    scenario("authorize again", connected, &["authorize"]),
    scenario("recovery of a stored token", token_stored, &["run"]),
    scenario(
        "recovery of tokens kept elsewhere",
        token_elsewhere,
        &["run"],
    ),
    scenario("recovery of an open batch", batch_open, &["run"]),
    scenario("recovery of a ready batch", batch_ready, &["run"]),
    scenario("recovery of half an append", half_appended, INTO_FILE),
];

const fn scenario(
    name: &'static str,
    prepare: fn() -> Site,
    arguments: &'static [&'static str],
) -> Scenario {
    Scenario {
        name,
        prepare,
        arguments,
    }
}

impl Scenario {
    /// The world before it.
    pub(crate) fn prepare(&self) -> Site {
        let site = (self.prepare)();
        std::fs::create_dir_all(site.path(TEMPORARY)).unwrap();
        site
    }

    /// The `--output` argument, for the runs that follow.
    pub(crate) fn output(&self) -> &'static [&'static str] {
        &self.arguments[1..]
    }

    /// Whether it connects an account.
    pub(crate) fn is_authorize(&self) -> bool {
        self.arguments[0] == "authorize"
    }

    /// The points of an undisturbed run.
    pub(crate) fn points(&self) -> Vec<Point> {
        let site = self.prepare();
        let (done, trace) = self.traced(&site, &[]);
        assert_eq!(done.code, 0, "{}: {done}", self.name);
        points(&trace)
    }

    /// Runs it, killed at that point, if it comes to it; the trace.
    pub(crate) fn killed_at(&self, site: &Site, point: &Point) -> (Done, String) {
        let inject = format!("inject={}:signal=KILL:when={}", point.call, point.nth);
        self.traced(site, &["-e", &inject])
    }

    /// The calls of an undisturbed run that change what is on the disk.
    pub(crate) fn disk_calls(&self) -> Vec<OnFile> {
        let site = self.prepare();
        let (done, trace) = self.traced(&site, &[]);
        assert_eq!(done.code, 0, "{}: {done}", self.name);
        on_files(
            &trace,
            site.path("").to_str().unwrap().trim_end_matches('/'),
        )
    }

    /// Runs it with that call failing, once or from there on, if it comes to it; the trace.
    pub(crate) fn failing_at(
        &self,
        site: &Site,
        point: &Point,
        errno: &str,
        lasting: bool,
    ) -> (Done, String) {
        let (call, nth) = (&point.call, point.nth);
        let plus = if lasting { "+" } else { "" };
        let inject = format!("inject={call}:error={errno}:when={nth}{plus}");
        self.traced(site, &["-e", &inject])
    }

    /// The command as a user types it, to its end.
    pub(crate) fn plainly(&self, site: &Site) -> Done {
        finish(site, self.command(site), self.is_authorize())
    }

    fn command(&self, site: &Site) -> Command {
        let mut command = site.command(self.arguments);
        command.env("TMPDIR", site.path(TEMPORARY));
        if self.is_authorize() {
            command.env("AWEBER_CLIENT_ID", site.client_id());
        }
        command
    }

    fn traced(&self, site: &Site, more: &[&str]) -> (Done, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let calls = format!("trace={CALLS}");
        // -y: the trace names the file behind each descriptor.
        let front = [
            "strace", "-f", "-qq", "-y", "-s", "24", "-o", path, "-e", &calls,
        ];
        let command = behind(&[&front[..], more, &["--"]].concat(), &self.command(site));
        let done = finish(site, command, self.is_authorize());
        (done, std::fs::read_to_string(file.path()).unwrap())
    }
}

fn finish(site: &Site, command: Command, answered: bool) -> Done {
    if answered {
        site.finish_with_answer(command, code_at)
    } else {
        site.finish(command)
    }
}

/// Two lists, one of more than a page, and somebody who has not confirmed.
fn populate(world: &mut World) {
    let (news, offers) = (world.add_list("News"), world.add_list("Offers"));
    world.add_subscribers(news, 130);
    world.add_subscribers(offers, 5);
    world.add_subscriber(
        offers,
        NewSubscriber::new("waits@example.com").status(Status::Unconfirmed),
    );
}

fn more(site: &Site) {
    site.sandbox.with(|world| {
        let lists: Vec<u64> = world.lists().map(|list| list.id).collect();
        for list in lists {
            world.add_subscribers(list, 2);
        }
    });
}

fn fresh() -> Site {
    let site = Site::new();
    site.sandbox.with(populate);
    site
}

fn idle() -> Site {
    let site = fresh();
    site.run_ok(&[]);
    site
}

fn grown() -> Site {
    let site = idle();
    more(&site);
    site
}

fn file_grown() -> Site {
    let site = fresh();
    site.run_ok(&["--output", GROWN]);
    more(&site);
    site
}

fn unauthorized() -> Site {
    let site = grown();
    site.sandbox
        .with(|world| world.before("/subscribers", 1, World::expire_access_tokens));
    site
}

fn unconnected() -> Site {
    let site = Site::unauthorized(ClientKind::Public, Settings::default());
    site.sandbox.with(populate);
    site
}

fn connected() -> Site {
    fresh()
}

/// Killed between the write of the new tokens and the rename: the second one, after the rehearsal's.
fn token_stored() -> Site {
    let site = grown();
    kill(&site, &[], "rename", 2, None);
    assert!(site.beside_token(".next").exists());
    site
}

/// The disk broke when the new tokens came: they are in another directory.
fn token_elsewhere() -> Site {
    let site = grown();
    std::fs::create_dir(site.path(TEMPORARY)).unwrap();
    let mut run = site.command(&["run"]);
    run.env("TMPDIR", site.path(TEMPORARY));
    let done = site.finish(cannot_store(&site, &run, true));
    assert_eq!(done.code, 74, "{done}");
    assert_eq!(files_below(&site.path(TEMPORARY)).len(), 1);
    site
}

/// Stopped in the middle of a first export: a checkpoint is there, not all pages.
fn batch_open() -> Site {
    let site = fresh();
    let held = site.hold_on("status=subscribed", &[], 2);
    let (stopped, _) = site.stop(held, Signal::TERM);
    assert_eq!(stopped.code, 143, "{stopped}");
    site
}

/// Killed before the rename that publishes.
fn batch_ready() -> Site {
    let site = grown();
    kill(&site, &[], "renameat2", 1, None);
    site
}

/// Killed before the first write into the growing file.
fn half_appended() -> Site {
    let site = file_grown();
    let file = site.path(GROWN);
    kill(&site, &["--output", GROWN], "write", 1, Some(&file));
    site
}

fn kill(site: &Site, arguments: &[&str], call: &str, nth: usize, on: Option<&Path>) {
    let done = site.run_killed(arguments, Before { call, nth, on });
    assert_eq!(done.code, KILLED, "{done}");
}
