//! What strace has recorded of a command: the points at which it can be disturbed, the calls that were made to fail, and
//! whether a killed one was waiting for new tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// The calls that change files, or that send or receive something. The question mark: some exist on some machines only.
pub(crate) const TRACED_CALLS: &str = "?open,?openat,?creat,?write,?pwrite64,?writev,?pwritev,?fsync,?fdatasync,\
    ?rename,?renameat,?renameat2,?unlink,?unlinkat,?ftruncate,?fallocate,?link,?linkat,?mkdir,?mkdirat,?chmod,\
    ?fchmod,?fchmodat,?truncate,?symlink,?symlinkat,?rmdir,?utimensat,?copy_file_range,?sendfile,?flock,?fcntl,?connect,?sendto,?sendmsg,?recvfrom,?close";

/// A call in a command: the nth of its name in its thread.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) call: String,
    pub(crate) nth: usize,
    /// The file it is on, below the site's directory.
    pub(crate) file: Option<String>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.call, self.nth)?;
        match &self.file {
            Some(file) => write!(f, " of {file}"),
            None => Ok(()),
        }
    }
}

/// A call that was made to fail.
#[derive(Clone, Debug)]
pub(crate) struct FailedCall {
    pub(crate) call: String,
    /// The file it was on, below the site's directory.
    pub(crate) file: Option<String>,
}

/// The trace of one command.
pub(crate) struct Trace {
    text: String,
    /// The site's directory, without a slash at the end.
    root: String,
}

/// A line `PID call(arguments) = result`.
struct Call<'a> {
    pid: &'a str,
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Call<'a> {
    /// `None` for signals, exits and the second halves of interrupted calls.
    fn parse(line: &'a str) -> Option<Call<'a>> {
        let (pid, rest) = line.split_once(' ')?;
        let (name, arguments) = rest.trim_start().split_once('(')?;
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = !name.is_empty() && name.bytes().all(is_letter);
        is_name.then_some(Call {
            pid,
            name,
            arguments,
        })
    }

    /// Whether the call can change anything or take a lock.
    fn is_point(&self) -> bool {
        let has_any = |flags: &[&str]| flags.iter().any(|flag| self.arguments.contains(flag));
        match self.name {
            "open" | "openat" => has_any(&["O_WRONLY", "O_RDWR", "O_CREAT"]),
            "fcntl" => has_any(&["F_SETLK", "F_OFD_SETLK"]),
            _ => true,
        }
    }

    /// The first path below `root` that the call names or has open; the working directory does not count.
    fn file(&self, root: &str) -> Option<String> {
        let named = match self.arguments.strip_prefix("AT_FDCWD<") {
            Some(rest) => rest.split_once(">, ")?.1,
            None => self.arguments,
        };
        let (_, rest) = named.split_once(&format!("{root}/"))?;
        let end = rest.find(['"', '>'])?;
        Some(rest[..end].to_owned())
    }

    fn asks_for_tokens(&self) -> bool {
        asks_for_tokens(self.arguments)
    }

    /// The name of the file it is on, or `the connection`.
    fn target(&self) -> &'a str {
        let on = self.arguments.split(['<', '>']).nth(1).unwrap_or_default();
        let name = on.rsplit('/').next().unwrap_or_default();
        if name.starts_with("socket") || name.contains("->") || name.starts_with("TCP") {
            "the connection"
        } else {
            name
        }
    }
}

impl Trace {
    /// Reads strace's output on a command in the site's directory `root`.
    pub(crate) fn read(file: &Path, root: &Path) -> Trace {
        Trace {
            text: std::fs::read_to_string(file).unwrap(),
            root: root.display().to_string().trim_end_matches('/').to_owned(),
        }
    }

    /// A command and the next one, as one.
    pub(crate) fn followed_by(self, next: &Trace) -> Trace {
        Trace {
            text: self.text + &next.text,
            ..self
        }
    }

    /// As strace wrote it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Every point of the program itself, in order. A fault at a call of a program that it starts would come at an
    /// earlier call of its own.
    pub(crate) fn points(&self) -> Vec<Point> {
        self.points_with_lines().map(|(_, point)| point).collect()
    }

