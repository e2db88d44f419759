//! A list that grows while runs export it, some of them killed: who came out, how often, and what lies around.

use super::interrupt::{HeldRun, KillPoint};
use super::{Done, Site, files_below, read_csv, sorted, subscribed};
use aweber_sandbox::{ClientKind, Rotation, Settings};
use rusqlite::Connection;
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The first line of every CSV file, as the contract has it.
pub(crate) const HEADER: &str = "list_id,list_name,id,email,name,status,subscribed_at,verified_at,is_verified,subscription_method,\
    subscription_url,ad_tracking,ip_address,country,region,city,postal_code,area_code,dma_code,latitude,longitude,tags,\
    custom_fields,misc_notes,last_followup_message_number_sent,last_followup_sent_at,unsubscribed_at,unsubscribe_method\n";

/// The kinds of `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputKind {
    Directory,
    File,
    Stdout,
}

/// One list and its exports.
pub(crate) struct Job {
    pub(crate) site: Site,
    pub(crate) list: u64,
    pub(crate) output: OutputKind,
    /// Addresses that came out of standard output, in that order.
    printed: Vec<String>,
    /// Those printed by a run that did not end well: they may come again.
    printed_by_failed_runs: BTreeSet<String>,
}

/// The batch of the highest number, as the ledger has it.
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
    /// An empty list. A refresh token lost to a kill is another promise's business: the old one goes on working.
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

    /// More people sign up.
    pub(crate) fn add_subscribers(&self, count: usize) {
        self.site
            .sandbox
            .with(|world| world.add_subscribers(self.list, count));
    }

    /// The arguments of `run`.
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

    /// A run, whatever becomes of it.
    pub(crate) fn run(&mut self) -> Done {
        let done = self.site.run(self.arguments());
        self.record_output(&done);
        done
    }

    /// A run that must end well.
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

    /// Takes note of what a run has printed.
    pub(crate) fn record_output(&mut self, done: &Done) {
        if self.output != OutputKind::Stdout {
            done.prints_nothing();
            return;
        }
        // A kill may have torn the last line; no cell of this list holds a line break.
        let whole = done.stdout.rfind('\n').map_or(0, |end| end + 1);
        for row in super::parse_csv(&done.stdout[..whole]) {
            if done.code != 0 {
                self.printed_by_failed_runs.insert(row["email"].clone());
            }
            self.printed.push(row["email"].clone());
        }
    }

    /// Everybody exported so far, sorted; whoever came out twice stands twice.
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
                // What a killed run has printed cannot be taken back: the documented exception.
                printed.dedup_by(|a, b| a == b && self.printed_by_failed_runs.contains(a));
                printed
            }
        }
    }

    /// Files of an unfinished batch, ledger or token, by name.
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

    /// Everybody subscribed is out, once, in whole records, and nothing unfinished lies around.
    pub(crate) fn assert_exported_once(&self, what: &str, done: &Done) {
        let exported = self.exported();
        let expected = subscribed(&self.site, &[self.list]);
        assert!(
            exported == expected,
            "{what}: {} of {} exported; lost or doubled: {:?}\n{done}",
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

    /// The ledger, to look at or to change.
    pub(crate) fn ledger(&self) -> Connection {
        self.site.ledger()
    }

    /// The state of the latest batch, if there is one and the ledger can be read just now.
    pub(crate) fn batch_state(&self) -> Option<String> {
        let sql = "SELECT state FROM batch ORDER BY id DESC LIMIT 1";
        self.ledger().query_row(sql, [], |row| row.get(0)).ok()
    }

    /// The latest batch.
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

    /// A batch of two pages out of three, checkpointed and left open.
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

    /// A run that waits for the third page of those subscribed.
    pub(crate) fn hold_at_third_page(&self) -> HeldRun {
        self.site.hold_on("status=subscribed", self.arguments(), 3)
    }

    /// The next run publishes what was left of those three pages, and fetches no more than what is missing.
    pub(crate) fn assert_resumes(&mut self, what: &str) -> Done {
        self.site.forget_requests();
        let done = self.run_ok();
        self.assert_exported_once(what, &done);
        // A refresh, the lists, the unconfirmed, the one page that is missing, the count.
        assert_eq!(self.site.requests(), 5, "{what}\n{done}");
        done
    }

    /// The batch is void: the next run fetches all three pages again, into one new batch.
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

    /// The next run ends with 73 before any request, and leaves tokens, batch and exports as they were.
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
    /// Every file but the ledger and the locks, with what is in it.
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

    /// The ledger, to look at or to change.
    pub(crate) fn ledger(&self) -> Connection {
        Connection::open(self.ledger_file()).unwrap()
    }
}

/// Who stands in one of two sorted lists more often than in the other.
fn difference(left: &[String], right: &[String]) -> Vec<String> {
    let count = |all: &[String], one: &String| all.iter().filter(|other| *other == one).count();
    let everybody: BTreeSet<&String> = left.iter().chain(right).collect();
    everybody
        .into_iter()
        .map(|one| (one, count(left, one), count(right, one)))
        .filter(|(_, left, right)| left != right)
        .map(|(one, left, right)| format!("{one}: {left} instead of {right}"))
        .take(10)
        .collect()
}

/// Writes behind what stands in a file, or into a new one.
pub(crate) fn append_bytes(file: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .unwrap();
    file.write_all(bytes).unwrap();
}

/// Takes bytes off the end of a file.
pub(crate) fn cut_bytes(file: &Path, by: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(file.metadata().unwrap().len() - by).unwrap();
}
