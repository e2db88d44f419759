//! The command of `--token-command`, a key/value store of the user's own: `get` prints the tokens (nothing: none are
//! stored), `store` reads them from standard input and ends with 0 once they are durable, `erase` removes them.
//!
//! A call never outlives this process: a late `store` could replace the tokens that the next process has stored.

use super::model::TokenFile;
use crate::cli::SECRET_VARIABLES;
use crate::printable::printable;
use crate::secret::masked;
use crate::stop::signalled;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::Zeroizing;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How much longer a call may take once a signal has arrived: a `store` may end well, and the run stops within a second.
const GRACE: Duration = Duration::from_millis(700);

/// How often a call is looked at while it prints nothing.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// The most that a call may print, bytes.
const LARGEST: usize = 1024 * 1024;

/// How much of its standard error a message shows, characters.
const SHOWN: usize = 300;

/// The command, and how long a call of it may take.
#[derive(Debug, Clone)]
pub(crate) struct TokenCommand {
    line: String,
    limit: Duration,
}

impl TokenCommand {
    pub(super) fn new(line: &str) -> TokenCommand {
        TokenCommand {
            line: line.to_owned(),
            limit: LIMIT,
        }
    }

    pub(super) fn with_limit(self, limit: Duration) -> TokenCommand {
        TokenCommand { limit, ..self }
    }

    /// The stored tokens as it prints them; `None`: there are none.
    pub(super) fn get(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let printed = self.call("get", Path::new("/dev/null"), None)?;
        let is_blank = printed.iter().all(u8::is_ascii_whitespace);
        Ok(Some(printed).filter(|_| !is_blank))
    }

    /// Stores `tokens`, which are the content of `file`, and reads them back: a script may end with 0 although one of
    /// its lines failed.
    pub(super) fn store(&self, file: &Path, tokens: &TokenFile) -> io::Result<()> {
        self.call("store", file, Some(tokens))?;
        let stored = self.get()?;
        match stored.map(|stored| TokenFile::parse(&stored)) {
            Some(Ok(stored)) if stored.is_same(tokens) => Ok(()),
            _ => Err(io::Error::other(
                "`store` ended with exit code 0, but `get` does not return what it was given",
            )),
        }
    }

    /// Removes the stored tokens.
    pub(super) fn erase(&self) -> io::Result<()> {
        self.call("erase", Path::new("/dev/null"), None).map(drop)
    }

    /// Calls it with one word more; returns what it prints. `tokens` are masked in what it says on standard error.
    fn call(
        &self,
        word: &str,
        input: &Path,
        tokens: Option<&TokenFile>,
    ) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut child = self
            .spawn(word, input)
            .map_err(|e| io::Error::other(format!("cannot run /bin/sh: {e}")))?;
        let mut pipes = Pipes::of(&mut child);
        let ended = self.wait(word, &mut child, &mut pipes);
        if ended.is_err() {
            // Not waited for yet, so that the id is still that of the group. It may be gone.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
        }
        let [printed, said] = pipes.read;
        let own = TokenFile::parse(&printed).ok();
        let secrets = tokens.or(own.as_ref()).map(TokenFile::secrets);
        let said = masked(
            String::from_utf8_lossy(&said).trim(),
            &secrets.unwrap_or_default(),
        );
        let said = printable(&said, SHOWN);
        match ended.map(describe) {
            Ok(None) => {
                tracing::debug!(
                    event = "token_command",
                    "`{word}` ended well; it said: {said}"
                );
                Ok(printed)
            }
            Ok(Some(end)) if said.is_empty() => Err(io::Error::other(format!("`{word}` {end}"))),
            Ok(Some(end)) => Err(io::Error::other(format!("`{word}` {end}: {said}"))),
            Err(e) => Err(e),
        }
    }

    /// Standard input is a pipe from this process. Once that is closed, also by the end of this process, the shell's
    /// first job kills the whole process group.
    fn spawn(&self, word: &str, input: &Path) -> io::Result<Child> {
        let script = format!(
            "exec 3<&0\n{{ read -r _ <&3; kill -KILL 0; }} >/dev/null 2>&1 &\n{{ {} {word}\n}} 3<&- <\"$1\"",
            self.line
        );
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &script, "sh"])
            .arg(input)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        command.spawn()
    }

    fn wait(&self, word: &str, child: &mut Child, pipes: &mut Pipes) -> io::Result<ExitStatus> {
        let mut deadline = Instant::now() + self.limit;
        let mut is_stopping = false;
        loop {
            let ended = child.try_wait()?;
            let has_read = pipes.read_some()?;
            if let Some(status) = ended.filter(|_| !has_read) {
                return Ok(status);
            }
            if !is_stopping && signalled().is_some() {
                is_stopping = true;
                deadline = deadline.min(Instant::now() + GRACE);
            }
            if Instant::now() >= deadline {
                let limit = self.limit.as_secs();
                return Err(match is_stopping {
                    true => {
                        io::Error::new(io::ErrorKind::Interrupted, format!("`{word}` was stopped"))
                    }
                    false => io::Error::other(format!("`{word}` did not end within {limit} s")),
                });
            }
        }
    }
}

/// How a call ended; `None`: with 0.
fn describe(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("ended with exit code {code}")),
        (None, signal) => Some(format!("was killed by signal {}", signal.unwrap_or(0))),
    }
}

/// Standard output and standard error of a call, and what was read from them.
struct Pipes {
    open: [Option<File>; 2],
    read: [Zeroizing<Vec<u8>>; 2],
}

impl Pipes {
    fn of(child: &mut Child) -> Pipes {
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        Pipes {
            open: [stdout, stderr].map(|pipe| pipe.map(File::from)),
            // Room enough that the buffer does not move while secrets are in it.
            read: [(); 2].map(|()| Zeroizing::new(Vec::with_capacity(16 * 1024))),
        }
    }

    /// Reads what is there, after a wait of a [`TICK`] at most; returns whether there was anything.
    fn read_some(&mut self) -> io::Result<bool> {
        let mut polled: Vec<PollFd<'_>> = self
            .open
            .iter()
            .flatten()
            .map(|pipe| PollFd::new(pipe, PollFlags::IN))
            .collect();
        // A signal ends the wait early.
        let _ = poll(&mut polled, Some(&TICK));
        let mut ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        let mut has_read = false;
        for (open, read) in self.open.iter_mut().zip(&mut self.read) {
            let Some(pipe) = open.as_mut() else { continue };
            if !ready.remove(0) {
                continue;
            }
            let mut piece = Zeroizing::new([0; 4096]);
            let count = pipe.read(&mut *piece)?;
            if count == 0 {
                *open = None;
            }
            if read.len() + count > LARGEST {
                return Err(io::Error::other("it prints more than 1 MiB"));
            }
            read.extend_from_slice(&piece[..count]);
            has_read |= count > 0;
        }
        Ok(has_read)
    }
}
