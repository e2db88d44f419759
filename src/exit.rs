//! The exit codes (sysexits where one fits), and which of several wins. Pure; the numbers are written here and nowhere
//! else. A code never changes its meaning.

/// How a command ended, as the number that cron, systemd and scripts see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Unhealthy = 1,
    Usage = 2,
    Unavailable = 69,
    Output = 73,
    LocalIo = 74,
    TryLater = 75,
    NeedsHuman = 77,
    Config = 78,
    Hangup = 129,
    Interrupted = 130,
    Quit = 131,
    Terminated = 143,
}

impl Exit {
    /// All of them, in the order of the help.
    const ALL: [Exit; 13] = [
        Exit::Done,
        Exit::Unhealthy,
        Exit::Usage,
        Exit::Unavailable,
        Exit::Output,
        Exit::LocalIo,
        Exit::TryLater,
        Exit::NeedsHuman,
        Exit::Config,
        Exit::Hangup,
        Exit::Interrupted,
        Exit::Quit,
        Exit::Terminated,
    ];

    /// The number handed to the operating system.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Its description in the help.
    fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done and complete, also when nothing was new",
            Exit::Unhealthy => "status --max-age: the job is not healthy",
            Exit::Usage => "usage: an option is wrong",
            Exit::Unavailable => {
                "AWeber unreachable or failing after retries, for all or for some lists\n(the others are exported and published)"
            }
            Exit::Output => "the output cannot be written",
            Exit::LocalIo => "local I/O failed: disk full, ledger damaged",
            Exit::TryLater => {
                "try again later: another run holds the lock, the time budget is spent, or\nAWeber's rate limit outlasts the retries"
            }
            Exit::NeedsHuman => "run `aweber-sync authorize` again",
            Exit::Config => "configuration, or something only AWeber's support can fix",
            Exit::Hangup => "stopped by SIGHUP: what was fetched is kept for the next run",
            Exit::Interrupted => "stopped by SIGINT: as above",
            Exit::Quit => "stopped by SIGQUIT: as above",
            Exit::Terminated => "stopped by SIGTERM: as above",
        }
    }

    /// How urgently a person is needed, most urgent first. A stop by signal wins: the run was asked to end.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Exit::Terminated | Exit::Interrupted | Exit::Hangup | Exit::Quit => 0,
            Exit::NeedsHuman => 1,
            Exit::Config | Exit::Usage => 2,
            Exit::LocalIo => 3,
            Exit::Output => 4,
            Exit::TryLater => 5,
            Exit::Unavailable => 6,
            Exit::Unhealthy => 7,
            Exit::Done => 8,
        }
    }
}

/// The table that `--help` prints.
pub(crate) fn help() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        let meaning = exit.meaning().replace('\n', "\n       ");
        text.push_str(&format!("  {:<5}{meaning}\n", exit.code()));
    }
    text.push_str("Any other code is a failure.");
    text
}
