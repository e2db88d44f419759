//! Signals and the end of the time budget as a request to stop, granted at the next safe point: between requests, in a
//! wait, or in the middle of a GET; never while a refresh is under way, also not on the second signal.

use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether a stop was requested, and why.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    requested: watch::Receiver<Option<Kind>>,
}

impl Stop {
    /// Begins to listen for signals, and requests a stop after `budget`. To be called inside the runtime.
    pub(crate) fn listen(budget: Option<Duration>) -> Result<Stop> {
        let (sender, requested) = watch::channel(None);
        let sender = Arc::new(sender);
        let failed = |e: io::Error| {
            Error::new(Kind::LocalIo, format!("cannot listen for signals: {e}"))
                .safe("no request was sent and no token was spent")
                .next("raise the limits on processes and open files for this job, then run again")
        };
        listen_on_a_thread(sender.clone()).map_err(failed)?;
        if let Some(budget) = budget {
            tokio::spawn(async move {
                tokio::time::sleep(budget).await;
                request(&sender, Kind::TimeBudget);
            });
        }
        Ok(Stop { requested })
    }

    /// Returns an error if a stop was requested.
    pub(crate) fn check(&self) -> Result<()> {
        match *self.requested.borrow() {
            Some(kind) => Err(stopped(kind)),
            None => Ok(()),
        }
    }

    /// Returns once a stop is requested; pending until then.
    pub(crate) async fn requested(&mut self) -> Error {
        self.wait_for(|_| true).await
    }

    /// Returns once a signal arrived; the end of the time budget does not count.
    pub(crate) async fn signalled(&mut self) -> Error {
        self.wait_for(|kind| matches!(kind, Kind::Signal(_))).await
    }

    async fn wait_for(&mut self, counts: impl Fn(Kind) -> bool) -> Error {
        let requested = self.requested.wait_for(|kind| kind.is_some_and(&counts));
        match requested.await.map(|kind| *kind) {
            Ok(Some(kind)) => stopped(kind),
            _ => std::future::pending().await,
        }
    }

    /// Sleeps, unless a stop is requested.
    pub(crate) async fn sleep(&mut self, duration: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => self.check(),
            stopped = self.requested() => Err(stopped),
        }
    }
}

/// The exit code of the first signal, 0 before: for waits inside other libraries, which block the runtime.
static SIGNALLED: AtomicU8 = AtomicU8::new(0);

/// The error to end with if a signal arrived; for code that cannot wait for [`Stop`].
pub(crate) fn signalled() -> Option<Error> {
    let code = SIGNALLED.load(Ordering::Relaxed);
    let (_, exit) = SIGNALS.into_iter().find(|(_, exit)| exit.code() == code)?;
    Some(stopped(Kind::Signal(exit)))
}

/// The signals that request a stop.
const SIGNALS: [(SignalKind, Exit); 4] = [
    (SignalKind::hangup(), Exit::Hangup),
    (SignalKind::interrupt(), Exit::Interrupted),
    (SignalKind::quit(), Exit::Quit),
    (SignalKind::terminate(), Exit::Terminated),
];

/// A write beyond RLIMIT_FSIZE raises this signal, whose default is death; caught, the write fails with EFBIG instead.
const FILE_TOO_LARGE: i32 = 25;

/// Listens on a thread of its own: the main thread may be blocked, by a ledger that another process holds for example.
/// Returns once the handlers are installed. They stay for ever: without one a second signal would kill a refresh under
/// way.
fn listen_on_a_thread(sender: Arc<watch::Sender<Option<Kind>>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (installed, is_installed) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let outcome = install(&sender);
                let is_listening = outcome.is_ok();
                // The receiver waits for it below.
                let _ = installed.send(outcome);
                if is_listening {
                    std::future::pending::<()>().await;
                }
            });
        })?;
    is_installed
        .recv()
        .unwrap_or_else(|e| Err(io::Error::other(e)))
}

fn install(sender: &Arc<watch::Sender<Option<Kind>>>) -> io::Result<()> {
    for (kind, exit) in SIGNALS {
        if kind == SignalKind::hangup() && is_ignored(kind) {
            // nohup: the job is meant to outlive its terminal.
            continue;
        }
        let mut arrivals = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() {
                // Fails for a second signal: the first one counts.
                let _ = SIGNALLED.compare_exchange(
                    0,
                    exit.code(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                request(&sender, Kind::Signal(exit));
            }
        });
    }
    let mut too_large = signal(SignalKind::from_raw(FILE_TOO_LARGE))?;
    tokio::spawn(async move { while too_large.recv().await.is_some() {} });
    Ok(())
}

/// The first signal decides the exit code, and takes precedence over the end of the budget.
fn request(sender: &watch::Sender<Option<Kind>>, kind: Kind) {
    sender.send_if_modified(|requested| {
        let counts = match requested {
            None => true,
            Some(Kind::TimeBudget) => matches!(kind, Kind::Signal(_)),
            Some(_) => false,
        };
        if counts {
            *requested = Some(kind);
        }
        counts
    });
}

/// Whether this process was started with that signal ignored, by Linux's own record.
fn is_ignored(signal: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal.as_raw_value() - 1)) != 0)
}

fn stopped(kind: Kind) -> Error {
    let (what, safe) = match kind {
        Kind::Signal(exit) => {
            let name = match exit {
                Exit::Interrupted => "SIGINT",
                Exit::Hangup => "SIGHUP",
                Exit::Quit => "SIGQUIT",
                _ => "SIGTERM",
            };
            (
                format!("stopped by {name}"),
                "the tokens are stored; what was fetched is kept",
            )
        }
        _ => (
            "stopped: --max-duration is over".to_owned(),
            "the tokens are stored; what was fetched is published, or kept",
        ),
    };
    Error::new(kind, what)
        .safe(safe)
        .next("nothing: the next run resumes there")
}
