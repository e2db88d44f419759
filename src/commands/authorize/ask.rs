//! Asking a person for the code, and showing where to get it.

use crate::commands::print;
use crate::error::{Error, Kind, Result};
use crate::stop::Stop;
use std::io::{self, BufRead, IsTerminal};
use std::process::{Command, Stdio};

/// How often a wrong paste is asked for again.
const AGAIN: u32 = 3;

/// A prompt on a terminal, else one line of standard input.
pub(super) struct Prompt {
    terminal: bool,
    /// How often it may still ask again.
    again: u32,
}

impl Prompt {
    /// Shows the URL, on a desktop in a browser too.
    pub(super) fn show(url: &url::Url) -> Result<Prompt> {
        let terminal = io::stdin().is_terminal();
        print(&format!(
            "Open this page in a browser, log in to AWeber and allow access:\n\n  {url}\n\n"
        ))?;
        if terminal {
            open_browser(url.as_str());
        }
        let again = AGAIN;
        Ok(Prompt { terminal, again })
    }

    /// Reads what the user pastes.
    pub(super) async fn read(&self, stop: &mut Stop) -> Result<String> {
        if self.terminal {
            print(
                "Paste the code that AWeber shows (or the whole address of the page you end on): ",
            )?;
        }
        // On another thread: our handlers catch Ctrl-C, and a blocked read would not notice.
        let reading = tokio::task::spawn_blocking(read_code);
        let line = tokio::select! {
            line = reading => line.unwrap_or_else(|e| {
                Err(Error::new(Kind::LocalIo, format!("cannot read the code: {e}")))
            })?,
            stopped = stop.requested() => {
                return Err(stopped.safe("nothing was changed").next("aweber-sync authorize"));
            }
        };
        if line.trim().is_empty() && !self.terminal {
            return Err(Error::config(
                "there is no terminal to ask for the code on, and standard input is empty",
            )
            .safe("nothing was changed")
            .next(
                "aweber-sync authorize --print-url, and then aweber-sync authorize --code CODE",
            ));
        }
        if line.is_empty() {
            // The end of the input: a message begins its own line.
            print("\n")?;
        }
        Ok(line)
    }

    /// After a wrong paste; not at the end of the input.
    pub(super) fn may_ask_again(&mut self, pasted: &str) -> bool {
        let may = self.terminal && self.again > 0 && !pasted.is_empty();
        self.again = self.again.saturating_sub(1);
        may
    }
}

/// Reads one line of standard input.
pub(super) fn read_code() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|e| {
        Error::new(
            Kind::Config,
            format!("cannot read the code from standard input: {e}"),
        )
    })?;
    Ok(line)
}

/// On a desktop only. A browser that does not open is not an error: the URL is on the screen.
fn open_browser(url: &str) {
    if !["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()))
    {
        return;
    }
    let mut browser = Command::new("xdg-open");
    browser
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for (name, _) in std::env::vars_os() {
        // A browser keeps its environment for days, where any other program of the user can read it.
        let name_text = name.to_string_lossy();
        if name_text.starts_with("AWEBER_") || name_text == "CREDENTIALS_DIRECTORY" {
            browser.env_remove(&name);
        }
    }
    let _ = browser.spawn();
}
