//! Ledgers of version 1, made by the program as it was before it knew departures: `fixtures/ledger-v1` has their content as
//! SQL, and the files beside them. They are upgraded without a row lost or doubled, whatever had happened before.

use crate::support::calendar::{add_readers, at, reader};
use crate::support::interrupt::{KillPoint, has_strace_with_paths};
use crate::support::{Row, Site, files_below, mode, read_csv, set_mode};
use aweber_sandbox::{ClientKind, Clock, Fault, FaultKind, Rotation, Settings};
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What version 1 was run with, with few columns so that the fixtures are small.
const OPTIONS: [&str; 4] = [
    "--status",
    "subscribed,unsubscribed",
    "--columns",
    "list_id,id,status,subscribed_at,unsubscribed_at",
];

/// AWeber's time when version 1 ran. The time in a ledger is that of the machine that made the fixtures, shortly after.
fn then() -> DateTime<Utc> {
    at("2026-11-26T04:00:00Z")
}

/// Days after [`then`].
fn later(days: i64) -> DateTime<Utc> {
    then() + TimeDelta::days(days)
}

/// A job as version 1 knew it.
struct OldJob {
    site: Site,
    news: u64,
    tips: u64,
    /// Of News, oldest first. Numbers 3 and 4 have left before [`then`].
    ids: Vec<u64>,
}

impl OldJob {
    fn new() -> OldJob {
        let settings = Settings {
            clock: Clock::Fixed(then()),
            rotation: Rotation::Tolerated,
            ..Settings::default()
        };
        let site = Site::with(ClientKind::Public, settings);
        let (news, tips) = (site.list("News"), site.list("Tips"));
        let ids = site.sandbox.with(|w| {
            let ids = add_readers(w, news, 130, later(-40), TimeDelta::hours(1));
            w.set_now(later(-20));
            w.unsubscribe(news, ids[3]);
            w.unsubscribe(news, ids[4]);
            w.set_now(then());
            ids
        });
        site.add(tips, reader("tips@example.com", later(-3)));
        OldJob {
            site,
            news,
            tips,
            ids,
        }
    }
}

/// What had happened when the ledger was copied.
const FIXTURES: [&str; 5] = [
    // All was published.
    "settled",
    // Stopped after the first page of News, whose rows are in an open batch.
    "open",
    // Killed before the rename that publishes the batch.
    "ready",
    // Killed before the first write into the growing file.
    "appending",
    // Stopped after News; its rows are in an open batch for the growing file.
    "open-growing",
];

/// The job that the fixture was made of.
fn restored(name: &str) -> OldJob {
    let job = OldJob::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/ledger-v1")
        .join(name);
    let root = job.site.path("");
    let root = root.to_str().unwrap().trim_end_matches('/');
    let sql = std::fs::read_to_string(fixture.join("ledger.sql")).unwrap();
    Connection::open(job.site.ledger_file())
        .unwrap()
        .execute_batch(&sql.replace("@SITE@", root))
        .unwrap();
    set_mode(&job.site.ledger_file(), 0o600);
    let files = fixture.join("files");
    for file in files_below(&files) {
        let to = job
            .site
            .path(file.strip_prefix(&files).unwrap().to_str().unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, &to).unwrap();
        set_mode(&to, 0o600);
    }
    if job.site.exports().exists() {
        set_mode(&job.site.exports(), 0o700);
    }
    if let Ok(file) = job.site.path("grown.csv").metadata() {
        // The ledger knows the file that was being appended to by these.
        let changed = file.mtime() * 1_000_000_000 + file.mtime_nsec();
        job.site
            .ledger()
            .execute(
                "UPDATE meta SET value = json_set(value, '$.device', ?1, '$.inode', ?2, '$.changed', ?3)
                 WHERE key = 'appending_to'",
                [file.dev() as i64, file.ino() as i64, changed],
            )
            .unwrap();
    }
    job
}

