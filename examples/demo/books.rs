//! What the job left behind, held against what the sandbox knows.

use crate::Result;
use aweber_sandbox::{Sandbox, Status};
use std::collections::BTreeMap;
use std::path::Path;

/// An exported record, by column.
pub(crate) type Row = BTreeMap<String, String>;

/// The file names in a directory, sorted, hidden ones too.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Every record of every published file, the files in the order of their names.
pub(crate) fn rows(exports: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for name in names(exports)? {
        if !name.starts_with('.') {
            for row in csv::Reader::from_path(exports.join(name))?.deserialize() {
                rows.push(row?);
            }
        }
    }
    Ok(rows)
}

/// The addresses, sorted; somebody exported twice stands twice.
pub(crate) fn addresses(rows: &[Row]) -> Vec<String> {
    let mut addresses: Vec<String> = rows.iter().map(|row| row["email"].clone()).collect();
    addresses.sort();
    addresses
}

/// The addresses of everybody who is subscribed according to the sandbox.
pub(crate) fn subscribed(sandbox: &Sandbox) -> Vec<String> {
    sandbox.with(|world| {
        let everybody = world.lists().flat_map(|list| list.subscribers());
        everybody
            .filter(|subscriber| subscriber.status == Status::Subscribed)
            .map(|subscriber| subscriber.email.clone())
            .collect()
    })
}

/// The refresh token in the token file.
pub(crate) fn refresh_token(state: &Path) -> Result<String> {
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(state.join("token.json"))?)?;
    let token = json["refresh_token"].as_str();
    Ok(token
        .ok_or("there is no refresh token in token.json")?
        .to_owned())
}
