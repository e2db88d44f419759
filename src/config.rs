//! From what was typed to what the program works with: paths, URLs and limits, all checked. Reads the
//! environment through the function it is given and looks at no file.

use crate::cli;
use crate::error::{Error, Kind, Result};
use crate::export::{CsvOptions, Format, Layout};
use crate::record;
use crate::rows::Column;
use crate::timestamp;
use chrono::NaiveDate;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::{Host, Url};

/// Looks up an environment variable; an empty one counts as unset.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The process's environment, empty variables left out.
pub(crate) fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Where the job keeps what must survive it.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// Holds the ledger, the lock and (by default) the token file.
    pub(crate) state_dir: PathBuf,
    /// As named by the user; symlinks are resolved by the token store.
    pub(crate) token_file: PathBuf,
}

/// How to talk to AWeber.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// Origin of the API, path `/`.
    pub(crate) api: Url,
    /// Origin of the authorization server, path `/`.
    pub(crate) auth: Url,
    /// At most so many requests in any 60 s.
    pub(crate) requests_per_minute: u32,
    /// Wait after a 'Rate Limit Error'.
    pub(crate) rate_limit_wait: Duration,
    /// First wait after a failure, doubling.
    pub(crate) retry_wait: Duration,
    /// How long a server may stay silent.
    pub(crate) timeout: Duration,
}

impl Paths {
    /// From the options, `$STATE_DIRECTORY` (systemd), `$XDG_STATE_HOME` or `$HOME`, in that order.
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
        })
    }

    /// The run lock.
    pub(crate) fn lock(&self) -> PathBuf {
        self.state_dir.join("lock")
    }

    /// The ledger of one account.
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
    // The XDG specification: a relative path is to be ignored.
    if let Some(xdg) = env("XDG_STATE_HOME").map(PathBuf::from)
        && xdg.is_absolute()
    {
        return Ok(xdg.join("aweber-sync"));
    }
    match env("HOME") {
        Some(home) => Ok(PathBuf::from(home).join(".local/state/aweber-sync")),
        None => Err(Error::config("no place to keep the token: HOME is not set")
            .next("give --state-dir DIR or set AWEBER_SYNC_STATE_DIR")),
    }
}

/// An absolute path, `.` and `..` kept as they are, without asking the file system.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path)
        .map_err(|e| Error::config(format!("cannot make {} absolute: {e}", path.display())))
}

impl Network {
    /// Checks the URLs: https, or plain http to loopback only.
    pub(crate) fn new(common: &cli::Common, network: &cli::Network) -> Result<Network> {
        Ok(Network {
            api: origin("--api-url", &common.api_url)?,
            auth: origin("--auth-url", &common.auth_url)?,
            requests_per_minute: network.requests_per_minute,
            rate_limit_wait: network.rate_limit_wait,
            retry_wait: network.retry_wait,
            timeout: network.timeout.max(Duration::from_millis(1)),
        })
    }
}

/// An origin we may send a token to.
fn origin(option: &str, text: &str) -> Result<Url> {
    let bad = |why: &str| {
        Error::config(format!("{option} {text}: {why}"))
            .safe("no request was sent")
            .next(format!("leave {option} out for AWeber itself"))
    };
    let url = Url::parse(text.trim()).map_err(|e| bad(&e.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        // The text itself would put a password into the message.
        return Err(Error::config(format!(
            "{option}: a user name or password does not belong into it"
        )));
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(bad("a host is missing")),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return Err(bad(
                "plain http would show the token to the network; only https is allowed here",
            ));
        }
        _ => return Err(bad("only https is allowed here")),
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("scheme, host and port only: the path is ours"));
    }
    Ok(url)
}

/// `--since`: a day, or today by AWeber's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Since {
    /// Everything.
    Beginning,
    /// The day it is then.
    Today,
    /// That day.
    Day(NaiveDate),
}

impl Since {
    /// Errors: 2 for what is no day.
    pub(crate) fn parse(text: Option<&str>) -> Result<Since> {
        match text.map(str::trim) {
            None => Ok(Since::Beginning),
            Some("today") => Ok(Since::Today),
            Some(text) => timestamp::day(text).map(Since::Day).ok_or_else(|| {
                Error::new(Kind::Usage, format!("--since {text}: not a day"))
                    .next("write it as 2026-11-22, or today")
            }),
        }
    }

    /// The day, if there is one.
    pub(crate) fn day(self, today: NaiveDate) -> Option<NaiveDate> {
        match self {
            Since::Beginning => None,
            Since::Today => Some(today),
            Since::Day(day) => Some(day),
        }
    }
}

/// Format and columns as asked for. Errors: 2 for a column that does not exist.
pub(crate) fn layout(args: &cli::Run) -> Result<Layout> {
    if args.excel && args.format != Format::Csv {
        return Err(Error::new(
            Kind::Usage,
            "--excel goes with --format csv only",
        ));
    }
    let csv = CsvOptions { excel: args.excel };
    let layout = Layout::new(args.format, csv, None);
    let Some(text) = args.columns.as_deref() else {
        return Ok(layout);
    };
    if !layout.has_columns() {
        return Err(Error::new(
            Kind::Usage,
            "--columns goes with --format csv only: jsonl has every field",
        ));
    }
    let columns: Vec<Column> = record::split(text)
        .iter()
        .map(|name| Column::from_name(name).ok_or_else(|| unknown_column(name)))
        .collect::<Result<_>>()?;
    if columns.is_empty() {
        return Err(Error::new(Kind::Usage, "--columns names no column"));
    }
    Ok(Layout::new(args.format, csv, Some(columns)))
}

fn unknown_column(name: &str) -> Error {
    let names: Vec<String> = Column::all()
        .iter()
        .map(|column| column.name().into_owned())
        .collect();
    Error::new(
        Kind::Usage,
        format!("--columns: there is no column {name:?}"),
    )
    .next(format!(
        "choose from {}, and custom.NAME for a custom field",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn tokens_travel_by_https_or_over_loopback_only() {
        for good in [
            "https://api.aweber.com",
            "https://api.aweber.com/",
            "http://127.0.0.1:8080",
            "http://127.8.9.1",
            "http://[::1]:99",
            "http://localhost:1",
        ] {
            assert!(origin("--api-url", good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.aweber.com",
            "http://localhost.evil.example",
            "http://128.0.0.1",
            "ftp://localhost",
            "https://u:p@api.aweber.com",
            "https://api.aweber.com/1.0",
            "https://api.aweber.com?x=1",
            "api.aweber.com",
            "unix:/run/x",
            "",
        ] {
            assert!(origin("--api-url", bad).is_err(), "{bad}");
        }
    }
}
