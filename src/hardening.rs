//! Keeps secrets in memory from leaking: no core dumps, no debugger of the same user, and panic messages that contain a
//! source location but no value.

use crate::typed::as_typed;
use std::io::Write as _;
use std::panic::{self, Location};

/// Must be called before anything else in the program.
pub(crate) fn apply() {
    // Best effort: without it the job can still be done.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    panic::set_hook(Box::new(|panic| {
        // Not through the logger, which may be what panicked; if standard error fails, the exit code remains.
        let _ = writeln!(std::io::stderr(), "{}", panic_message(panic.location()));
    }));
}

fn panic_message(location: Option<&Location<'_>>) -> String {
    let location = location.map_or_else(
        || "an unknown location".to_owned(),
        |location| format!("{}:{}", location.file(), location.line()),
    );
    format!(
        "aweber-sync: internal error at {location}\n  safe: tokens and exports are as after a kill; the next run continues \
         from what is on disk\n  next: {}; and please report this line",
        as_typed("aweber-sync run")
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::process::Command;

    /// Set in the child process, which panics.
    const VICTIM: &str = "AWEBER_SYNC_TEST_PANIC";

    #[test]
    fn a_panic_message_has_a_location_and_no_value() {
        if let Ok(secret) = std::env::var(VICTIM) {
            super::apply();
            panic!("the token is {secret}");
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "hardening::tests::a_panic_message_has_a_location_and_no_value",
            ])
            .arg("--nocapture")
            .env(VICTIM, "hunter2")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(!output.status.success());
        let here = concat!("internal error at ", file!());
        assert!(said.contains(here), "{said}");
        assert!(said.contains("safe: ") && said.contains("next: "), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
