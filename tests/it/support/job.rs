//! A job that exports one growing list, with some runs killed: which subscribers were exported, how often, and which
//! files are left.

use super::interrupt::{HeldRun, KillPoint};
use super::{Done, Site, files_below, read_csv, sorted, subscribed};
use aweber_sandbox::{ClientKind, Rotation, Settings};
use rusqlite::Connection;
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The first line of every CSV file, as documented.
pub(crate) const HEADER: &str = "list_id,list_name,id,email,name,status,subscribed_at,verified_at,is_verified,subscription_method,\
    subscription_url,ad_tracking,ip_address,country,region,city,postal_code,area_code,dma_code,latitude,longitude,tags,\
    custom_fields,misc_notes,last_followup_message_number_sent,last_followup_sent_at,unsubscribed_at,unsubscribe_method\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputKind {
    Directory,
    File,
    Stdout,
}

/// A site with one list and one kind of output.
pub(crate) struct Job {
    pub(crate) site: Site,
    pub(crate) list: u64,
    pub(crate) output: OutputKind,
    /// Addresses printed on standard output, in order.
    printed: Vec<String>,
    /// Those printed by a run that failed: they may be printed again.
    printed_by_failed_runs: BTreeSet<String>,
}

/// The latest batch in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) id: i64,
    pub(crate) state: String,
    pub(crate) target: PathBuf,
    pub(crate) stage: PathBuf,
    pub(crate) marker: Option<PathBuf>,
    pub(crate) length: u64,
    pub(crate) rows: u64,
}

impl Job {
    /// With an empty list. Tokens lost to a kill are tested elsewhere: old refresh tokens stay valid here.
    pub(crate) fn new(output: OutputKind) -> Job {
        let settings = Settings {
            rotation: Rotation::Tolerated,
            ..Settings::default()
        };
        let site = Site::with(ClientKind::Public, settings);
        let list = site.sandbox.with(|world| world.add_list("Readers"));
        Job {
            site,
            list,
            output,
            printed: Vec::new(),
            printed_by_failed_runs: BTreeSet::new(),
        }
    }

    pub(crate) fn add_subscribers(&self, count: usize) {
        self.site
            .sandbox
            .with(|world| world.add_subscribers(self.list, count));
    }

