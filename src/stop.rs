//! SIGTERM, SIGINT and the end of the time budget as a wish that is honoured at the next safe point: between requests, in a wait, in the middle
//! of a GET; never while a refresh is under way, also not on the second signal.

use crate::error::{Error, Result};
use crate::exit::Exit;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Says whether somebody wants the run to end.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    wish: watch::Receiver<Option<Exit>>,
}

impl Stop {
    /// Begins to listen for both signals, and ends the run after `budget`. To be called inside the runtime.
    pub(crate) fn listen(budget: Option<Duration>) -> Result<Stop> {
        let failed = |e: std::io::Error| {
            Error::new(Exit::LocalIo, format!("cannot listen for signals: {e}"))
        };
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let (sender, wish) = watch::channel(None);
        tokio::spawn(async move {
            let mut budget = Box::pin(spent(budget));
            let mut over = false;
            // For ever: with a handler gone, a second signal would kill a refresh under way.
            loop {
                let exit = tokio::select! {
                    _ = terminate.recv() => Exit::Terminated,
                    _ = interrupt.recv() => Exit::Interrupted,
                    () = &mut budget, if !over => {
                        over = true;
                        Exit::TryLater
                    }
                };
                // The first signal decides the exit code; it also comes before the end of the budget.
                sender.send_if_modified(|wish| {
                    let first = matches!(wish, None | Some(Exit::TryLater));
                    if first {
                        *wish = Some(exit);
                    }
                    first
                });
            }
        });
        Ok(Stop { wish })
    }

    /// An error if a stop is wished for.
    pub(crate) fn check(&self) -> Result<()> {
        match *self.wish.borrow() {
            Some(exit) => Err(stopped(exit)),
            None => Ok(()),
        }
    }

    /// Returns once a signal came; the end of the time budget does not count.
    pub(crate) async fn signalled(&mut self) -> Error {
        let signal =
            |wish: &Option<Exit>| matches!(wish, Some(Exit::Terminated | Exit::Interrupted));
        match self.wish.wait_for(signal).await.map(|exit| *exit) {
            Ok(Some(exit)) => stopped(exit),
            _ => std::future::pending().await,
        }
    }

    /// Returns once a stop is wished for; pending for ever otherwise.
    pub(crate) async fn wished(&mut self) -> Error {
        match self.wish.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => stopped(exit),
            _ => std::future::pending().await,
        }
    }
}

async fn spent(budget: Option<Duration>) {
    match budget {
        Some(budget) => tokio::time::sleep(budget).await,
        None => std::future::pending().await,
    }
}

fn stopped(exit: Exit) -> Error {
    let what = match exit {
        Exit::Terminated => "stopped by SIGTERM",
        Exit::Interrupted => "stopped by SIGINT",
        _ => "stopped: --max-duration is over",
    };
    let error = Error::new(exit, what).next("nothing: the next run goes on from there");
    if exit == Exit::TryLater {
        return error
            .safe("the tokens are stored; what was fetched is published, or kept")
            .planned();
    }
    error.safe("the tokens are stored; what was fetched is kept")
}
