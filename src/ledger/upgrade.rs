//! From version 1, which knew one feed a list, to version 2. One transaction, so that a kill leaves the old version or
//! the new one; a copy of the old file is kept until a run has succeeded with the new one.
//!
//! What version 1 exported as unsubscribed it recorded as a subscription, like any other row. These rows stay where they
//! are, and [`Ledger::is_departure_of_version_1`] recognizes them by what `version_1` keeps; so the departures of a list
//! that had them begin anew, and find those that version 1 never saw.

use super::Ledger;
use super::errors::{damaged, failed};
use super::progress::Progress;
use crate::disk::{atomic, beside};
use crate::error::{Error, Result};
use crate::subscriber::Status;
use crate::subscriber::feed::Feed;
use rusqlite::params;
use std::path::{Path, PathBuf};

/// The version of the schema that this program writes.
pub(super) const SCHEMA_VERSION: i64 = 2;

/// The tables that version 1 does not have.
pub(super) const NEW_TABLES: &str = include_str!("schema_2.sql");

/// Where version 1 is kept.
fn copy_of(path: &Path) -> PathBuf {
    beside(path, ".v1")
}

/// Copies the ledger at `path`, which no connection may have open.
pub(super) fn keep_copy(path: &Path) -> Result<()> {
    atomic::copy_private(path, &copy_of(path)).map_err(|e| {
        Error::disk(
            "cannot make a copy, before its upgrade, of the ledger",
            path,
            &e,
        )
        .safe("the ledger was not changed; nothing was exported and no token was spent")
        .next("free some disk space and make the directory writable, then run again")
    })
}

/// Upgrades the file, in one transaction.
pub(super) fn upgrade(ledger: &mut Ledger) -> Result<()> {
    let cannot = |ledger: &Ledger, e: rusqlite::Error| failed(ledger.path(), &e);
    ledger.begin()?;
    let tables = ledger.connection.execute_batch(NEW_TABLES);
    tables.map_err(|e| cannot(ledger, e))?;
    fill_new_tables(ledger)?;
    let old =
        format!("DROP TABLE list; DROP TABLE batch_list; PRAGMA user_version = {SCHEMA_VERSION}");
    let dropped = ledger.connection.execute_batch(&old);
    dropped.map_err(|e| cannot(ledger, e))?;
    ledger.commit()?;
    tracing::info!(
        event = "ledger_upgraded",
        path = %ledger.path().display(),
        "the ledger was upgraded to version {SCHEMA_VERSION}; {} is kept until a run succeeds",
        copy_of(ledger.path()).display()
    );
    Ok(())
}

/// Makes the new tables for this connection only: `status` and a dry run read a ledger of version 1 as it will be.
pub(super) fn show_as_upgraded(ledger: &Ledger) -> Result<()> {
    let execute = |sql: &str| {
        let done = ledger.connection.execute_batch(sql);
        done.map_err(|e| failed(ledger.path(), &e))
    };
    // One transaction: a run may upgrade the file at any time.
    execute("PRAGMA temp_store = MEMORY; BEGIN")?;
    if ledger.exists("SELECT 1 FROM pragma_table_info('list')", [])? {
        execute(&NEW_TABLES.replace("CREATE TABLE", "CREATE TEMP TABLE"))?;
        fill_new_tables(ledger)?;
    }
    execute("COMMIT")
}

