//! What the tests share: a sandbox with an authorized job, commands with a cleared environment, and their results as
//! CSV and JSON. Every output of every command is searched for every secret.

pub(crate) mod authorization;
pub(crate) mod browser;
pub(crate) mod calendar;
pub(crate) mod command_store;
pub(crate) mod disk;
pub(crate) mod docs;
pub(crate) mod expect;
pub(crate) mod interrupt;
pub(crate) mod job;
pub(crate) mod judge;
pub(crate) mod ping_server;
pub(crate) mod process;
pub(crate) mod tls;
pub(crate) mod token;

pub(crate) use expect::Done;

use aweber_sandbox::{ClientKind, Sandbox, Settings};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_aweber-sync");

/// A sandbox with an authorized job in its own directory.
pub(crate) struct Site {
    pub(crate) sandbox: Arc<Sandbox>,
    directory: tempfile::TempDir,
    client_id: String,
    client_secret: Option<String>,
}

/// Whether all cases are to be tried, and on the disk: `TESTS=all`, as CI does. Otherwise the longest tests try a sample,
/// in memory.
pub(crate) fn is_whole() -> bool {
    std::env::var("TESTS").is_ok_and(|tests| tests == "all")
}

/// One exported record, by column.
pub(crate) type Row = BTreeMap<String, String>;

impl Site {
    /// A public client, authorized; the account has no lists yet.
    pub(crate) fn new() -> Site {
        Site::with(ClientKind::Public, Settings::default())
    }

    /// An authorized client of this kind.
    pub(crate) fn with(kind: ClientKind, settings: Settings) -> Site {
        let site = Site::unauthorized(kind, settings);
        site.authorize_anew();
        site
    }

    /// Without a token file.
    pub(crate) fn unauthorized(kind: ClientKind, settings: Settings) -> Site {
        match is_whole() {
            true => Site::made_in(tempfile::tempdir().unwrap(), kind, settings),
            false => Site::in_memory(kind, settings),
        }
    }

    /// As [`Site::unauthorized`], but in memory if possible: an fsync costs nothing there.
    pub(crate) fn in_memory(kind: ClientKind, settings: Settings) -> Site {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Site::made_in(directory.unwrap(), kind, settings)
    }

    /// The job of an app of OAuth 1.0a, without a token file.
    pub(crate) fn unauthorized_oauth1(settings: Settings) -> Site {
        let mut site = Site::unauthorized(ClientKind::Confidential, settings);
        let consumer = site.sandbox.with(|world| world.consumer());
        (site.client_id, site.client_secret) = (consumer.key, Some(consumer.secret));
        site
    }

    /// As [`Site::unauthorized_oauth1`], authorized.
    pub(crate) fn oauth1(settings: Settings) -> Site {
        let site = Site::unauthorized_oauth1(settings);
        site.authorize_oauth1();
        site
    }

    /// Writes a token file with new tokens of OAuth 1.0a.
    pub(crate) fn authorize_oauth1(&self) {
        let (app, account) = self
            .sandbox
            .with(|world| (world.consumer(), world.account.id));
        let tokens = self.sandbox.with(|world| world.grant_signed(&app.key));
        self.write_token_file(&json!({
            "version": 2,
            "generation": 1,
            "client_id": app.key,
            "client_secret": app.secret,
            "account_id": account.to_string(),
            "access_token": tokens.token,
            "access_token_secret": tokens.secret,
        }));
    }

    fn made_in(directory: tempfile::TempDir, kind: ClientKind, settings: Settings) -> Site {
        let settings = Settings {
            rate_limit: None,
            ..settings
        };
        let sandbox = Arc::new(Sandbox::start_with(settings));
        let id = match kind {
            ClientKind::Public => "public-client",
            ClientKind::Confidential => "confidential-client",
        };
        let client = sandbox.with(|world| world.client(id));
        Site {
            sandbox,
            directory,
            client_id: client.client_id,
            client_secret: client.client_secret,
        }
    }

    /// Writes a token file with new tokens, as `authorize` would.
    pub(crate) fn authorize_anew(&self) {
        self.authorize_with(&aweber_sandbox::EXPORT_SCOPES);
    }

    /// As [`Site::authorize_anew`], with these scopes.
    pub(crate) fn authorize_with(&self, scopes: &[&str]) {
        let tokens = self
            .sandbox
            .with(|world| world.grant_scopes(&self.client_id, scopes));
        let account = self.sandbox.with(|world| world.account.id);
        self.write_token_file(&json!({
            "version": 1,
            "generation": 1,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "account_id": account.to_string(),
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "token_type": "bearer",
            "expires_at": tokens.expires_at,
        }));
        // Their generation is lower than that of tokens from before.
        let _ = std::fs::remove_file(self.beside_token(".stored"));
    }

    /// Writes the token file, 0600.
    pub(crate) fn write_token_file(&self, content: &Value) {
        std::fs::create_dir_all(self.state_dir()).unwrap();
        std::fs::set_permissions(self.state_dir(), PermissionsExt::from_mode(0o700)).unwrap();
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.token_file())
            .unwrap();
        file.write_all(content.to_string().as_bytes()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// Where the tokens are.
    pub(crate) fn token_file(&self) -> PathBuf {
        match self.has_token_command() {
            true => self.vault("tokens"),
            false => self.path("state/token.json"),
        }
    }

    /// The default output.
    pub(crate) fn exports(&self) -> PathBuf {
        self.path("state/exports")
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn client_secret(&self) -> Option<&str> {
        self.client_secret.as_deref()
    }

    /// The token file as JSON.
    pub(crate) fn tokens(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.token_file()).unwrap()).unwrap()
    }

