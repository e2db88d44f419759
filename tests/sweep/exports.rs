//! The published rows and the files of a site, compared with a job that was never disturbed.

use crate::scenario::GROWING_FILE;
use crate::support::{Site, files_below, read_csv, sorted};
use aweber_sandbox::Status;

/// The rows are as [`check_rows`] says, and no unfinished file is left.
pub(crate) fn check_exports_and_files(site: &Site) -> Result<(), String> {
    check_rows(site)?;
    let root = site.path("");
    let names = files_below(&root).into_iter().map(|file| {
        let name = file.strip_prefix(&root).unwrap();
        name.display().to_string()
    });
    let left: Vec<String> = names.filter(|name| !is_final(name)).collect();
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("files are left: {left:?}"))
    }
}

/// The published rows are those of all subscribed subscribers, once each.
pub(crate) fn check_rows(site: &Site) -> Result<(), String> {
    let mut rows = site.rows();
    let growing = site.path(GROWING_FILE);
    if growing.exists() {
        rows.extend(read_csv(&growing));
    }
    let published = sorted(
        rows.iter()
            .map(|row| format!("{} {} {}", row["list_id"], row["id"], row["email"])),
    );
    let expected = site.sandbox.with(|world| {
        let lists = world.lists().map(|list| list.id);
        let subscribed = lists.flat_map(|list| {
            let all = world.subscribers(list);
            let subscribed = all.filter(|one| one.status == Status::Subscribed);
            subscribed.map(move |one| format!("{list} {} {}", one.id, one.email))
        });
        sorted(subscribed)
    });
    if published == expected {
        Ok(())
    } else {
        let (rows, wanted) = (published.len(), expected.len());
        Err(format!("{rows} rows, which are not the {wanted} expected"))
    }
}

/// Whether an undisturbed job has such a file.
fn is_final(name: &str) -> bool {
    let is_export = name.starts_with("state/exports/subscribers-") && name.ends_with("Z.csv");
    let is_ledger = name.starts_with("state/ledger-") && name.ends_with(".sqlite3");
    let others = [
        "state/token.json",
        "state/token.json.lock",
        "state/token.json.requests",
        "state/lock",
        GROWING_FILE,
    ];
    is_export || is_ledger || others.contains(&name)
}
