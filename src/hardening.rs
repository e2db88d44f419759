//! Nobody looks into the process: no core dump, no debugger of another process of the same user, and a panic that says
//! where it happened and no value.

use std::io::Write as _;
use std::panic::{self, Location};

/// Raises it; the first thing that the program does.
pub(crate) fn apply() {
    // Where it cannot be had, the job is still worth doing.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    panic::set_hook(Box::new(|panic| {
        // Not through the journal: it may be what has panicked. Nobody to tell: the exit code still does.
        let _ = writeln!(std::io::stderr(), "{}", words(panic.location()));
    }));
}

/// What a panic says.
fn words(location: Option<&Location<'_>>) -> String {
    let place = location.map_or_else(
        || "an unknown place".to_owned(),
        |location| format!("{}:{}", location.file(), location.line()),
    );
    format!(
        "aweber-sync: internal error at {place}\n  safe: tokens and exports, as after a kill; the next run goes on from \
         what is on disk\n  next: aweber-sync run; and please report this line"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::process::Command;

    /// Marks the process that is to panic.
    const VICTIM: &str = "AWEBER_SYNC_TEST_PANIC";

    #[test]
    fn a_panic_says_where_and_no_value() {
        if let Ok(secret) = std::env::var(VICTIM) {
            super::apply();
            panic!("the token is {secret}");
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "hardening::tests::a_panic_says_where_and_no_value",
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
