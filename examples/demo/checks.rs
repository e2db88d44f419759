//! Compares what the program left on disk with the data in the sandbox.

use crate::Result;
use aweber_sandbox::{Sandbox, Status};
use std::collections::BTreeMap;
use std::path::Path;

/// An exported record, by column.
pub(crate) type Row = BTreeMap<String, String>;

/// Fails with `message` unless `condition` is true.
pub(crate) fn check(condition: bool, message: impl Into<String>) -> Result<()> {
    if condition {
        Ok(())
    } else {
        Err(message.into().into())
    }
}

/// Every published row, after checking that there are `expected` of them, no address twice, and every current
/// subscriber among them. Subscribers deleted since their export still have their row.
pub(crate) fn each_exported_once(
    exports: &Path,
    sandbox: &Sandbox,
    expected: usize,
) -> Result<Vec<Row>> {
    let rows = published_rows(exports)?;
    let mut exported = emails(&rows);
    exported.dedup();
    let duplicates = rows.len() - exported.len();
    check(duplicates == 0, format!("{duplicates} duplicate rows"))?;
    let mut missing = subscribed_emails(sandbox);
    missing.retain(|email| exported.binary_search(email).is_err());
    let some = &missing[..missing.len().min(5)];
    let message = format!("{} subscribers missing, among them {some:?}", missing.len());
    check(missing.is_empty(), message)?;
    let message = format!("{} rows instead of {expected}", rows.len());
    check(rows.len() == expected, message)?;
    Ok(rows)
}

/// Fails unless the sandbox accepts the refresh token in the token file.
pub(crate) fn stored_token_works(state: &Path, sandbox: &Sandbox) -> Result<()> {
    let token = stored_refresh_token(state)?;
    let is_live = sandbox.with(|world| world.is_live_refresh_token(&token));
    check(is_live, "AWeber rejects the refresh token on disk")
}

pub(crate) fn stored_refresh_token(state: &Path) -> Result<String> {
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(state.join("token.json"))?)?;
    let token = json["refresh_token"].as_str();
    Ok(token.ok_or("no refresh token in token.json")?.to_owned())
}

/// The names of all files in a directory, hidden ones too, sorted.
pub(crate) fn file_names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The address of each row, sorted.
pub(crate) fn emails(rows: &[Row]) -> Vec<String> {
    let mut emails: Vec<String> = rows.iter().map(|row| row["email"].clone()).collect();
    emails.sort();
    emails
}

/// The records of all published files, in the order of the file names.
fn published_rows(exports: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for name in file_names(exports)? {
        if !name.starts_with('.') {
            for row in csv::Reader::from_path(exports.join(name))?.deserialize() {
                rows.push(row?);
            }
        }
    }
    Ok(rows)
}

fn subscribed_emails(sandbox: &Sandbox) -> Vec<String> {
    sandbox.with(|world| {
        let subscribers = world.lists().flat_map(|list| list.subscribers());
        subscribers
            .filter(|subscriber| subscriber.status == Status::Subscribed)
            .map(|subscriber| subscriber.email.clone())
            .collect()
    })
}
