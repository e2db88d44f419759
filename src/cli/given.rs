//! The options given as arguments that the next command needs again, to be repeated in messages. Those that come from the
//! environment apply again by themselves.

use super::commands::Authorize;
use super::common::Common;
use crate::typed::{Given, TOKEN_COMMAND};
use clap::ArgMatches;
use clap::parser::ValueSource;
use std::path::Path;

/// The options, in the order in which they are repeated.
pub(super) fn options(
    common: &Common,
    authorize: Option<&Authorize>,
    matches: &ArgMatches,
) -> Vec<Given> {
    let of_command = matches.subcommand().map(|(_, matches)| matches);
    let is_typed = |matches: &ArgMatches, id: &str| {
        let is_known = matches.try_contains_id(id).unwrap_or(false);
        is_known && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    let is_given =
        |id: &str| is_typed(matches, id) || of_command.is_some_and(|own| is_typed(own, id));
    let path = |path: &Option<_>| path.as_deref().map(absolute);
    let redirect_uri = authorize.map(|authorize| authorize.redirect_uri.clone());
    let oauth1 = authorize.is_some_and(|authorize| authorize.oauth1);
    let valued = [
        ("state_dir", "--state-dir", path(&common.state_dir)),
        ("token_file", "--token-file", path(&common.token_file)),
        ("token_command", TOKEN_COMMAND, common.token_command.clone()),
        ("api_url", "--api-url", Some(common.api_url.clone())),
        ("auth_url", "--auth-url", Some(common.auth_url.clone())),
        ("client_id", "--client-id", common.client_id.clone()),
        ("redirect_uri", "--redirect-uri", redirect_uri),
    ];
    let valued = valued
        .into_iter()
        .filter(|(id, _, value)| value.is_some() && is_given(id))
        .map(|(_, option, value)| (option, value));
    let oauth1 = (oauth1 && is_given("oauth1")).then_some(("--oauth1", None));
    valued.chain(oauth1).collect()
}

/// From whatever directory the next command is typed.
fn absolute(path: &Path) -> String {
    let absolute = std::path::absolute(path);
    absolute
        .as_deref()
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}
