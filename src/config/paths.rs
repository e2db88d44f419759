//! Where the job keeps its files.

use super::env::Env;
use crate::cli;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Where the job keeps what must survive it.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// Holds the ledger, the lock and (by default) the token file.
    pub(crate) state_dir: PathBuf,
    /// As configured; the token store resolves symlinks.
    pub(crate) token_file: PathBuf,
    /// Keeps the tokens instead of that file.
    pub(crate) token_command: Option<String>,
}

impl Paths {
    /// Takes the state directory from the option, `$STATE_DIRECTORY` (systemd), `$XDG_STATE_HOME` or `$HOME`, in that
    /// order.
    pub(crate) fn new(common: &cli::Common, env: Env<'_>) -> Result<Paths> {
        let state_dir = match &common.state_dir {
            Some(dir) => dir.clone(),
            None => default_state_dir(env)?,
        };
        let state_dir = absolute(&state_dir)?;
        let token_file = match &common.token_file {
            Some(file) => absolute(file)?,
            None => state_dir.join("token.json"),
        };
        Ok(Paths {
            state_dir,
            token_file,
            token_command: common.token_command.clone(),
        })
    }

    /// Path of the run lock.
    pub(crate) fn lock(&self) -> PathBuf {
        self.state_dir.join("lock")
    }

    /// Path of an account's ledger.
    pub(crate) fn ledger(&self, account: &str) -> PathBuf {
        self.state_dir.join(format!("ledger-{account}.sqlite3"))
    }
}

fn default_state_dir(env: Env<'_>) -> Result<PathBuf> {
    // systemd separates several directories by colons; the first is the unit's main one.
    if let Some(dirs) = env("STATE_DIRECTORY")
        && let Some(dir) = std::env::split_paths(&dirs).next()
    {
        return Ok(dir);
    }
    // The XDG specification demands that a relative path is ignored.
    if let Some(xdg) = env("XDG_STATE_HOME").map(PathBuf::from)
        && xdg.is_absolute()
    {
        return Ok(xdg.join("aweber-sync"));
    }
    match env("HOME") {
        Some(home) => Ok(PathBuf::from(home).join(".local/state/aweber-sync")),
        None => Err(
            Error::config("cannot choose a state directory: HOME is not set")
                .next("set AWEBER_SYNC_STATE_DIR, or use --state-dir DIR"),
        ),
    }
}

/// Makes a path absolute; keeps `.` and `..` and does not access the file system.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path)
        .map_err(|e| Error::config(format!("cannot make {} absolute: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn state_dir(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let env = |name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| OsString::from(v))
        };
        default_state_dir(&env).ok()
    }

    #[test]
    fn the_state_directory_comes_from_systemd_then_xdg_then_home() {
        let all = [
            ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"),
            ("XDG_STATE_HOME", "/x"),
            ("HOME", "/home/u"),
        ];
        assert_eq!(state_dir(&all), Some("/var/lib/a".into()));
        assert_eq!(state_dir(&all[1..]), Some("/x/aweber-sync".into()));
        assert_eq!(
            state_dir(&all[2..]),
            Some("/home/u/.local/state/aweber-sync".into())
        );
        assert_eq!(
            state_dir(&[("XDG_STATE_HOME", "x"), ("HOME", "/h")]),
            Some("/h/.local/state/aweber-sync".into())
        );
        assert_eq!(state_dir(&[]), None);
    }
}