    pub(crate) fn arguments(&self) -> &'static [&'static str] {
        match self.output {
            OutputKind::Directory => &[],
            OutputKind::File => &["--output", "grown.csv"],
            OutputKind::Stdout => &["--output", "-"],
        }
    }

    /// The growing file.
    pub(crate) fn file(&self) -> PathBuf {
        self.site.path("grown.csv")
    }

    /// A run with any exit code.
    pub(crate) fn run(&mut self) -> Done {
        let done = self.site.run(self.arguments());
        self.record_output(&done);
        done
    }

    /// A run that must succeed.
    pub(crate) fn run_ok(&mut self) -> Done {
        let done = self.run();
        done.exits(0);
        done
    }

    /// A run killed before that call.
    pub(crate) fn run_killed(&mut self, before: KillPoint<'_>) -> Done {
        let done = self.site.run_killed(self.arguments(), before);
        self.record_output(&done);
        done
    }

    /// Records the addresses that a run has printed.
    pub(crate) fn record_output(&mut self, done: &Done) {
        if self.output != OutputKind::Stdout {
            done.prints_nothing();
            return;
        }
        // A kill may have torn the last line; no cell of this list contains a line break.
        let whole = done.stdout.rfind('\n').map_or(0, |end| end + 1);
        for row in super::parse_csv(&done.stdout[..whole]) {
            if done.code != 0 {
                self.printed_by_failed_runs.insert(row["email"].clone());
            }
            self.printed.push(row["email"].clone());
        }
    }

    /// All exported addresses so far, sorted, with duplicates.
    pub(crate) fn exported(&self) -> Vec<String> {
        match self.output {
            OutputKind::Directory => self.site.emails(),
            OutputKind::File if self.file().exists() => sorted(
                read_csv(&self.file())
                    .into_iter()
                    .map(|row| row["email"].clone()),
            ),
            OutputKind::File => Vec::new(),
            OutputKind::Stdout => {
                let mut printed = sorted(self.printed.iter().cloned());
                // Rows printed by a killed run cannot be taken back: the documented exception.
                printed.dedup_by(|a, b| a == b && self.printed_by_failed_runs.contains(a));
                printed
            }
        }
    }

    /// Names of temporary files of a batch, the ledger or the token.
    pub(crate) fn unfinished_files(&self) -> Vec<String> {
        files_below(&self.site.path(""))
            .iter()
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .filter(|name| {
                [".part", ".ready", ".new", ".next", ".tmp", "-journal"]
                    .iter()
                    .any(|end| name.ends_with(end))
            })
            .collect()
    }

    /// Asserts that each subscribed address was exported once in whole records, and no unfinished file is left.
    pub(crate) fn assert_exported_once(&self, what: &str, done: &Done) {
        let exported = self.exported();
        let expected = subscribed(&self.site, &[self.list]);
        assert!(
            exported == expected,
            "{what}: {} of {} exported; lost or duplicated: {:?}\n{done}",
            exported.len(),
            expected.len(),
            difference(&exported, &expected)
        );
        assert_eq!(
            self.unfinished_files(),
            Vec::<String>::new(),
            "{what}\n{done}"
        );
    }

    pub(crate) fn ledger(&self) -> Connection {
        self.site.ledger()
    }

    /// The state of the latest batch; `None` without one or while the ledger is locked.
    pub(crate) fn batch_state(&self) -> Option<String> {
        let sql = "SELECT state FROM batch ORDER BY id DESC LIMIT 1";
        self.ledger().query_row(sql, [], |row| row.get(0)).ok()
    }

    pub(crate) fn batch(&self) -> Batch {
        let sql = "SELECT id, state, target, stage, marker, length, rows FROM batch ORDER BY id DESC LIMIT 1";
        self.ledger()
            .query_row(sql, [], |row| {
                Ok(Batch {
                    id: row.get(0)?,
                    state: row.get(1)?,
                    target: row.get::<_, String>(2)?.into(),
                    stage: row.get::<_, String>(3)?.into(),
                    marker: row.get::<_, Option<String>>(4)?.map(PathBuf::from),
                    length: row.get::<_, i64>(5)? as u64,
                    rows: row.get::<_, i64>(6)? as u64,
                })
            })
            .unwrap()
    }

    /// A job with an open batch of two pages out of three, with a checkpoint.
    pub(crate) fn with_open_batch(output: OutputKind) -> Job {
        let mut job = Job::new(output);
        job.add_subscribers(250);
        let held = job.hold_at_third_page();
        let (stopped, _) = job.site.stop(held, Signal::TERM);
        stopped.exits(143);
        job.record_output(&stopped);
        let batch = job.batch();
        assert_eq!((batch.state.as_str(), batch.rows), ("open", 199));
        assert_eq!(batch.stage.metadata().unwrap().len(), batch.length);
        job
    }

    /// A run held at the third page of subscribed readers.
    pub(crate) fn hold_at_third_page(&self) -> HeldRun {
        self.site.hold_on("status=subscribed", self.arguments(), 3)
    }

    /// Asserts that the next run publishes the rows of the open batch and fetches only what is missing.
    pub(crate) fn assert_resumes(&mut self, what: &str) -> Done {
        self.site.forget_requests();
        let done = self.run_ok();
        self.assert_exported_once(what, &done);
        // A refresh, the lists, the unconfirmed, the missing page, the count.
        assert_eq!(self.site.requests(), 5, "{what}\n{done}");
        done
    }

    /// Asserts that the batch is void: the next run fetches all three pages again into a new batch.
    pub(crate) fn assert_starts_over(&mut self, what: &str) -> Done {
        let id = self.batch().id;
        self.site.forget_requests();
        let done = self.run_ok();
        self.assert_exported_once(what, &done);
        assert_eq!(self.site.requests(), 7, "{what}\n{done}");
        let batch = self.batch();
        assert_eq!(
            (batch.id, batch.state.as_str(), batch.rows),
            (id + 1, "published", 250)
        );
        done
    }

    /// Asserts that the next run ends with 73 before any request and changes neither tokens nor batch nor exports.
    pub(crate) fn assert_next_run_refused(&mut self, message: &str) -> Done {
        let (batch, files) = (self.batch(), self.site.contents());
        self.site.forget_requests();
        let done = self.run();
        done.exits(73).says(message);
        assert_eq!(self.site.requests(), 0, "{done}");
        assert_eq!(self.batch(), batch);
        assert!(self.site.contents() == files, "{done}");
        done
    }
}

impl Site {
    /// All files except ledger and locks, with their content.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files_below(&self.path(""))
            .into_iter()
            .filter(|file| {
                let name = file.file_name().unwrap().to_string_lossy();
                !name.starts_with("ledger-") && !name.ends_with("lock")
            })
            .map(|file| (file.clone(), std::fs::read(file).unwrap()))
            .collect()
    }

    /// The ledger of the sandbox's account.
    pub(crate) fn ledger_file(&self) -> PathBuf {
        let account = self.sandbox.with(|world| world.account.id);
        self.state_dir().join(format!("ledger-{account}.sqlite3"))
    }

    /// The ledger, to query or to change.
    pub(crate) fn ledger(&self) -> Connection {
        Connection::open(self.ledger_file()).unwrap()
    }
}

/// The addresses whose number differs between two sorted lists.
fn difference(left: &[String], right: &[String]) -> Vec<String> {
    let count = |all: &[String], one: &String| all.iter().filter(|other| *other == one).count();
    let addresses: BTreeSet<&String> = left.iter().chain(right).collect();
    addresses
        .into_iter()
        .map(|one| (one, count(left, one), count(right, one)))
        .filter(|(_, left, right)| left != right)
        .map(|(one, left, right)| format!("{one}: {left} instead of {right}"))
        .take(10)
        .collect()
}

/// Appends to a file, or creates it.
pub(crate) fn append_bytes(file: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .unwrap();
    file.write_all(bytes).unwrap();
}

/// Truncates a file by `by` bytes.
pub(crate) fn cut_bytes(file: &Path, by: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() - by).unwrap();
}