impl OldJob {
    fn arguments(&self, name: &str, more: &[&'static str]) -> Vec<&'static str> {
        let mut arguments = OPTIONS.to_vec();
        if ["appending", "open-growing"].contains(&name) {
            arguments.extend(["--output", "grown.csv"]);
        }
        arguments.extend(more);
        arguments
    }

    /// The ids in the published rows with that status, sorted, repeats kept.
    fn published(&self, status: &str) -> Vec<u64> {
        let mut rows: Vec<Row> = self.site.rows();
        let grown = self.site.path("grown.csv");
        if grown.exists() {
            rows.extend(read_csv(&grown));
        }
        let rows = rows.iter().filter(|row| row["status"] == status);
        let mut ids: Vec<u64> = rows.map(|row| row["id"].parse().unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    /// Asserts that each subscription and the unsubscriptions of these were exported once.
    fn assert_once(&self, what: &str, gone: &[u64]) {
        let (news, tips) = (self.news, self.tips);
        let mut came: Vec<u64> = self.site.sandbox.with(|w| {
            let all = w.subscribers(news).chain(w.subscribers(tips));
            all.map(|one| one.id).collect()
        });
        // Those had left before they were exported.
        came.retain(|id| ![self.ids[3], self.ids[4]].contains(id));
        came.sort_unstable();
        let mut gone = gone.to_vec();
        gone.sort_unstable();
        assert_eq!(self.published("subscribed"), came, "{what}");
        assert_eq!(self.published("unsubscribed"), gone, "{what}");
    }

    fn unsubscribe(&self, days: i64, ids: &[u64]) {
        self.site.set_now(later(days));
        self.site
            .sandbox
            .with(|w| ids.iter().for_each(|id| w.unsubscribe(self.news, *id)));
    }

    fn version(&self) -> i64 {
        let ledger = self.site.ledger();
        ledger
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    }

    /// The copy of the old ledger.
    fn copy(&self) -> PathBuf {
        self.site.ledger_file().with_extension("sqlite3.v1")
    }
}

#[test]
fn an_upgrade_loses_and_doubles_no_row() {
    for name in FIXTURES {
        let job = restored(name);
        let [a, b] = [job.ids[3], job.ids[4]];
        // One whom version 1 exported as subscribed has left; one more will.
        job.unsubscribe(1, &job.ids[..1]);
        job.site.run_ok(&job.arguments(name, &[]));
        let mut gone = vec![a, b, job.ids[0]];
        job.assert_once(name, &gone);
        job.unsubscribe(3, &job.ids[7..8]);
        gone.push(job.ids[7]);
        for more in [&[][..], &[], &["--full"]] {
            job.site.run_ok(&job.arguments(name, more));
            job.assert_once(&format!("{name} {more:?}"), &gone);
        }
        assert_eq!(job.version(), 2, "{name}");
        assert!(!job.copy().exists(), "{name}");
    }
}

#[test]
fn a_batch_of_version_1_that_is_lost_is_fetched_again_with_its_departures() {
    for name in ["open", "ready", "appending", "open-growing"] {
        let job = restored(name);
        for file in files_below(&job.site.path("")) {
            if file
                .extension()
                .is_some_and(|end| end == "part" || end == "ready")
            {
                std::fs::remove_file(file).unwrap();
            }
        }
        job.site.run_ok(&job.arguments(name, &[]));
        job.assert_once(name, &[job.ids[3], job.ids[4]]);
    }
}

#[test]
fn status_and_a_dry_run_read_version_1_and_leave_it_as_it_is() {
    for name in FIXTURES {
        let job = restored(name);
        job.unsubscribe(1, &job.ids[..1]);
        let before = std::fs::read(job.site.ledger_file()).unwrap();
        let status = job.site.finish(job.site.command(&["status", "--json"]));
        let status: serde_json::Value = serde_json::from_str(&status.exits(0).stdout).unwrap();
        assert_eq!(status["lists"][0]["id"], job.news, "{name}");
        assert!(status["lists"][0]["unsubscriptions"].is_null());
        let dry = job.site.run_ok(&job.arguments(name, &["--dry-run", "-v"]));
        if name == "settled" {
            dry.says("1 unsubscription would be exported (dry run) (News 1)");
        }
        let after = std::fs::read(job.site.ledger_file()).unwrap();
        assert!(before == after, "{name}: the ledger was changed");
        assert!(!job.copy().exists());
    }
}

#[test]
fn the_old_ledger_is_kept_until_a_run_has_succeeded() {
    let job = restored("settled");
    let old = std::fs::read(job.site.ledger_file()).unwrap();
    job.site.sandbox.with(|w| {
        let fault = Fault::on("/subscribers").always();
        w.fault(fault.answer(FaultKind::html(503)));
    });
    for _ in 0..2 {
        job.site.run(&job.arguments("settled", &[])).exits(69);
        assert_eq!(job.version(), 2);
        assert!(std::fs::read(job.copy()).unwrap() == old);
        assert_eq!(mode(&job.copy()), 0o600);
    }
    job.site.sandbox.with(|w| w.clear_faults());
    job.site.run_ok(&job.arguments("settled", &["--dry-run"]));
    assert!(job.copy().exists());
    job.site.run_ok(&job.arguments("settled", &[]));
    assert!(!job.copy().exists());
}

#[test]
fn a_run_killed_in_the_upgrade_leaves_the_old_version_or_the_new_one() {
    if !has_strace_with_paths() {
        return;
    }
    let mut versions = BTreeMap::new();
    for call in ["fsync", "pwrite64", "rename", "unlink"] {
        for nth in 1..40 {
            let job = restored("settled");
            job.unsubscribe(1, &job.ids[..1]);
            let killed = job.site.run_killed(
                &job.arguments("settled", &[]),
                KillPoint {
                    call,
                    nth,
                    on: None,
                },
            );
            let ledger = job.site.ledger();
            let whole: String = ledger
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(whole, "ok");
            let tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('list', 'batch_list')";
            let old: i64 = ledger.query_row(tables, [], |row| row.get(0)).unwrap();
            let version = job.version();
            assert_eq!(old, if version == 1 { 2 } else { 0 }, "{killed}");
            job.site.run_ok(&job.arguments("settled", &[]));
            let what = format!("killed before {call} {nth}");
            job.assert_once(&what, &[job.ids[0], job.ids[3], job.ids[4]]);
            let left = files_below(&job.site.state_dir()).into_iter();
            let left: Vec<_> = left
                .filter(|file| {
                    let name = file.file_name().unwrap().to_string_lossy().into_owned();
                    [".v1", ".tmp", "-journal"]
                        .iter()
                        .any(|end| name.ends_with(end))
                })
                .collect();
            assert!(left.is_empty(), "{what}: {left:?}");
            *versions.entry(version).or_insert(0) += 1;
            // Later calls have nothing to do with the upgrade.
            if version == 2 || killed.code == 0 {
                break;
            }
        }
    }
    assert!(versions[&1] >= 5 && versions[&2] >= 3, "{versions:?}");
}

#[test]
fn a_ledger_of_version_1_with_unknown_progress_is_refused_unchanged() {
    let job = restored("settled");
    job.site
        .ledger()
        .execute("UPDATE list SET progress = '?'", [])
        .unwrap();
    let before = std::fs::read(job.site.ledger_file()).unwrap();
    job.site.forget_requests();
    job.site
        .run(&job.arguments("settled", &[]))
        .exits(74)
        .says("is damaged: progress of list");
    assert_eq!(job.site.requests(), 0);
    assert!(std::fs::read(job.site.ledger_file()).unwrap() == before);
}

#[test]
fn forget_upgrades_too_and_forgets_what_version_1_exported_as_unsubscribed() {
    let job = restored("settled");
    let list = job.news.to_string();
    job.site
        .finish(job.site.command(&["forget", "--list", &list]))
        .exits(0)
        .prints("Forgotten: 130 subscriptions of list ");
    assert_eq!(job.version(), 2);
    job.site.run_ok(&job.arguments("settled", &[]));
    let gone = [job.ids[3], job.ids[3], job.ids[4], job.ids[4]];
    assert_eq!(job.published("unsubscribed"), gone);
}

/// A job whose machine had its clock that many days ahead, by these columns of the batch.
fn published_ahead_of_time(days: i64, columns: &[&str]) -> OldJob {
    let job = restored("settled");
    for column in columns {
        let sql = format!("UPDATE batch SET {column} = {column} + ?1");
        job.site.ledger().execute(&sql, [86_400 * days]).unwrap();
    }
    job
}

#[test]
fn a_departure_is_exported_if_version_1_ran_with_its_clock_ahead() {
    for columns in [&["named_at"][..], &["named_at", "published_at"]] {
        let job = published_ahead_of_time(90, columns);
        job.unsubscribe(1, &job.ids[..1]);
        job.site.run_ok(&job.arguments("settled", &[]));
        job.assert_once(&columns.concat(), &[job.ids[0], job.ids[3], job.ids[4]]);
    }
}

#[test]
fn a_departure_without_a_time_is_exported_if_version_1_exported_subscribers_only() {
    let job = restored("settled");
    job.site
        .ledger()
        .execute_batch(
            "UPDATE list SET progress = replace(progress, ',\"unsubscribed\"', ''),
                 settled = replace(settled, ',\"unsubscribed\"', '')",
        )
        .unwrap();
    job.unsubscribe(1, &job.ids[..1]);
    job.site.sandbox.with(|w| {
        let subscriber = w.subscriber_mut(job.news, job.ids[0]).unwrap();
        subscriber.remove_field("unsubscribed_at");
    });
    job.site.run_ok(&job.arguments("settled", &[]));
    assert!(job.published("unsubscribed").contains(&job.ids[0]));
}
