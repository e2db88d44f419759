//! Many runs in a row on one site: `cargo test --test power -- soak 10000`. Before each, people subscribe; most are
//! killed, fail at a call, have a wrong clock, or run beside another one. In between a plain run must make everything
//! good, and the files and the memory must not grow with the number of runs.

use crate::exports::{check_files, check_rows};
use crate::scenario::{RUN, TEMPORARY};
use crate::setup::{start, subscribe_more};
use crate::states::Draw;
use crate::support::interrupt::KILLED;
use crate::support::process::through;
use crate::support::{Site, files_below};
use aweber_sandbox::Rotation;
use std::path::Path;
use std::process::Command;
use wait4::Wait4 as _;

/// The first argument with which this program starts another and prints how much memory that took at most, KiB.
pub(crate) const MEASURE: &str = "measure";

/// Runs unless a number is given.
const RUNS: usize = 300;

/// A plain run follows after so many.
const UNTIL_PLAIN: usize = 10;

/// The rows are compared each time the number of runs has grown by one in so many: comparing takes longer each time.
const UNTIL_CHECK: usize = 20;

/// The calls to kill at. The first ones are only on files, so that they can fail too.
const CALLS: [&str; 8] = [
    "pwrite64",
    "fsync",
    "unlink",
    "rename",
    "renameat2",
    "openat",
    "write",
    "recvfrom",
];
const ON_FILES: usize = 5;

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// The exit code of a run that needs `authorize`.
const AUTHORIZE_AGAIN: i32 = 77;

/// Plays so many runs; panics if harm is done.
pub(crate) fn play(number: &str) -> usize {
    let runs = if number.is_empty() {
        RUNS
    } else {
        number.parse().unwrap()
    };
    let site = start(Rotation::Tolerated, true);
    std::fs::create_dir(site.path(TEMPORARY)).unwrap();
    let mut draw = Draw(runs as u64);
    let mut counts = [0; 5];
    let mut first = None;
    let mut last = None;
    let mut authorized = 0;
    let mut next_check = 0;
    for n in 1..=runs {
        if draw.below(3) == 0 {
            subscribe_more(&site);
        }
        let kind = draw.below(counts.len());
        counts[kind] += 1;
        disturb(&site, kind, &mut draw);
        if n % UNTIL_PLAIN != 0 && n != runs {
            continue;
        }
        if RUN.run(&site).code == AUTHORIZE_AGAIN {
            authorized += 1;
            site.authorize_anew();
        }
        let done = RUN.run(&site);
        assert_eq!(done.code, 0, "after {n} runs: {done}");
        if n < next_check && n != runs {
            continue;
        }
        next_check = n + n / UNTIL_CHECK;
        site.sandbox.with(|world| world.requests.clear());
        let checked = check_rows(&site).and_then(|()| check_files(&site, true));
        checked.unwrap_or_else(|harm| panic!("after {n} runs: {harm}"));
        last = Some(Left::by(&site));
        first = first.or(last);
        println!("{n} runs");
    }
    println!(
        "{runs} runs: {counts:?} plain, killed, failing, wrong clock, two at once; authorized {authorized} times"
    );
    if let (Some(first), Some(last)) = (first, last) {
        println!("at first: {first:?}; at last: {last:?}");
        last.compare(&first);
    }
    0
}

/// What must not grow from run to run.
#[derive(Clone, Copy, Debug)]
struct Left {
    files_beside_exports: usize,
    peak_memory_kib: u64,
    highest_descriptor: u32,
}

impl Left {
    fn by(site: &Site) -> Left {
        Left {
            files_beside_exports: files_beside_exports(site),
            peak_memory_kib: peak_memory(site),
            highest_descriptor: highest_descriptor(site),
        }
    }

    fn compare(&self, first: &Left) {
        let most_files = first.files_beside_exports + 2;
        let most_memory = first.peak_memory_kib + 8192;
        assert!(self.files_beside_exports <= most_files, "files are left");
        assert!(self.peak_memory_kib < most_memory, "memory grows");
        assert!(
            self.highest_descriptor <= first.highest_descriptor,
            "descriptors are left open"
        );
    }
}

fn disturb(site: &Site, kind: usize, draw: &mut Draw) {
    let call = CALLS[draw.below(if kind == 2 { ON_FILES } else { CALLS.len() })];
    let nth = 1 + draw.below(60);
    let injected = |effect: &str| {
        let inject = format!("inject={call}:{effect}:when={nth}");
        RUN.run_traced(site, &["-e", &inject]).0
    };
    match kind {
        0 => _ = RUN.run(site),
        1 => {
            let code = injected("signal=KILL").code;
            assert!(
                [0, KILLED, AUTHORIZE_AGAIN].contains(&code),
                "killed: {code}"
            );
        }
        2 => {
            let done = injected(["error=EIO", "error=ENOSPC"][draw.below(2)]);
            assert!(![101, 134, 139].contains(&done.code), "{done}");
        }
        3 => {
            let mut command = site.command(&["run"]);
            if Path::new(FAKETIME).exists() {
                let days = draw.below(4000) as i64 - 2000;
                command
                    .env("LD_PRELOAD", FAKETIME)
                    .env("FAKETIME", format!("{days:+}d"));
            }
            site.finish(command);
        }
        _ => {
            let one = site.start(site.command(&["run"]));
            let other = site.start(site.command(&["run"]));
            let codes = [site.end(one).code, site.end(other).code];
            assert!(
                codes
                    .iter()
                    .all(|code| [0, 75, AUTHORIZE_AGAIN].contains(code)),
                "{codes:?}"
            );
        }
    }
}

fn files_beside_exports(site: &Site) -> usize {
    let exports = site.exports();
    let files = files_below(&site.path(""));
    let rescued = |file: &Path| file.to_string_lossy().contains(".rescued");
    files
        .iter()
        .filter(|file| !file.starts_with(&exports) && !rescued(file))
        .count()
}

/// Of an idle run, KiB. A small process starts it, because the peak of a child begins with the memory of its parent.
fn peak_memory(site: &Site) -> u64 {
    let this = std::env::current_exe().unwrap();
    let measured = through(&[this.to_str().unwrap(), MEASURE], &site.command(&["run"]));
    let done = site.finish(measured);
    let peak = done.stdout.trim().parse();
    peak.unwrap_or_else(|_| panic!("no peak: {done}"))
}

/// Runs a command and prints its peak memory.
pub(crate) fn measure(mut command: impl Iterator<Item = String>) {
    let mut program = Command::new(command.next().unwrap());
    let child = program.args(command).spawn().unwrap();
    println!("{}", child.wait4().unwrap().rusage.maxrss / 1024);
}

/// The highest number of a descriptor under which an idle run opens a file.
fn highest_descriptor(site: &Site) -> u32 {
    let (_, trace) = RUN.run_traced(site, &[]);
    let results = trace
        .text()
        .lines()
        .filter(|line| line.contains(" open"))
        .filter_map(|line| line.rsplit_once(" = ")?.1.split_once('<'));
    results
        .filter_map(|(number, _)| number.parse().ok())
        .max()
        .unwrap_or_else(|| panic!("no file was opened:\n{}", trace.text()))
}
