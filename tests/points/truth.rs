//! What must hold however a run ended: a token that works, and after the next run the rows and files of a job that was
//! never disturbed.

use super::scenario::{GROWN, TEMPORARY};
use crate::support::token::refresh_token_in;
use crate::support::{Site, files_below, read_csv, sorted};
use aweber_sandbox::Status;

/// Whether any file of the state directory that a later run looks at holds a refresh token that works.
pub(crate) fn live_token_on_disk(site: &Site) -> bool {
    let live = site.sandbox.with(|world| world.live_refresh_tokens());
    tokens_on_disk(site)
        .iter()
        .any(|token| live.contains(token))
}

/// The refresh tokens that work and that no later run would find.
pub(crate) fn live_tokens_elsewhere(site: &Site) -> Vec<String> {
    let on_disk = tokens_on_disk(site);
    let live = site.sandbox.with(|world| world.live_refresh_tokens());
    live.into_iter()
        .filter(|token| !on_disk.contains(token))
        .collect()
}

/// The refresh tokens in all files that a later run looks at.
fn tokens_on_disk(site: &Site) -> Vec<String> {
    let beside = ["", ".next", ".candidate", ".candidate.next"];
    let beside = beside.iter().map(|suffix| site.beside_token(suffix));
    // Copies that found room nowhere else.
    let elsewhere = files_below(&site.path(TEMPORARY));
    beside
        .chain(elsewhere)
        .filter_map(|file| refresh_token_in(&file))
        .collect()
}

/// The published rows are everybody subscribed, each once, and nothing unfinished lies around.
pub(crate) fn compare(site: &Site) -> Result<(), String> {
    compare_rows(site)?;
    let strays: Vec<String> = files_below(&site.path(""))
        .iter()
        .map(|file| {
            file.strip_prefix(site.path(""))
                .unwrap()
                .display()
                .to_string()
        })
        .filter(|name| !belongs(name))
        .collect();
    if strays.is_empty() {
        Ok(())
    } else {
        Err(format!("left behind: {strays:?}"))
    }
}

/// The published rows are everybody subscribed, each once.
pub(crate) fn compare_rows(site: &Site) -> Result<(), String> {
    let grown = site.path(GROWN);
    let mut rows = site.rows();
    if grown.exists() {
        rows.extend(read_csv(&grown));
    }
    let key = |list: &str, id: &str, email: &str| format!("{list} {id} {email}");
    let got = sorted(
        rows.iter()
            .map(|row| key(&row["list_id"], &row["id"], &row["email"])),
    );
    let wanted = site.sandbox.with(|world| {
        let lists: Vec<u64> = world.lists().map(|list| list.id).collect();
        let mut all = Vec::new();
        for list in lists {
            let readers = world
                .subscribers(list)
                .filter(|one| one.status == Status::Subscribed);
            all.extend(readers.map(|one| key(&list.to_string(), &one.id.to_string(), &one.email)));
        }
        sorted(all)
    });
    if got != wanted {
        return Err(format!("{} rows instead of {}", got.len(), wanted.len()));
    }
    Ok(())
}

/// The files of an undisturbed job.
fn belongs(name: &str) -> bool {
    let is_export = name.starts_with("state/exports/subscribers-") && name.ends_with("Z.csv");
    let is_ledger = name.starts_with("state/ledger-") && name.ends_with(".sqlite3");
    let plain = [
        "state/token.json",
        "state/token.json.lock",
        "state/lock",
        GROWN,
    ];
    is_export || is_ledger || plain.contains(&name)
}
