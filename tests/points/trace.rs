//! What strace tells: at which calls a run changes the world, which of them failed, and where a killed one stood.

use std::collections::BTreeMap;
use std::fmt;

/// The calls that change the world, or that take or give what others see. The question mark: some exist on some
/// machines only.
pub(crate) const CALLS: &str = "?open,?openat,?creat,?write,?pwrite64,?writev,?pwritev,?fsync,?fdatasync,?rename,\
    ?renameat,?renameat2,?unlink,?unlinkat,?ftruncate,?fallocate,?link,?linkat,?mkdir,?mkdirat,?chmod,?fchmod,\
    ?fchmodat,?flock,?fcntl,?connect,?sendto,?sendmsg,?recvfrom,?close";

/// A place to kill at: just before the nth call of that name.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) call: String,
    pub(crate) nth: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "before {} {}", self.call, self.nth)
    }
}

/// A line `PID call(arguments) = result`; nothing for signals, ends and second halves.
fn call_in(line: &str) -> Option<(&str, &str, &str)> {
    let (pid, rest) = line.split_once(' ')?;
    let rest = rest.trim_start();
    let (call, arguments) = rest.split_once('(')?;
    let is_name = !call.is_empty()
        && call
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((pid, call, arguments))
}

/// Whether a call can leave a trace in the world.
fn counts(call: &str, arguments: &str) -> bool {
    match call {
        "open" | "openat" => ["O_WRONLY", "O_RDWR", "O_CREAT"]
            .iter()
            .any(|flag| arguments.contains(flag)),
        "fcntl" => arguments.contains("F_SETLK") || arguments.contains("F_OFD_SETLK"),
        _ => true,
    }
}

/// Every point of an undisturbed run.
pub(crate) fn points(trace: &str) -> Vec<Point> {
    let mut so_far: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut points = Vec::new();
    for (pid, call, arguments) in trace.lines().filter_map(call_in) {
        let nth = so_far.entry((pid, call)).or_default();
        *nth += 1;
        // What the loader closes before the program has done anything is of no interest.
        if counts(call, arguments) && !(points.is_empty() && call == "close") {
            points.push(Point {
                call: call.to_owned(),
                nth: *nth,
            });
        }
    }
    points
}

/// Where a killed run stood, if tokens were being renewed: asked for, and the write of the answer not returned.
pub(crate) fn in_window(trace: &str) -> Option<String> {
    let mut asked = false;
    let mut last = String::new();
    for line in trace.lines() {
        let returned = !line.contains("unfinished") && !line.trim_end().ends_with("= ?");
        let Some((_, call, arguments)) = call_in(line) else {
            continue;
        };
        if returned && arguments.contains("POST /oauth2/token ") {
            asked = true;
        }
        if returned && call == "pwrite64" && arguments.contains("/token.json.") {
            asked = false;
        }
        let on = arguments.split(['<', '>']).nth(1).unwrap_or_default();
        let on = on.rsplit('/').next().unwrap_or_default();
        let on = if on.starts_with("socket") || on.contains("->") || on.starts_with("TCP") {
            "the connection"
        } else {
            on
        };
        last = format!("at {call} of {on}");
    }
    asked.then_some(last)
}

/// The calls that change what is on a disk.
const DISK_CALLS: &[&str] = &[
    "open",
    "openat",
    "creat",
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "ftruncate",
    "fallocate",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "chmod",
    "fchmod",
    "fchmodat",
];

/// A call on a file.
#[derive(Clone, Debug)]
pub(crate) struct OnFile {
    pub(crate) point: Point,
    /// The file's path below the site's directory.
    pub(crate) file: String,
}

/// Every call of an undisturbed run that changes what is on the disk below `root`.
pub(crate) fn on_files(trace: &str, root: &str) -> Vec<OnFile> {
    let mut so_far: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut all = Vec::new();
    for (pid, call, arguments) in trace.lines().filter_map(call_in) {
        let nth = so_far.entry((pid, call)).or_default();
        *nth += 1;
        if !DISK_CALLS.contains(&call) || !counts(call, arguments) {
            continue;
        }
        if let Some(file) = file_in(arguments, root) {
            let call = call.to_owned();
            all.push(OnFile {
                point: Point { call, nth: *nth },
                file,
            });
        }
    }
    all
}

/// The first path below `root` that a call names or has open; what stands for the working directory is none.
fn file_in(arguments: &str, root: &str) -> Option<String> {
    let named = match arguments.strip_prefix("AT_FDCWD<") {
        Some(rest) => rest.split_once(">, ")?.1,
        None => arguments,
    };
    let (_, rest) = named.split_once(&format!("{root}/"))?;
    let end = rest.find(['"', '>'])?;
    Some(rest[..end].to_owned())
}

/// What a call that was made to fail was on: a file below `root`, or anything else as strace shows it.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) call: String,
    /// The file's path below the site's directory.
    pub(crate) file: Option<String>,
    pub(crate) line: String,
}

/// The calls that were made to fail, in order.
pub(crate) fn failed(trace: &str, root: &str) -> Vec<Failed> {
    let mut begun: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut all = Vec::new();
    for line in trace.lines() {
        let pid = line.split(' ').next().unwrap_or_default();
        if let Some((_, call, arguments)) = call_in(line) {
            begun.insert(pid, (call, arguments));
        }
        if let (true, Some((call, arguments))) = (line.contains("(INJECTED)"), begun.get(pid)) {
            all.push(Failed {
                call: (*call).to_owned(),
                file: file_in(arguments, root),
                line: line.to_owned(),
            });
        }
    }
    all
}
