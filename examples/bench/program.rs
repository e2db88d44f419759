//! The program that is measured: building it, and a state directory and a command line for it.

use crate::Result;
use crate::server::Server;
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the release binary into the target directory that this bench was built in.
pub(crate) fn build() -> Result<PathBuf> {
    let me = std::env::current_exe()?;
    // TARGET/PROFILE/examples/bench
    let target = me.ancestors().nth(3).ok_or("no target directory")?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    build
        // Naming the bench too takes the libraries as they were built for it, instead of building them anew.
        .args([
            "build",
            "--quiet",
            "--release",
            "--bin=aweber-sync",
            "--example=bench",
        ])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(target);
    for (variable, _) in std::env::vars_os() {
        // What cargo tells a program about its package would make the inner cargo build some libraries anew.
        let text = variable.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&variable);
        }
    }
    if !build.status()?.success() {
        return Err("the program cannot be built".into());
    }
    Ok(target.join("release/aweber-sync"))
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
    /// Connected to `server`, with the state directory and the token file in `scratch`.
    pub(crate) fn connect(
        binary: &'a Path,
        server: &Server,
        scratch: &Path,
    ) -> Result<Program<'a>> {
        let program = Program {
            binary,
            state: scratch.join("state"),
            token_file: scratch.join("token.json"),
            api: server.text("api")?,
            auth: server.text("auth")?,
        };
        let token = json!({
            "version": 1,
            "generation": 1,
            "client_id": server.text("client_id")?,
            "account_id": server.text("account")?,
            "access_token": server.text("access_token")?,
            "refresh_token": server.text("refresh_token")?,
            "expires_at": 0,
        });
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&program.token_file)?;
        file.write_all(token.to_string().as_bytes())?;
        Ok(program)
    }

    /// Forgets everything but the tokens.
    pub(crate) fn begin_anew(&self) -> Result<()> {
        if self.state.exists() {
            std::fs::remove_dir_all(&self.state)?;
        }
        Ok(())
    }

    /// A command with arguments, set up for the server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &self.state)
            .env("AWEBER_API_URL", &self.api)
            .env("AWEBER_AUTH_URL", &self.auth)
            .env("AWEBER_SYNC_STATE_DIR", &self.state)
            .env("AWEBER_SYNC_TOKEN_FILE", &self.token_file)
            .env("AWEBER_SYNC_REQUESTS_PER_MINUTE", "100000000");
        command
    }

    /// Rows (records without the headers) and bytes of everything published.
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

    /// Where its state is.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }
}
