//! What a command has done to the disk, in order, as strace has recorded it with all written bytes.

use crate::trace::asks_for_tokens;
use std::collections::BTreeMap;
use std::path::Path;

/// strace's options for a record: `-s` gives the longest write whose bytes it keeps.
pub(crate) const OPTIONS: [&str; 2] = ["-s", "2097152"];

/// A call that has changed the disk or made it durable, or a request for tokens. Paths are below the recorded directory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// Opened for writing; created with this mode if it was missing.
    Open {
        path: String,
        mode: Option<u32>,
        truncates: bool,
        appends: bool,
    },
    /// At this offset, else at the position of the file.
    Write {
        path: String,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    /// So many bytes of another file, from the same position.
    Copy {
        from: String,
        to: String,
        length: u64,
    },
    Truncate {
        path: String,
        length: u64,
    },
    Sync {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    Mkdir {
        path: String,
        mode: u32,
    },
    Chmod {
        path: String,
        mode: u32,
    },
    /// The time of the last change was set.
    SetTime {
        path: String,
    },
    /// A request for tokens was sent.
    Asked,
}

/// The events in a trace of commands in the directory `root`.
pub(crate) fn events(trace: &str, root: &Path) -> Vec<Event> {
    let events = events_with_lines(trace, root).into_iter();
    events.map(|(_, event)| event).collect()
}

/// As [`events`], with the number of the line on which each call has ended.
pub(crate) fn events_with_lines(trace: &str, root: &Path) -> Vec<(usize, Event)> {
    let root = root.display().to_string();
    let root = root.trim_end_matches('/');
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut events = Vec::new();
    for (n, line) in trace.lines().enumerate() {
        let Some((pid, rest)) = line.split_once(' ') else {
            continue;
        };
        let mut add = |call: &str| events.extend(event(call, root).map(|event| (n, event)));
        let rest = rest.trim_start();
        if let Some(call) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(pid, call);
        } else if let Some(end) = rest.strip_prefix("<... ") {
            let end = end.split_once(" resumed>").map_or("", |(_, end)| end);
            let whole = format!("{}{end}", begun.remove(pid).unwrap_or_default());
            add(&whole);
        } else {
            add(rest);
        }
    }
    events
}

/// The event of a call that has succeeded.
fn event(call: &str, root: &str) -> Option<Event> {
    let (call, result) = call.rsplit_once(" = ")?;
    let result = result.trim_start();
    let number: i64 = result
        .split(|c: char| !c.is_ascii_digit() && c != '-')
        .next()?
        .parse()
        .ok()?;
    if number < 0 {
        return None;
    }
    let (name, arguments) = call.trim_end().strip_suffix(')')?.split_once('(')?;
    if asks_for_tokens(arguments) {
        return Some(Event::Asked);
    }
    let of = Arguments {
        list: split(arguments),
        root,
    };
    of.event(name, number as u64)
}

/// The arguments of a call.
struct Arguments<'a> {
    list: Vec<&'a str>,
    root: &'a str,
}