    /// Whether AWeber accepts the refresh token on disk, or the access token of OAuth 1.0a.
    pub(crate) fn token_is_live(&self) -> bool {
        let tokens = self.tokens();
        if tokens.get("access_token_secret").is_some() {
            let token = tokens["access_token"].as_str().unwrap();
            return self.sandbox.with(|world| world.is_live_signed_token(token));
        }
        let token = tokens["refresh_token"].as_str().unwrap();
        self.sandbox
            .with(|world| world.is_live_refresh_token(token))
    }

    /// The binary with a cleared environment, short waits, and the sandbox as AWeber.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.directory.path())
            .env("PATH", "/usr/bin:/bin")
            .env("AWEBER_API_URL", self.sandbox.api_url())
            .env("AWEBER_AUTH_URL", self.sandbox.auth_url())
            .env("AWEBER_SYNC_STATE_DIR", self.state_dir())
            .env("AWEBER_SYNC_RETRY_WAIT", "1ms")
            .env("AWEBER_SYNC_RATE_LIMIT_WAIT", "5ms")
            .env("AWEBER_SYNC_TIMEOUT", "5s")
            .env("AWEBER_SYNC_REQUESTS_PER_MINUTE", "1000000")
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.has_token_command() {
            command.env("AWEBER_SYNC_TOKEN_COMMAND", self.token_command());
        }
        command
    }

    /// `aweber-sync run` with arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.finish(self.command(&[&["run"], arguments].concat()))
    }

    /// As [`Site::run`]; must exit with 0.
    pub(crate) fn run_ok(&self, arguments: &[&str]) -> Done {
        let done = self.run(arguments);
        done.exits(0);
        done
    }

    /// Runs a command to its end.
    pub(crate) fn finish(&self, mut command: Command) -> Done {
        let child = command.spawn().unwrap();
        self.wait(child)
    }

    /// Runs a command to its end with `input` on standard input.
    pub(crate) fn finish_with_input(&self, mut command: Command, input: &str) -> Done {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        // The program may exit without reading, which breaks the pipe; its exit code tells the rest.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        self.wait(child)
    }

    /// Waits for a process that was started with [`Site::command`].
    pub(crate) fn wait(&self, child: Child) -> Done {
        self.read(child.wait_with_output().unwrap())
    }

    fn read(&self, output: Output) -> Done {
        let code = output
            .status
            .code()
            .unwrap_or_else(|| 128 + output.status.signal().unwrap());
        let done = Done {
            code,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            label: String::new(),
            directory: self.directory.path().to_owned(),
            sandbox: Arc::downgrade(&self.sandbox),
        };
        self.search_for_secrets(&done);
        done
    }

    /// Asserts that the output contains no secret that the sandbox granted or received.
    fn search_for_secrets(&self, done: &Done) {
        for secret in self.sandbox.with(|world| world.secrets()) {
            assert!(!secret.is_empty());
            for (name, text) in [("stdout", &done.stdout), ("stderr", &done.stderr)] {
                assert!(
                    !text.contains(&secret),
                    "{name} shows the secret {secret}:\n{text}"
                );
            }
        }
    }

    /// The published files of the default output, by name.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        published(&self.exports())
    }

    /// All records of the default output.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.files()
            .iter()
            .flat_map(|file| read_csv(file))
            .collect()
    }

    /// The addresses in the default output, sorted, with duplicates.
    pub(crate) fn emails(&self) -> Vec<String> {
        sorted(self.rows().into_iter().map(|row| row["email"].clone()))
    }

    pub(crate) fn requests(&self) -> usize {
        self.sandbox.with(|world| world.requests.len())
    }

    pub(crate) fn forget_requests(&self) {
        self.sandbox.with(|world| world.clear_requests());
    }
}

/// The subscribed addresses of these lists, sorted.
pub(crate) fn subscribed(site: &Site, lists: &[u64]) -> Vec<String> {
    site.sandbox.with(|world| {
        sorted(lists.iter().flat_map(|list| {
            world
                .subscribers(*list)
                .filter(|subscriber| subscriber.status == aweber_sandbox::Status::Subscribed)
                .map(|subscriber| subscriber.email.clone())
                .collect::<Vec<_>>()
        }))
    })
}

/// Sorted, with duplicates.
pub(crate) fn sorted(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.into_iter().collect();
    texts.sort();
    texts
}

/// The published files in a directory, by name; stage files and markers are hidden.
pub(crate) fn published(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
        .collect();
    files.sort();
    files
}

/// The records of a CSV file; each must be as long as the header.
pub(crate) fn read_csv(file: &Path) -> Vec<Row> {
    parse_csv(&std::fs::read_to_string(file).unwrap())
}

/// As [`read_csv`], from text.
pub(crate) fn parse_csv(text: &str) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let to_row = |record: csv::StringRecord| -> Row {
        header
            .iter()
            .map(str::to_owned)
            .zip(record.iter().map(str::to_owned))
            .collect()
    };
    reader
        .records()
        .map(|record| to_row(record.unwrap()))
        .collect()
}

/// All files below a directory.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Writes a file of 0600.
pub(crate) fn write_private(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
    set_mode(path, 0o600);
}

/// Permission bits of a path, not following symlinks.
pub(crate) fn mode(path: &Path) -> u32 {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    metadata.permissions().mode() & 0o7777
}

/// Sets the permission bits of a path.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}
