//! The exit codes by name (sysexits where one fits), what each asks of the reader, and which of several wins.
//! Pure; the numbers stand here and nowhere else. A code never changes its meaning.

/// How a command ended, as the number that cron, systemd and scripts see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done and complete, also when nothing was new.
    Done,
    /// 1: `status --max-age`: the last success is too long ago.
    Stale,
    /// 2: usage.
    Usage,
    /// 69: AWeber unreachable or failing after retries, for all or for some lists.
    Unavailable,
    /// 73: the output cannot be written.
    Output,
    /// 74: local I/O failed: disk full, ledger damaged.
    LocalIo,
    /// 75: try again later: lock taken, time budget spent, rate limit outlasting the retries.
    TryLater,
    /// 77: a human must run `authorize` again.
    NeedsHuman,
    /// 78: configuration, or something only AWeber's support can heal.
    Config,
    /// 130: stopped by SIGINT at a safe point.
    Interrupted,
    /// 143: stopped by SIGTERM at a safe point.
    Terminated,
}

/// The table that `--help` prints.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done and complete, also when nothing was new
  1    status --max-age: the last success is too long ago
  2    usage: an option is wrong
  69   AWeber unreachable or failing after retries, for all or for some lists
       (the others are exported and published)
  73   the output cannot be written
  74   local I/O failed: disk full, ledger damaged
  75   try again later: another run holds the lock, the time budget is spent, or
       AWeber's rate limit lasts
  77   a human must run `aweber-sync authorize` again
  78   configuration, or something only AWeber's support can heal
  130  stopped by SIGINT, 143 by SIGTERM: what was fetched is kept for the next run
Any other code is a failure.";

impl Exit {
    /// The number handed to the operating system.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Stale => 1,
            Exit::Usage => 2,
            Exit::Unavailable => 69,
            Exit::Output => 73,
            Exit::LocalIo => 74,
            Exit::TryLater => 75,
            Exit::NeedsHuman => 77,
            Exit::Config => 78,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// Of two outcomes of one run, the one to end with: the one that most needs a person first, a stop by
    /// signal before everything (the run was told to end, whatever else it met).
    pub(crate) fn worse(self, other: Exit) -> Exit {
        if other.rank() < self.rank() {
            other
        } else {
            self
        }
    }

    fn rank(self) -> u8 {
        match self {
            Exit::Terminated | Exit::Interrupted => 0,
            Exit::NeedsHuman => 1,
            Exit::Config => 2,
            Exit::Usage => 2,
            Exit::LocalIo => 3,
            Exit::Output => 4,
            Exit::TryLater => 5,
            Exit::Unavailable => 6,
            Exit::Stale => 7,
            Exit::Done => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_codes_the_run_ends_with_the_first_of_77_78_74_73_75_69() {
        let order = [
            Exit::NeedsHuman,
            Exit::Config,
            Exit::LocalIo,
            Exit::Output,
            Exit::TryLater,
            Exit::Unavailable,
            Exit::Done,
        ];
        for (i, first) in order.iter().enumerate() {
            for second in &order[i..] {
                assert_eq!(first.worse(*second), *first);
                assert_eq!(second.worse(*first), *first);
            }
        }
    }

    #[test]
    fn the_help_names_every_code() {
        for exit in [
            Exit::Unavailable,
            Exit::Output,
            Exit::LocalIo,
            Exit::TryLater,
            Exit::NeedsHuman,
            Exit::Config,
            Exit::Interrupted,
            Exit::Terminated,
        ] {
            assert!(HELP.contains(&exit.code().to_string()), "{exit:?}");
        }
    }
}