impl Arguments<'_> {
    fn event(&self, name: &str, result: u64) -> Option<Event> {
        let path = self.opened(0);
        Some(match name {
            "open" | "creat" | "openat" => self.open(name)?,
            "write" | "writev" | "pwrite64" | "pwritev" => {
                let mut bytes = unquoted(self.list.get(1)?);
                bytes.truncate(result as usize);
                let at = name.starts_with('p').then(|| self.number(3)).flatten();
                let path = path?;
                Event::Write { path, at, bytes }
            }
            "ftruncate" | "truncate" => Event::Truncate {
                path: path.or_else(|| self.named(0))?,
                length: self.number(1)?,
            },
            "fsync" | "fdatasync" => Event::Sync { path: path? },
            "rename" | "link" => self.two(name, self.named(0), self.named(1))?,
            "renameat" | "renameat2" | "linkat" => self.two(name, self.at(0), self.at(2))?,
            "unlink" | "rmdir" => Event::Unlink {
                path: self.named(0)?,
            },
            "unlinkat" => Event::Unlink { path: self.at(0)? },
            "mkdir" => Event::Mkdir {
                path: self.named(0)?,
                mode: self.octal(1)?,
            },
            "mkdirat" => Event::Mkdir {
                path: self.at(0)?,
                mode: self.octal(2)?,
            },
            "chmod" | "fchmod" => Event::Chmod {
                path: path.or_else(|| self.named(0))?,
                mode: self.octal(1)?,
            },
            "fchmodat" => Event::Chmod {
                path: self.at(0)?,
                mode: self.octal(2)?,
            },
            "utimensat" => Event::SetTime {
                path: path.or_else(|| self.at(0))?,
            },
            "copy_file_range" if result > 0 => Event::Copy {
                from: path?,
                to: self.opened(2)?,
                length: result,
            },
            "fallocate" | "symlink" | "symlinkat" | "sendfile" => {
                panic!("no model of {name}{:?}", self.list)
            }
            _ => return None,
        })
    }

    fn open(&self, name: &str) -> Option<Event> {
        let first = usize::from(name == "openat");
        let path = match name {
            "openat" => self.at(0)?,
            _ => self.named(0)?,
        };
        let flags = *self.list.get(first + 1)?;
        let creates = name == "creat" || flags.contains("O_CREAT");
        if !(creates || flags.contains("O_WRONLY") || flags.contains("O_RDWR")) {
            return None;
        }
        let mode = self.octal(if name == "creat" { 1 } else { first + 2 });
        Some(Event::Open {
            path,
            mode: creates.then_some(mode.unwrap_or(0o600)),
            truncates: name == "creat" || flags.contains("O_TRUNC"),
            appends: flags.contains("O_APPEND"),
        })
    }

    fn two(&self, name: &str, from: Option<String>, to: Option<String>) -> Option<Event> {
        let (from, to) = (from?, to?);
        Some(match name {
            "link" | "linkat" => Event::Link { from, to },
            _ => Event::Rename { from, to },
        })
    }

    /// The path behind the descriptor at this place; not one that was unlinked.
    fn opened(&self, n: usize) -> Option<String> {
        let (number, path) = self.list.get(n)?.split_once('<')?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| {
            let path = path.strip_suffix('>')?;
            self.below(path)
        })?
    }

    /// The path given at this place, from the root if it is relative.
    fn named(&self, n: usize) -> Option<String> {
        let given = String::from_utf8(unquoted(self.list.get(n)?)).ok()?;
        match given.starts_with('/') {
            true => self.below(&given),
            false => Some(normal(&given)),
        }
    }

    /// The path given by the directory at this place and the name after it.
    fn at(&self, n: usize) -> Option<String> {
        let directory = self.list.get(n)?.split_once('<')?.1.strip_suffix('>')?;
        let given = String::from_utf8(unquoted(self.list.get(n + 1)?)).ok()?;
        match given.starts_with('/') {
            true => self.below(&given),
            false => self.below(&format!("{directory}/{given}")),
        }
    }

    fn below(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(self.root)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| normal(rest))
    }

    fn number(&self, n: usize) -> Option<u64> {
        self.list.get(n)?.parse().ok()
    }

    fn octal(&self, n: usize) -> Option<u32> {
        u32::from_str_radix(self.list.get(n)?, 8).ok()
    }
}

/// Without `.`, and without slashes at the ends.
fn normal(path: &str) -> String {
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

/// The arguments, at commas outside of quotes, brackets and the paths behind descriptors.
fn split(arguments: &str) -> Vec<&str> {
    let bytes = arguments.as_bytes();
    let (mut parts, mut start, mut depth, mut n) = (Vec::new(), 0, 0_usize, 0);
    while n < bytes.len() {
        match bytes[n] {
            b'"' => {
                n += 1;
                while n < bytes.len() && bytes[n] != b'"' {
                    n += 1 + usize::from(bytes[n] == b'\\');
                }
            }
            b'[' | b'{' | b'<' => depth += 1,
            b']' | b'}' | b'>' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(arguments[start..n].trim());
                start = n + 1;
            }
            _ => {}
        }
        n += 1;
    }
    parts.push(arguments[start..].trim());
    parts
}

/// The bytes of all quoted strings in an argument.
fn unquoted(argument: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = argument.bytes().peekable();
    let mut is_inside = false;
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => is_inside = !is_inside,
            _ if !is_inside => {}
            b'\\' => {
                let escaped = rest.next().unwrap_or_default();
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'v' => 0x0b,
                    b'f' => 0x0c,
                    b'0'..=b'7' => {
                        let mut value = u32::from(escaped - b'0');
                        for _ in 0..2 {
                            let Some(digit) = rest.next_if(|next| (b'0'..=b'7').contains(next))
                            else {
                                break;
                            };
                            value = value * 8 + u32::from(digit - b'0');
                        }
                        value as u8
                    }
                    other => other,
                });
            }
            other => bytes.push(other),
        }
    }
    bytes
}
