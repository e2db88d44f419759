//! The refresh tokens that a site has stored, compared with those that AWeber accepts.

use crate::scenario::TEMPORARY;
use crate::support::token::refresh_token_in;
use crate::support::{Site, files_below};

/// The token that the next request for tokens sends, unless a newer one was left to be recovered.
pub(crate) fn current_token(site: &Site) -> Option<String> {
    refresh_token_in(&site.token_file())
}

/// Whether AWeber accepts it.
pub(crate) fn works(site: &Site, token: &str) -> bool {
    site.sandbox
        .with(|world| world.is_live_refresh_token(token))
}

/// Whether any stored token works.
pub(crate) fn has_working_token(site: &Site) -> bool {
    stored_tokens(site).iter().any(|token| works(site, token))
}

/// The working tokens that are not stored.
pub(crate) fn lost_tokens(site: &Site) -> Vec<String> {
    let stored = stored_tokens(site);
    let mut live = site.sandbox.with(|world| world.live_refresh_tokens());
    live.retain(|token| !stored.contains(token));
    live
}

/// The tokens in all files in which the next command looks for them.
fn stored_tokens(site: &Site) -> Vec<String> {
    let suffixes = [
        "",
        ".next",
        ".next.tmp",
        ".candidate",
        ".candidate.next",
        ".candidate.next.tmp",
    ];
    let mut files = suffixes.map(|suffix| site.beside_token(suffix)).to_vec();
    // Written here when the token's own directory cannot be written.
    files.extend(files_below(&site.path(TEMPORARY)));
    files
        .iter()
        .filter_map(|file| refresh_token_in(file))
        .collect()
}
