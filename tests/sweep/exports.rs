//! The published rows and the files of a site, compared with a job that was never disturbed.

use crate::scenario::{CommandLine, GROWING_FILE, ROTATED_FILE};
use crate::setup::{CREDENTIALS, LIST, TRADED_CODE};
use crate::support::token::refresh_token_in;
use crate::support::{Row, Site, files_below, mode, read_csv, sorted};
use crate::tokens::{rescued_files, works};
use aweber_sandbox::Status;
use std::path::PathBuf;

/// No unfinished file is left, except tokens that were set aside and that AWeber no longer accepts, and, if `with_answers`,
/// answers that could not be parsed.
pub(crate) fn check_files(site: &Site, with_answers: bool) -> Result<(), String> {
    let rescued = rescued_files(site);
    let is_for_people = |file: &PathBuf| {
        rescued.contains(file)
            && match refresh_token_in(file) {
                Some(token) => !works(site, &token),
                None => with_answers,
            }
    };
    let root = site.path("");
    let names = files_below(&root)
        .into_iter()
        .filter(|file| !is_for_people(file))
        .map(|file| {
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

/// The published files have the mode that the command asks for.
pub(crate) fn check_modes(site: &Site, command: CommandLine) -> Result<(), String> {
    let wanted = command.output_mode();
    let growing = site.path(GROWING_FILE);
    let growing = growing.exists().then_some(growing);
    for file in site.files().into_iter().chain(growing) {
        let found = mode(&file);
        if found != wanted {
            let shown = file.display();
            return Err(format!("{shown} has mode {found:o} instead of {wanted:o}"));
        }
    }
    Ok(())
}

/// The published rows are those of all subscribed subscribers, once each.
pub(crate) fn check_rows(site: &Site) -> Result<(), String> {
    let (published, expected) = (published_rows(site), subscribed_rows(site));
    if published == expected {
        Ok(())
    } else {
        let (rows, wanted) = (published.len(), expected.len());
        Err(format!("{rows} rows, which are not the {wanted} expected"))
    }
}

/// As [`check_rows`], where [`LIST`] was forgotten: its rows that had been `published` by then are there once more. If it
/// is not certain that it was forgotten, they need not be.
pub(crate) fn check_rows_after_forget(
    site: &Site,
    published: &[String],
    is_certain: bool,
) -> Result<(), String> {
    let list = site.sandbox.with(|world| {
        let list = world.lists().find(|list| list.name == LIST).unwrap();
        format!("{} ", list.id)
    });
    let expected = subscribed_rows(site);
    let forgotten = published.iter().filter(|row| row.starts_with(&list));
    let again = sorted(expected.iter().chain(forgotten).cloned());
    let found = published_rows(site);
    if found == again || (!is_certain && found == expected) {
        return Ok(());
    }
    let (rows, once, more) = (found.len(), expected.len(), again.len());
    Err(format!(
        "{rows} rows, which are neither the {once} of a list that is remembered nor the {more} of a forgotten one"
    ))
}

/// The published rows, sorted, repeats kept.
pub(crate) fn published_rows(site: &Site) -> Vec<String> {
    let mut rows = site.rows();
    for file in [GROWING_FILE, ROTATED_FILE].map(|name| site.path(name)) {
        if file.exists() {
            rows.extend(read_csv(&file));
        }
    }
    let text = |row: &Row| format!("{} {} {}", row["list_id"], row["id"], row["email"]);
    sorted(rows.iter().map(text))
}

fn subscribed_rows(site: &Site) -> Vec<String> {
    site.sandbox.with(|world| {
        let lists = world.lists().map(|list| list.id);
        let subscribed = lists.flat_map(|list| {
            let all = world.subscribers(list);
            let subscribed = all.filter(|one| one.status == Status::Subscribed);
            subscribed.map(move |one| format!("{list} {} {}", one.id, one.email))
        });
        sorted(subscribed)
    })
}

/// Whether an undisturbed job has such a file.
fn is_final(name: &str) -> bool {
    let is_export = name.starts_with("state/exports/subscribers-") && name.ends_with("Z.csv");
    let is_ledger = name.starts_with("state/ledger-") && name.ends_with(".sqlite3");
    let others = [
        "state/token.json",
        "state/token.json.lock",
        "state/token.json.requests",
        "state/token.json.stored",
        "state/lock",
        GROWING_FILE,
        ROTATED_FILE,
        CREDENTIALS,
        TRADED_CODE,
    ];
    // What belongs to the token command.
    is_export || is_ledger || name.starts_with("vault/") || others.contains(&name)
}
