//! Commands in messages, as they have to be typed where the message is shown: with the options that this process was given
//! as arguments and that decide about state and tokens, and with `aweber-sync-as` in a systemd service of ours.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The commands that messages name.
const COMMANDS: [&str; 7] = [
    "authorize",
    "check",
    "forget",
    "lists",
    "revoke",
    "run",
    "status",
];

/// Options that only `authorize` needs again: the token file keeps the client.
const OF_AUTHORIZE: [&str; 3] = ["--client-id", "--redirect-uri", "--oauth1"];

/// The option that messages name by its variable.
pub(crate) const TOKEN_COMMAND: &str = "--token-command";

/// How messages begin a call of the token command.
const CALL: &str = "\"$AWEBER_SYNC_TOKEN_COMMAND ";

/// Global, because errors arise everywhere.
static TYPED: OnceLock<Typed> = OnceLock::new();

/// An option and its value, if it takes one.
pub(crate) type Given = (&'static str, Option<String>);

/// How a command is typed here.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    program: String,
    options: Vec<Given>,
}

impl Typed {
    /// For a process with these arguments. `state_directory`: where systemd started it for a service of ours, a plain
    /// `aweber-sync` would use the state of the user who types it.
    pub(crate) fn new(options: Vec<Given>, state_directory: Option<OsString>) -> Typed {
        let directory = state_directory.map(PathBuf::from);
        let name = directory
            .as_deref()
            .and_then(|path| path.file_name()?.to_str());
        let program = match name.and_then(|name| name.strip_prefix("aweber-sync")) {
            Some("") => "aweber-sync-as".to_owned(),
            Some(rest) if rest.starts_with('-') => format!("aweber-sync-as @{}", &rest[1..]),
            _ => "aweber-sync".to_owned(),
        };
        Typed { program, options }
    }

    /// Sets how this process names commands, once.
    pub(crate) fn set(self) {
        // A second call would be a mistake that changes nothing.
        let _ = TYPED.set(self);
    }

    /// Completes every command in `text`. One behind `sudo` is for another user.
    fn complete(&self, text: &str) -> String {
        if text.contains("sudo ") {
            return text.to_owned();
        }
        let text = self.with_token_command(text);
        let mut parts = text.split("aweber-sync ");
        let mut done = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part
                .find(|c: char| !c.is_ascii_lowercase())
                .unwrap_or(part.len());
            let (command, rest) = part.split_at(end);
            if !COMMANDS.contains(&command) {
                done += "aweber-sync ";
                done += part;
                continue;
            }
            done += &format!("{} {command}", self.program);
            let own = rest.split(';').next().unwrap_or(rest);
            for (option, value) in &self.options {
                let is_wanted = command == "authorize" || !OF_AUTHORIZE.contains(option);
                if is_wanted && !own.contains(option) {
                    done += &format!(" {option}");
                    done.extend(value.iter().map(|value| format!(" {}", quoted(value))));
                }
            }
            done += rest;
        }
        done
    }

    /// Without its variable the command itself is called.
    fn with_token_command(&self, text: &str) -> String {
        let command = self
            .options
            .iter()
            .find(|(option, _)| *option == TOKEN_COMMAND);
        let Some((_, Some(command))) = command else {
            return text.to_owned();
        };
        let mut parts = text.split(CALL);
        let mut done = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (word, rest) = part.split_once('"').unwrap_or((part, ""));
            done += &quoted(&format!("{command} {word}"));
            done += rest;
        }
        done
    }
}

/// `text` with every command in it as it has to be typed.
pub(crate) fn as_typed(text: &str) -> String {
    match TYPED.get() {
        Some(typed) => typed.complete(text),
        None => text.to_owned(),
    }
}

/// One word of a shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(options: &[(&'static str, Option<&str>)], service: &str, text: &str) -> String {
        let options = options.iter().map(|(o, v)| (*o, v.map(str::to_owned)));
        Typed::new(options.collect(), Some(service.into())).complete(text)
    }

    #[test]
    fn advice_in_a_service_names_its_account() {
        for (directory, next, expected) in [
            ("", "aweber-sync run", "aweber-sync run"),
            ("/x/aweber-sync", "aweber-sync run", "aweber-sync-as run"),
            (
                "/x/aweber-sync",
                "aweber-sync check, then aweber-sync forget",
                "aweber-sync-as check, then aweber-sync-as forget",
            ),
            (
                "/x/aweber-sync-acme",
                "repair it, then aweber-sync authorize --force",
                "repair it, then aweber-sync-as @acme authorize --force",
            ),
            ("/x/aweber-sync2", "aweber-sync run", "aweber-sync run"),
            (
                "/x/aweber-sync",
                "sudo -u x aweber-sync run",
                "sudo -u x aweber-sync run",
            ),
            (
                "/x/aweber-sync",
                "run aweber-sync again",
                "run aweber-sync again",
            ),
        ] {
            assert_eq!(completed(&[], directory, next), expected);
        }
    }

    #[test]
    fn given_options_are_repeated_and_quoted() {
        let state = ("--state-dir", Some("/my state/it's"));
        let client = ("--client-id", Some("c1"));
        let (oauth1, command) = (("--oauth1", None), (TOKEN_COMMAND, Some("vault 'a b'")));
        let shown = r"--state-dir '/my state/it'\''s'";
        for (options, next, expected) in [
            (
                &[state, client][..],
                "aweber-sync authorize, and paste the new code at once",
                format!("aweber-sync authorize {shown} --client-id c1, and paste the new code at once"),
            ),
            (
                &[client, state],
                "nothing; or aweber-sync run --full",
                format!("nothing; or aweber-sync run {shown} --full"),
            ),
            (
                &[state, oauth1],
                "aweber-sync authorize --state-dir DIR --oauth1; else: aweber-sync authorize --force",
                format!(
                    "aweber-sync authorize --state-dir DIR --oauth1; else: aweber-sync authorize {shown} --oauth1 --force"
                ),
            ),
            (
                &[command],
                "repair it (sh -c \"$AWEBER_SYNC_TOKEN_COMMAND get\" >/dev/null), then aweber-sync run",
                r"repair it (sh -c 'vault '\''a b'\'' get' >/dev/null), then aweber-sync run --token-command 'vault '\''a b'\'''"
                    .to_owned(),
            ),
            (&[state], "install the newer aweber-sync again", "install the newer aweber-sync again".to_owned()),
        ] {
            let once = completed(options, "", next);
            assert_eq!(once, expected);
            assert_eq!(completed(options, "", &once), expected, "completed twice");
        }
    }
}
