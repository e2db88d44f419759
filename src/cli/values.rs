//! Parsers of single values: durations, file modes, and variables that are empty or hold several names.

use crate::record;
use clap::builder::{EnumValueParser, OsStr, PossibleValue, Resettable, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueEnum};
use std::time::Duration;

/// Treats empty variables as unset: an EnvironmentFile or a compose file sets them easily.
pub(super) fn ignore_empty_variables(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let empty = arg
                .get_env()
                .is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
            if empty {
                arg.env(Resettable::<OsStr>::Reset)
            } else {
                arg
            }
        })
        .mut_subcommands(ignore_empty_variables)
}

/// Splits values from a variable, as one CSV record. An option is not split: the name of a list may contain a comma.
pub(super) fn split_variable(values: &mut Vec<String>, matches: &ArgMatches, id: &str) {
    if matches.value_source(id) != Some(ValueSource::EnvVariable) {
        return;
    }
    *values = values.iter().flat_map(|text| record::split(text)).collect();
    if values.is_empty() {
        // Only commas: an empty name is an error later, while no name would mean all lists.
        values.push(String::new());
    }
}

/// As good as forever: a longer wait would overflow the clock.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Parses `90s`, `26h`, `1h 30m`; a bare number is in seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()).min(LONGEST));
    }
    humantime::parse_duration(text)
        .map(|duration| duration.min(LONGEST))
        .map_err(|e| format!("{e} (examples: 90s, 15m, 26h)"))
}

/// Parses a duration with its unit: as seconds, a bare `26` would make every job unhealthy.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    match text.trim().parse::<f64>() {
        Ok(_) => Err(format!("missing unit (for hours: {}h)", text.trim())),
        Err(_) => duration(text),
    }
}

/// Parses one of the words of `T`, with blanks around it: `subscribed, unconfirmed`.
#[derive(Clone, Debug)]
pub(super) struct Trimmed<T: ValueEnum + Clone + Send + Sync + 'static>(EnumValueParser<T>);

impl<T: ValueEnum + Clone + Send + Sync + 'static> Default for Trimmed<T> {
    fn default() -> Trimmed<T> {
        Trimmed(EnumValueParser::new())
    }
}

impl<T: ValueEnum + Clone + Send + Sync + 'static> TypedValueParser for Trimmed<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<T, clap::Error> {
        let trimmed = value.to_str().map_or(value, |text| text.trim().as_ref());
        self.0.parse_ref(command, arg, trimmed)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// Parses an octal file mode. The owner needs read and write permission, since a growing file is written again.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 && mode & 0o600 == 0o600 => Ok(mode),
        _ => Err("expected an octal mode that includes 0600 (examples: 0600, 0640)".to_owned()),
    }
}

/// Parses the character between the cells of csv, which must not occur in most cells.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" => Ok(b'\t'),
        [b'\t'] => Ok(b'\t'),
        [byte] if byte.is_ascii_punctuation() && *byte != b'"' => Ok(*byte),
        _ => Err(
            "expected one ASCII character such as , ; or |, not a quote, or the word tab".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_one_ascii_character_that_rarely_occurs_in_a_cell() {
        for (text, byte) in [
            (";", b';'),
            ("tab", b'\t'),
            ("\t", b'\t'),
            ("|", b'|'),
            (",", b','),
        ] {
            assert_eq!(delimiter(text), Ok(byte), "{text}");
        }
        for text in ["", "\"", "a", "7", "\r", "\n", " ", "\0", ";;", "é", "Tab"] {
            assert!(delimiter(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_and_modes_are_parsed_or_rejected() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("soon").is_err());
        assert_eq!(age("26"), Err("missing unit (for hours: 26h)".to_owned()));
        assert_eq!(age("26h"), Ok(Duration::from_secs(93_600)));
        for long in ["1000000000h", "4294967295"] {
            assert_eq!(duration(long), Ok(LONGEST), "{long}");
        }
        assert_eq!(mode("0640"), Ok(0o640));
        for bad in ["0400", "1777", "rw", "0888", ""] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }
}
