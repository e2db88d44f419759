//! The refresh tokens (or access tokens of OAuth 1.0a) that a site has stored, compared with those that AWeber accepts.

use crate::scenario::TEMPORARY;
use crate::support::token::refresh_token_in;
use crate::support::{Site, files_below};
use std::path::PathBuf;

/// The token that the next request for tokens sends, unless a newer one was left to be recovered.
pub(crate) fn current_token(site: &Site) -> Option<String> {
    refresh_token_in(&site.token_file())
}

/// Whether AWeber accepts it.
pub(crate) fn works(site: &Site, token: &str) -> bool {
    site.sandbox
        .with(|world| world.is_live_refresh_token(token) || world.is_live_signed_token(token))
}

/// Whether any stored token works.
pub(crate) fn has_working_token(site: &Site) -> bool {
    stored_tokens(site).iter().any(|token| works(site, token))
}

/// The tokens in all files in which the next command looks for them, and in those set aside for people.
pub(crate) fn stored_tokens(site: &Site) -> Vec<String> {
    let files = token_files(site);
    files
        .iter()
        .filter_map(|file| refresh_token_in(file))
        .collect()
}

/// Whether a token is in one of these files, also in an answer that could not be parsed.
pub(crate) fn is_on_disk(site: &Site, token: &str) -> bool {
    let contains = |file: &PathBuf| {
        let content = std::fs::read(file).unwrap_or_default();
        String::from_utf8_lossy(&content).contains(token)
    };
    token_files(site).iter().any(contains)
}

/// What was set aside for people: tokens that could not be put in force, and answers that could not be parsed.
pub(crate) fn rescued_files(site: &Site) -> Vec<PathBuf> {
    let is_rescued = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("token.json") && name.contains(".rescued")
    };
    let mut files = match site.state_dir().exists() {
        true => files_below(&site.state_dir()),
        false => Vec::new(),
    };
    files.retain(is_rescued);
    files
}

fn token_files(site: &Site) -> Vec<PathBuf> {
    let suffixes = [
        ".next",
        ".next.tmp",
        ".candidate",
        ".candidate.next",
        ".candidate.next.tmp",
    ];
    let mut files = suffixes.map(|suffix| site.beside_token(suffix)).to_vec();
    files.push(site.token_file());
    // Written here when the token's own directory cannot be written.
    files.extend(files_below(&site.path(TEMPORARY)));
    files.extend(rescued_files(site));
    files
}
