//! Tokens behind `--token-command`: a shell script that keeps them in a file outside of the state directory, and can be
//! told to fail, hang or forget.

use super::Site;
use std::path::PathBuf;

/// `$HOOK` is run before each call; `$call` is its word, `$n` its number among the calls with that word.
const SCRIPT: &str = r#"#!/bin/sh
cd "${0%/*}" || exit 1
call=$1
echo "$call" >>calls
n=$(grep -c "^$call\$" calls)
get() { if [ -e tokens ]; then cat tokens; fi; }
store() { cat >new && sync new && mv new tokens && sync .; }
erase() { rm -f tokens; }
[ ! -e hook ] || . ./hook
"$call"
"#;

impl Site {
    /// Moves the tokens, if there are any, behind a command. [`Site::command`] and [`Site::token_file`] know of it.
    pub(crate) fn keep_tokens_by_command(&self) {
        let present = self.token_file();
        std::fs::create_dir(self.path("vault")).unwrap();
        std::fs::write(self.vault("store.sh"), SCRIPT).unwrap();
        if present.exists() {
            std::fs::rename(present, self.vault("tokens")).unwrap();
        }
    }

    /// The tokens are behind a command.
    pub(crate) fn has_token_command(&self) -> bool {
        self.vault("store.sh").exists()
    }

    /// The script's directory: `tokens`, `calls`, `hook`.
    pub(crate) fn vault(&self, name: &str) -> PathBuf {
        self.path("vault").join(name)
    }

    /// The command as configured.
    pub(crate) fn token_command(&self) -> String {
        format!("sh '{}'", self.vault("store.sh").display())
    }

    /// What the script does before each call from now on; forgets earlier calls.
    pub(crate) fn hook(&self, script: &str) {
        let _ = std::fs::remove_file(self.vault("calls"));
        std::fs::write(self.vault("hook"), script).unwrap();
    }

    /// The calls since the last hook, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.vault("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}
