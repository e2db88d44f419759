//! Expectations about a finished command: `done.exits(77).says("token is dead")`. A failed expectation panics with
//! the whole report.

use super::files_below;
use aweber_sandbox::Sandbox;
use std::fmt::{self, Display, Formatter};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Weak;

/// A finished command. Its `Display` is the report of a failure: the command's output, and the current files and
/// latest requests of the site.
///
/// The report locks the sandbox: a failing expectation inside [`Sandbox::with`] would wait forever.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// The exit code; 128 + n for one killed by signal n.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(super) label: String,
    pub(super) directory: PathBuf,
    pub(super) sandbox: Weak<Sandbox>,
}

impl Done {
    /// The same command with a label at the top of the report, for tests that loop over cases.
    #[must_use]
    pub(crate) fn case(&self, label: &dyn Display) -> Done {
        Done {
            label: label.to_string(),
            ..self.clone()
        }
    }

    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Done {
        self.expect(self.code == code, format_args!("exit code {code}"))
    }

    /// With any exit code except 0.
    #[track_caller]
    pub(crate) fn fails(&self) -> &Done {
        self.expect(self.code != 0, format_args!("an exit code other than 0"))
    }

    /// On standard error.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Done {
        let found = self.stderr.contains(text);
        self.expect(found, format_args!("{text:?} in stderr"))
    }

    /// A message starting with `text` about what is safe.
    #[track_caller]
    pub(crate) fn says_safe(&self, text: &str) -> &Done {
        self.says(&format!("safe: {text}"))
    }

    /// A next step starting with `text`.
    #[track_caller]
    pub(crate) fn says_next(&self, text: &str) -> &Done {
        self.says(&format!("next: {text}"))
    }

    #[track_caller]
    pub(crate) fn does_not_say(&self, text: &str) -> &Done {
        let found = self.stderr.contains(text);
        self.expect(!found, format_args!("no {text:?} in stderr"))
    }

    /// Nothing on standard error.
    #[track_caller]
    pub(crate) fn is_silent(&self) -> &Done {
        self.expect(self.stderr.is_empty(), format_args!("an empty stderr"))
    }

    /// On standard output.
    #[track_caller]
    pub(crate) fn prints(&self, text: &str) -> &Done {
        let printed = self.stdout.contains(text);
        self.expect(printed, format_args!("{text:?} in stdout"))
    }

    #[track_caller]
    pub(crate) fn does_not_print(&self, text: &str) -> &Done {
        let printed = self.stdout.contains(text);
        self.expect(!printed, format_args!("no {text:?} in stdout"))
    }

    #[track_caller]
    pub(crate) fn prints_nothing(&self) -> &Done {
        self.expect(self.stdout.is_empty(), format_args!("an empty stdout"))
    }

    #[track_caller]
    fn expect(&self, holds: bool, what: fmt::Arguments<'_>) -> &Done {
        assert!(holds, "expected {what}\n{self}");
        self
    }

    fn write_files(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for file in files_below(&self.directory) {
            let metadata = std::fs::symlink_metadata(&file).unwrap();
            writeln!(
                f,
                "{:04o} {:>8} {}",
                metadata.permissions().mode() & 0o7777,
                metadata.len(),
                file.strip_prefix(&self.directory).unwrap().display()
            )?;
        }
        Ok(())
    }
}

impl Display for Done {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.label.is_empty() {
            writeln!(f, "--- case\n{}", self.label)?;
        }
        writeln!(f, "--- exit code\n{}", self.code)?;
        write!(f, "--- stdout\n{}", self.stdout)?;
        write!(f, "--- stderr\n{}", self.stderr)?;
        // The site is gone, and with it the directory and the sandbox.
        let Some(sandbox) = self.sandbox.upgrade() else {
            return Ok(());
        };
        writeln!(f, "--- files")?;
        self.write_files(f)?;
        writeln!(f, "--- requests")?;
        write_requests(&sandbox, f)
    }
}

fn write_requests(sandbox: &Sandbox, f: &mut Formatter<'_>) -> fmt::Result {
    sandbox.with(|world| {
        for request in world.requests.iter().rev().take(30).rev() {
            let status = request
                .status
                .map_or("-".to_owned(), |status| status.to_string());
            writeln!(f, "{status} {} {}", request.method, request.path_and_query)?;
        }
        Ok(())
    })
}
