//! A build of the program, and a state directory and command lines for it.

use crate::Result;
use crate::server::Server;
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A binary to be measured.
pub(crate) struct Build {
    pub(crate) binary: PathBuf,
    /// What its results are marked with; empty for the build under test.
    pub(crate) suffix: String,
}

impl Build {
    pub(crate) fn new(binary: PathBuf) -> Build {
        let suffix = String::new();
        Build { binary, suffix }
    }

    /// Another build, to compare with.
    pub(crate) fn other(file: &Path) -> Result<Build> {
        let binary = std::fs::canonicalize(file)
            .map_err(|error| format!("cannot find program {}: {error}", file.display()))?;
        let suffix = format!(" ({})", file.display());
        Ok(Build { binary, suffix })
    }

    pub(crate) fn bytes(&self) -> Result<u64> {
        Ok(std::fs::metadata(&self.binary)?.len())
    }
}

/// The program with a state directory.
pub(crate) struct Program<'a> {
    binary: &'a Path,
    state: PathBuf,
    token_file: PathBuf,
    api: String,
    auth: String,
}

impl<'a> Program<'a> {
    /// Connects the program to `server`; state directory and token file are in `scratch`.
    pub(crate) fn connect(
        binary: &'a Path,
        server: &mut Server,
        scratch: &Path,
    ) -> Result<Program<'a>> {
        let program = Program {
            binary,
            state: scratch.join("state"),
            token_file: scratch.join("token.json"),
            api: server.text("api")?,
            auth: server.text("auth")?,
        };
        let tokens = server.command("grant")?;
        let token_file = json!({
            "version": 1,
            "generation": 1,
            "client_id": server.text("client_id")?,
            "account_id": server.text("account")?,
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "expires_at": 0,
        });
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&program.token_file)?;
        file.write_all(token_file.to_string().as_bytes())?;
        Ok(program)
    }

    /// Removes the state directory, so that the next run is a first export. The tokens are kept.
    pub(crate) fn reset(&self) -> Result<()> {
        if self.state.exists() {
            std::fs::remove_dir_all(&self.state)?;
        }
        Ok(())
    }

    /// A command with a cleared environment, configured for the server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.state)
            .env("AWEBER_API_URL", &self.api)
            .env("AWEBER_AUTH_URL", &self.auth)
            .env("AWEBER_SYNC_STATE_DIR", &self.state)
            .env("AWEBER_SYNC_TOKEN_FILE", &self.token_file)
            .env("AWEBER_SYNC_REQUESTS_PER_MINUTE", "100000000");
        command
    }

    /// Number of rows, without headers, and of bytes in all published files.
    pub(crate) fn published(&self) -> Result<(u64, u64)> {
        let (mut rows, mut bytes) = (0, 0);
        let exports = self.state.join("exports");
        if !exports.exists() {
            return Ok((0, 0));
        }
        for entry in std::fs::read_dir(exports)? {
            let entry = entry?;
            bytes += entry.metadata()?.len();
            let mut record = csv::ByteRecord::new();
            let mut reader = csv::Reader::from_path(entry.path())?;
            while reader.read_byte_record(&mut record)? {
                rows += 1;
            }
        }
        Ok((rows, bytes))
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }
}
