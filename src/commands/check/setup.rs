//! The set-up, without the network: variables, paths, directories, tokens, ledger, output, room, locks, schedule. Uses
//! what a run uses, and changes nothing but the time of the token file, which is replaced by itself.

use super::environment::{check_paths, check_variables};
use super::finding::Findings;
use super::schedule;
use crate::api::transport::Transport;
use crate::batch::output::Output;
use crate::config::{self, aweber_variables, process_env};
use crate::disk::ownership;
use crate::error::{Error, Kind, Result};
use crate::ledger::Ledger;
use crate::locks::{Held, Locks};
use crate::stop::Stop;
use crate::subscriber::feed::Feed;
use crate::token::model::TokenFile;
use crate::token::store::TokenStore;
use std::path::{Path, PathBuf};

/// Less room than this is a warning, bytes.
const LITTLE_ROOM: u64 = 100 * 1024 * 1024;

/// How many remembered `--since` days are shown.
const SHOWN: usize = 5;

/// What the set-up has for the rest of the check.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) findings: Findings,
    /// The tokens to ask AWeber with, if they can be used.
    pub(super) tokens: Option<TokenFile>,
    pub(super) store: TokenStore,
    pub(super) ledger: Option<Ledger>,
    _locks: Option<Guard>,
}

/// The locks, held to the end of the check.
#[derive(Debug)]
enum Guard {
    AsFound(#[expect(dead_code, reason = "held until dropped")] Held),
    Recovered(#[expect(dead_code, reason = "held until dropped")] Locks),
}

/// Checks it. Errors: the state of the machine prevents the check itself.
pub(super) async fn check(config: &config::Check, stop: &mut Stop) -> Result<Setup> {
    let mut findings = Findings::default();
    let paths = &config.base.paths;
    check_variables(
        &aweber_variables(),
        &crate::cli::known_variables(),
        &mut findings,
    );
    let mut named: Vec<(&'static str, &Path)> = vec![
        ("--state-dir", &paths.state_dir),
        ("--token-file", &paths.token_file),
    ];
    if let Ok(run) = &config.run {
        named.extend(run.output.as_deref().map(|path| ("--output", path)));
    }
    check_paths(&named, &mut findings);
    let invalid = [config.run.as_ref().err(), config.watchers.as_ref().err()];
    for error in invalid.into_iter().flatten() {
        findings.failed("options", error.clone());
    }
    findings.take("certificates", Transport::new(&config.base.network));
    check_state_dir(&paths.state_dir, &mut findings);

    let store = TokenStore::new(paths)?;
    let locks = take_locks(config, &store, stop, &mut findings).await;
    let tokens = check_tokens(config, &store, locks.is_some(), &mut findings);
    let ledger = check_ledger(config, tokens.as_ref(), &mut findings);
    let mut setup = Setup {
        findings,
        tokens: tokens.filter(|_| locks.is_some()),
        store,
        ledger,
        _locks: locks,
    };
    setup.check_output(config);
    setup.check_schedule();
    Ok(setup)
}

fn check_state_dir(directory: &Path, findings: &mut Findings) {
    let shown = directory.display();
    if !directory.exists() {
        let parent = existing_parent(directory);
        let result = is_writable(&parent).map_err(|e| {
            Error::disk("cannot make the state directory in", &parent, &e)
                .next("make it yourself, owned by the user that runs the job, or give another --state-dir")
        });
        if findings.take("state", result).is_some() {
            findings.note("state", format!("{shown} does not exist yet"));
        }
        return;
    }
    if findings
        .take("state", ownership::check_directory(directory))
        .is_some()
    {
        let result = is_writable(directory).map_err(|e| {
            Error::disk("cannot write to the state directory", directory, &e)
                .next("make it writable for the user that runs the job")
        });
        if findings.take("state", result).is_some() {
            findings.good("state", format!("{shown} is this user's alone"));
        }
    }
    check_room(directory, findings);
}

/// The locks, as a run takes them: with `--refresh` what a killed run left of the tokens is finished, as on each start.
async fn take_locks(
    config: &config::Check,
    store: &TokenStore,
    stop: &mut Stop,
    findings: &mut Findings,
) -> Option<Guard> {
    let (paths, wait) = (&config.base.paths, config.base.lock_wait);
    if !paths.state_dir.is_dir() || !store.directory().is_dir() {
        return None;
    }
    let locks = match config.refresh {
        true => Locks::take(paths, wait, stop).await.map(Guard::Recovered),
        false => Held::take(paths, store, wait, stop)
            .await
            .map(Guard::AsFound),
    };
    let locks = findings.take("lock", locks)?;
    findings.good("lock", "free: no run is under way");
    Some(locks)
}

fn check_tokens(
    config: &config::Check,
    store: &TokenStore,
    is_locked: bool,
    findings: &mut Findings,
) -> Option<TokenFile> {
    let shown = store.name();
    let tokens = findings.take(
        "tokens",
        Locks::read_tokens(store, config.base.client.id.as_deref()),
    )?;
    let has_secret = config.base.client.secret.is_some() || tokens.client_secret.is_some();
    let kind = match (tokens.kind.is_oauth1(), has_secret) {
        (true, _) => "OAuth 1.0a",
        (false, true) => "confidential client",
        (false, false) => "public client",
    };
    let account = tokens.account_id.as_deref().unwrap_or("not known yet");
    findings.good("tokens", format!("{shown}: account {account}, {kind}"));
    if store.is_unfinished() {
        findings.note(
            "storing",
            "an earlier run left tokens half stored: the next run, or check --refresh, finishes that",
        );
    } else if is_locked
        && findings
            .take("storing", store.prepare().map(drop))
            .is_some()
    {
        findings.good(
            "storing",
            "the next tokens can be stored (rehearsed with the present ones)",
        );
    }
    Some(tokens)
}

fn check_ledger(
    config: &config::Check,
    tokens: Option<&TokenFile>,
    findings: &mut Findings,
) -> Option<Ledger> {
    let account = tokens?.account_id.as_deref()?;
    let path = config.base.paths.ledger(account);
    if !path.exists() {
        findings.note("ledger", "none yet: the first run begins one");
    }
    let ledger = findings.take("ledger", Ledger::open(&path, true))?;
    findings.take("ledger", ledger.check_whole())?;
    if path.exists() {
        let version = findings.take("ledger", ledger.version())?;
        findings.good("ledger", format!("whole, version {version}"));
    }
    note_since(&ledger, findings);
    Some(ledger)
}

/// The remembered `--since` of each list.
fn note_since(ledger: &Ledger, findings: &mut Findings) {
    let lists = ledger.list_histories(0, 1).unwrap_or_default();
    let remembered: Vec<String> = lists
        .iter()
        .filter_map(|list| {
            let since = ledger.progress(list.id, Feed::Arrivals).ok()?.since?;
            Some(format!("list {} from {since}", list.id))
        })
        .collect();
    if remembered.is_empty() {
        return;
    }
    let more = match remembered.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = remembered[..remembered.len().min(SHOWN)].join(", ");
    findings.note("since", format!("--since is remembered: {shown}{more}"));
}

impl Setup {
    /// The output as the options of `run` give it.
    fn check_output(&mut self, config: &config::Check) {
        let Ok(run) = &config.run else { return };
        let state_dir = &config.base.paths.state_dir;
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let settled = Output::settle(run.output.as_deref(), state_dir, &run.layout, ledger, true);
        let findings = &mut self.findings;
        match findings.take("output", settled) {
            None => {}
            Some(Output::Stdout) => findings.good("output", "standard output"),
            Some(Output::GrowingFile(path)) => {
                findings.good("output", format!("{}: one growing file", path.display()));
                check_room(&existing_parent(&path), findings);
            }
            Some(Output::Directory(path)) => {
                let parent = existing_parent(&path);
                let writable = is_writable(&parent).map_err(|e| {
                    Error::output("cannot make the output directory in", &parent, &e).next(
                        "make it writable for the user that runs the job, or give another --output",
                    )
                });
                if findings.take("output", writable).is_some() {
                    findings.good("output", format!("{}: one file a batch", path.display()));
                }
                check_room(&parent, findings);
            }
        }
    }

    fn check_schedule(&mut self) {
        let home = process_env("HOME").map(PathBuf::from);
        let found = schedule::find(home.as_deref());
        let text = match found.as_slice() {
            [] => "no timer or crontab found that this user can read".to_owned(),
            [one] => format!("{}", one.display()),
            [one, more @ ..] => format!("{} and {} more", one.display(), more.len()),
        };
        self.findings.note("schedule", text);
    }
}

/// Checks the room on the file system of a directory; file systems with enough room are reported once.
fn check_room(directory: &Path, findings: &mut Findings) {
    let Ok(found) = rustix::fs::statvfs(directory) else {
        return;
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let mb = free / 1_000_000;
    let shown = directory.display();
    match (free, found.f_favail) {
        (0, _) | (_, 0) if found.f_files > 0 || free == 0 => {
            let error = Error::new(
                Kind::LocalIo,
                format!("no space left on the file system of {shown}"),
            );
            findings.failed("room", error.next("free some disk space"));
        }
        _ if free < LITTLE_ROOM => {
            let text = format!("only {mb} MB free on the file system of {shown}");
            findings.warn("room", text, "free some disk space");
        }
        _ if findings.0.iter().any(|finding| finding.id == "room") => {}
        _ if mb < 10_000 => findings.good("room", format!("{mb} MB free")),
        _ => findings.good("room", format!("{} GB free", mb / 1000)),
    }
}

/// The path, or the nearest directory above it that exists.
fn existing_parent(path: &Path) -> PathBuf {
    let existing = path.ancestors().find(|parent| parent.is_dir());
    existing.unwrap_or(Path::new("/")).to_owned()
}

/// Asks the system instead of writing a file.
fn is_writable(path: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, access};
    access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(Into::into)
}
