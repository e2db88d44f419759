//! The published rows and the files of a site, compared with a job that was never disturbed.

use crate::scenario::{CommandLine, GROWING_FILE, ROTATED_FILE, SHARED};
use crate::setup::{CREDENTIALS, LIST, TRADED_CODE};
use crate::support::token::refresh_token_in;
use crate::support::{Row, Site, files_below, mode, published, read_csv, sorted};
use crate::tokens::{rescued_files, works};
use aweber_sandbox::Status;
use std::path::PathBuf;

/// The default output, below the site's directory.
const EXPORTS: &str = "state/exports/";

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
    let shared = published(&site.path(SHARED));
    for file in site.files().into_iter().chain(shared).chain(growing) {
        let found = mode(&file);
        if found != wanted {
            let shown = file.display();
            return Err(format!("{shown} has mode {found:o} instead of {wanted:o}"));
        }
    }
    Ok(())
}

/// The published rows are those of all subscriptions and unsubscriptions, once each.
pub(crate) fn check_rows(site: &Site) -> Result<(), String> {
    let (published, expected) = (published_rows(site), expected_rows(site));
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
    let expected = expected_rows(site);
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
    let shared = published(&site.path(SHARED));
    rows.extend(shared.iter().flat_map(|file| read_csv(file)));
    for file in [GROWING_FILE, ROTATED_FILE].map(|name| site.path(name)) {
        if file.exists() {
            rows.extend(read_csv(&file));
        }
    }
    let text = |row: &Row| {
        ["list_id", "id", "email", "status"]
            .map(|name| row[name].as_str())
            .join(" ")
    };
    sorted(rows.iter().map(text))
}

/// People who have left were exported before as subscribed.
fn expected_rows(site: &Site) -> Vec<String> {
    site.sandbox.with(|world| {
        let lists = world.lists().map(|list| list.id);
        let all = lists.flat_map(|list| world.subscribers(list).map(move |one| (list, one)));
        let rows = all.flat_map(|(list, one)| {
            let statuses: &[&str] = match one.status {
                Status::Subscribed => &["subscribed"],
                Status::Unsubscribed => &["subscribed", "unsubscribed"],
                _ => &[],
            };
            let row = move |status| format!("{list} {} {} {status}", one.id, one.email);
            statuses.iter().map(row)
        });
        sorted(rows)
    })
}

/// Whether an undisturbed job has such a file.
fn is_final(name: &str) -> bool {
    let is_export = [EXPORTS, SHARED].into_iter().any(|directory| {
        let name = name.strip_prefix(directory);
        name.is_some_and(|name| name.starts_with("subscribers-") && name.ends_with("Z.csv"))
    });
    let is_ledger = name.starts_with("state/ledger-")
        && [".sqlite3", ".sqlite3.checked"]
            .iter()
            .any(|end| name.ends_with(end));
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