/// Fills the new tables from the old ones.
fn fill_new_tables(ledger: &Ledger) -> Result<()> {
    let lists = ledger.rows("SELECT id, progress, settled FROM list", [], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    let cannot = |e: rusqlite::Error| failed(ledger.path(), &e);
    let insert = "INSERT INTO feed (list, kind, progress, settled) VALUES (?1, ?2, ?3, ?4)";
    let known = "INSERT INTO version_1 (list, last_batch, aweber_time) VALUES (?1,
         (SELECT coalesce(max(id), 0) FROM batch),
         (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'aweber_time'))";
    for (list, progress, settled) in lists {
        let arrivals = |json: &str| {
            arrivals_only(json)
                .map_err(|e| damaged(ledger.path(), &format!("progress of list {list}: {e}")))
        };
        let row = params![
            list,
            Feed::Arrivals.word(),
            arrivals(&progress)?,
            arrivals(&settled)?
        ];
        ledger.connection.execute(insert, row).map_err(cannot)?;
        if has_departures(&progress) || has_departures(&settled) {
            ledger.connection.execute(known, [list]).map_err(cannot)?;
        }
    }
    let rows = "INSERT INTO batch_feed (batch, list, kind, rows) SELECT batch, list, ?1, rows FROM batch_list";
    let kind = Feed::Arrivals.word();
    ledger.connection.execute(rows, [kind]).map_err(cannot)?;
    Ok(())
}

/// Whether this progress of a list in version 1 is that of departures too.
fn has_departures(json: &str) -> bool {
    serde_json::from_str(json).is_ok_and(|list: Progress| {
        let walked = list.walk.map(|walk| walk.statuses);
        let mut statuses = list.statuses.into_iter().chain(walked).flatten();
        statuses.any(|one| one == Status::Unsubscribed)
    })
}

/// The progress of the arrivals, from that of a list in version 1.
fn arrivals_only(json: &str) -> serde_json::Result<String> {
    let list: Progress = serde_json::from_str(json)?;
    let arrivals = Progress {
        statuses: list
            .statuses
            .map(|statuses| Feed::Arrivals.statuses(&statuses)),
        // A walk that was for departures too went through another collection.
        walk: list
            .walk
            .filter(|walk| !walk.statuses.contains(&Status::Unsubscribed)),
        ..list
    };
    serde_json::to_string(&arrivals)
}

impl Ledger {
    /// Removes the copy of version 1, if there is one.
    pub(crate) fn remove_old_copy(&self) -> Result<()> {
        let copy = copy_of(self.path());
        atomic::remove_if_there(&copy).map_err(|e| {
            Error::disk(
                "cannot remove the copy, made before its upgrade, of the ledger",
                self.path(),
                &e,
            )
            .safe("the ledger itself holds nothing about this person any more")
            .next(format!("rm '{}'", copy.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_of_a_list_becomes_that_of_its_arrivals() {
        let walk = |statuses: &str| {
            format!(
                r#""walk":{{"statuses":[{statuses}],"start":3,"seen":3,"keys":[],"newest":null}}"#
            )
        };
        let both = r#""subscribed","unsubscribed""#;
        for (before, after) in [
            ("{}".to_owned(), "{}".to_owned()),
            (
                format!(r#"{{"since":"2026-11-01","statuses":[{both}],"mark":7,"again":true}}"#),
                r#"{"since":"2026-11-01","statuses":["subscribed"],"mark":7,"again":true}"#.into(),
            ),
            (
                r#"{"statuses":["unsubscribed"],"mark":7}"#.into(),
                r#"{"statuses":[],"mark":7}"#.into(),
            ),
            (format!("{{{}}}", walk(both)), "{}".into()),
            (
                format!("{{{}}}", walk(r#""subscribed""#)),
                format!("{{{}}}", walk(r#""subscribed""#)),
            ),
        ] {
            assert_eq!(arrivals_only(&before).unwrap(), after);
        }
        assert!(arrivals_only("?").is_err());
    }

    #[test]
    fn only_a_list_that_names_them_had_departures() {
        for (json, expected) in [
            ("{}", false),
            (r#"{"statuses":["subscribed"],"mark":7}"#, false),
            (r#"{"statuses":["subscribed","unsubscribed"]}"#, true),
            (
                r#"{"walk":{"statuses":["unsubscribed"],"start":3,"seen":3,"keys":[],"newest":null}}"#,
                true,
            ),
        ] {
            assert_eq!(has_departures(json), expected, "{json}");
        }
    }
}
