//! A command line that clap rejects, as an error like any other.

use super::common::LogFormat;
use crate::error::{Error, Kind};
use clap::Command;

/// 2: clap's message without its layout.
pub(super) fn error(error: &clap::Error, command: &Command) -> Error {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (what, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let what: Vec<&str> = what.split_whitespace().collect();
    let mut tips = rest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("tip: "));
    let name = std::env::args_os()
        .skip(1)
        .find_map(|argument| command.find_subcommand(argument))
        .map(Command::get_name);
    let help = match name {
        Some(name) => format!("aweber-sync {name} --help"),
        None => "aweber-sync --help".to_owned(),
    };
    Error::new(Kind::Usage, what.join(" "))
        .safe("nothing was changed and no token was spent")
        .next(match tips.next() {
            Some(tip) => format!("{tip}; {help}"),
            None => help,
        })
}

/// The format of log lines, if that part of the command line can be read.
pub(super) fn log_format(command: Command) -> Option<LogFormat> {
    let matches = command.ignore_errors(true).try_get_matches().ok()?;
    let of = |matches: &clap::ArgMatches| {
        let format = matches.try_get_one::<LogFormat>("log_format");
        format.ok().flatten().copied()
    };
    let own = matches.subcommand().and_then(|(_, own)| of(own));
    own.or_else(|| of(&matches))
}
