//! A local clock that is wrong or jumps neither loses nor duplicates rows: libfaketime sets it for the program alone,
//! while AWeber's stays right.

use crate::support::Site;
use crate::support::calendar::{at, reader};
use crate::support::interrupt::skipped;
use chrono::TimeDelta;
use std::path::PathBuf;
use std::process::Command;

/// The path of libfaketime; reports a skipped test if it is missing.
fn library() -> Option<PathBuf> {
    let output = Command::new("faketime")
        .args(["-f", "+0", "sh", "-c", "echo \"$LD_PRELOAD\""])
        .output();
    let Ok(output) = output else {
        skipped("faketime is not installed, so the clock cannot be set for one program");
        return None;
    };
    let shown = String::from_utf8(output.stdout).unwrap();
    Some(PathBuf::from(shown.trim().trim_start_matches(':')))
}

/// A job whose clock is shifted by the offset in a file.
struct ShiftedClock {
    site: Site,
    list: u64,
    library: PathBuf,
    names: Vec<PathBuf>,
    readers: usize,
}

impl ShiftedClock {
    fn new() -> Option<ShiftedClock> {
        let library = library()?;
        let site = Site::on(at("2026-11-22T03:00:00Z"));
        let list = site.list("Readers");
        Some(ShiftedClock {
            site,
            list,
            library,
            names: Vec::new(),
            readers: 0,
        })
    }

    fn set_clock(&self, offset: &str) {
        std::fs::write(self.site.path("clock"), offset).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.site.command(arguments);
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.site.path("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            // Setting the real clock does not affect the monotonic clock either.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }

    /// Runs with one new subscriber per hour of AWeber's time; expects one new row, in a file that sorts after all
    /// earlier ones.
    fn run(&mut self, offset: &str) {
        self.set_clock(offset);
        let now = self.site.sandbox.with(|world| world.now()) + TimeDelta::hours(1);
        self.site.set_now(now);
        self.readers += 1;
        let email = format!("reader{}@example.com", self.readers);
        self.site.add(self.list, reader(&email, now));
        self.site
            .finish(self.command(&["run"]))
            .case(&offset)
            .exits(0);
        let files = self.site.files();
        assert_eq!(files.len(), self.names.len() + 1, "{offset}");
        // Earlier files sort first and are unchanged.
        assert!(files.starts_with(&self.names), "{offset}: {files:?}");
        self.names = files;
        assert_eq!(self.site.newest_emails(), [email], "{offset}");
        assert!(self.site.token_is_live(), "{offset}");
        self.site
            .finish(self.command(&["run"]))
            .case(&offset)
            .exits(0);
        assert_eq!(self.site.files(), self.names, "{offset}");
    }
}

#[test]
fn a_clock_ten_years_off_or_jumping_between_runs_neither_loses_nor_duplicates_rows() {
    let Some(mut shifted) = ShiftedClock::new() else {
        return;
    };
    for offset in ["+0", "-10y", "+10y", "-10y", "+3h", "-3h", "+10y", "+0"] {
        shifted.run(offset);
    }
    let shown: Vec<_> = shifted
        .names
        .iter()
        .map(|file| file.to_str().unwrap())
        .collect();
    // Without this the test proves nothing: the clock was really ahead.
    assert!(
        shown.iter().any(|name| name.contains("subscribers-203")),
        "{shown:?}"
    );
}

#[test]
fn a_clock_that_jumps_during_a_run_neither_loses_nor_duplicates_rows() {
    for jump in ["+7h", "-7h", "+10y", "-10y"] {
        let Some(shifted) = ShiftedClock::new() else {
            return;
        };
        shifted.set_clock("+0");
        shifted
            .site
            .sandbox
            .with(|world| world.add_subscribers(shifted.list, 350));
        for nth in [2, 4, 6] {
            let clock = shifted.site.path("clock");
            let offset = if nth == 4 { "+0" } else { jump };
            shifted.site.sandbox.with(|world| {
                world.before("http", nth, move |_| std::fs::write(clock, offset).unwrap());
            });
        }
        shifted
            .site
            .finish(shifted.command(&["run"]))
            .case(&jump)
            .exits(0);
        assert_eq!(shifted.site.rows().len(), 350, "{jump}");
        shifted.site.run_exports(&[], &[]);
        assert!(shifted.site.token_is_live());
    }
}