    /// The trace before the nth point.
    pub(crate) fn text_before(&self, nth: usize) -> String {
        let line = self.points_with_lines().nth(nth).map(|(line, _)| line);
        let lines = self.text.lines().take(line.unwrap_or(usize::MAX));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Which point was the first that was made to fail.
    pub(crate) fn failed_point(&self) -> Option<usize> {
        let failed = self.text.lines().position(|line| line.contains(INJECTED))?;
        self.points_with_lines()
            .position(|(line, _)| line == failed)
    }

    fn points_with_lines(&self) -> impl Iterator<Item = (usize, Point)> {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut points = Vec::new();
        let calls = || {
            let lines = self.text.lines().enumerate();
            lines.filter_map(|(line, text)| Some((line, Call::parse(text)?)))
        };
        let first = calls().next().map(|(_, call)| call.pid);
        let loaded = calls().filter(|(_, call)| call.arguments.contains("/ld.so.cache"));
        let mut others: BTreeSet<&str> = loaded.map(|(_, call)| call.pid).collect();
        others.retain(|pid| Some(*pid) != first);
        for (line, call) in calls().filter(|(_, call)| !others.contains(call.pid)) {
            let nth = counts.entry((call.pid, call.name)).or_default();
            *nth += 1;
            // The loader closes files before the program has started.
            let is_loader = points.is_empty() && call.name == "close";
            if call.is_point() && !is_loader {
                let point = Point {
                    call: call.name.to_owned(),
                    nth: *nth,
                    file: call.file(&self.root),
                };
                points.push((line, point));
            }
        }
        points.into_iter()
    }

    /// The calls that were made to fail, in order.
    pub(crate) fn failed_calls(&self) -> Vec<FailedCall> {
        let mut begun: BTreeMap<&str, Call<'_>> = BTreeMap::new();
        let mut failed = Vec::new();
        for line in self.text.lines() {
            if let Some(call) = Call::parse(line) {
                begun.insert(call.pid, call);
            }
            let pid = line.split(' ').next().unwrap_or_default();
            if let (true, Some(call)) = (line.contains(INJECTED), begun.get(pid)) {
                failed.push(FailedCall {
                    call: call.name.to_owned(),
                    file: call.file(&self.root),
                });
            }
        }
        failed
    }

    /// How many token requests were sent.
    pub(crate) fn token_requests(&self) -> usize {
        let calls = self
            .text
            .lines()
            .filter(|line| has_returned(line))
            .filter_map(Call::parse);
        calls.filter(Call::asks_for_tokens).count()
    }

    /// The call at which a command was killed that had asked for new tokens and had not written the answer yet.
    pub(crate) fn token_window(&self) -> Option<String> {
        let mut has_asked = false;
        let mut last = None;
        for line in self.text.lines() {
            let Some(call) = Call::parse(line) else {
                continue;
            };
            let returned = has_returned(line);
            if returned && call.asks_for_tokens() {
                has_asked = true;
            }
            if returned && call.name == "pwrite64" && call.arguments.contains(".next>") {
                has_asked = false;
            }
            last = Some(call);
        }
        let last = last.filter(|_| has_asked)?;
        Some(format!("{} of {}", last.name, last.target()))
    }

    /// For a failure report: the calls that were made to fail, or else the end of the trace.
    pub(crate) fn excerpt(&self) -> String {
        let is_dull = |line: &&str| line.contains(" fcntl(") || line.contains(" close(");
        let lines: Vec<&str> = self.text.lines().filter(|line| !is_dull(line)).collect();
        let injected = lines.iter().filter(|line| line.contains(INJECTED));
        let mut shown: Vec<&str> = injected.copied().collect();
        if shown.is_empty() {
            shown = lines[lines.len().saturating_sub(LAST_LINES)..].to_vec();
        }
        let short = |line: &&str| line.chars().take(LONGEST_LINE).collect::<String>();
        shown.iter().map(short).collect::<Vec<_>>().join("\n")
    }
}

/// Whether a call with these arguments sends a request for tokens.
pub(crate) fn asks_for_tokens(arguments: &str) -> bool {
    // strace shows 24 characters.
    let requests = ["POST /oauth2/token ", "POST /1.0/oauth/access_t"];
    requests.iter().any(|begin| arguments.contains(begin))
}

/// Whether the call on that line of a trace was carried out.
fn has_returned(line: &str) -> bool {
    !line.contains("unfinished") && !line.trim_end().ends_with("= ?")
}

/// How strace marks a call that it has made to fail.
const INJECTED: &str = "(INJECTED)";

/// Characters of a line in a failure report: it may hold whole files.
const LONGEST_LINE: usize = 300;

/// How much of the end of a trace a failure report shows.
const LAST_LINES: usize = 60;
