//! SIGTERM and SIGINT as a wish that is honoured at the next safe point: between requests, in a wait, in the middle
//! of a GET; never while a refresh is under way, also not on the second signal.

use crate::error::{Error, Result};
use crate::exit::Exit;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Says whether somebody wants the run to end.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    wish: watch::Receiver<Option<Exit>>,
}

impl Stop {
    /// Begins to listen for both signals. To be called inside the runtime.
    pub(crate) fn listen() -> Result<Stop> {
        let failed = |e: std::io::Error| {
            Error::new(Exit::LocalIo, format!("cannot listen for signals: {e}"))
        };
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let (sender, wish) = watch::channel(None);
        tokio::spawn(async move {
            // The first signal decides the exit code; a later one finds the stop under way already.
            let exit = tokio::select! {
                _ = terminate.recv() => Exit::Terminated,
                _ = interrupt.recv() => Exit::Interrupted,
            };
            let _ = sender.send(Some(exit));
            // Keeps both handlers alive: without them a second signal would kill a refresh under way.
            loop {
                tokio::select! {
                    _ = terminate.recv() => {},
                    _ = interrupt.recv() => {},
                }
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

    /// Returns once a stop is wished for; pending for ever otherwise.
    pub(crate) async fn wished(&mut self) -> Error {
        match self.wish.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => stopped(exit),
            _ => std::future::pending().await,
        }
    }
}

fn stopped(exit: Exit) -> Error {
    let signal = if exit == Exit::Terminated {
        "SIGTERM"
    } else {
        "SIGINT"
    };
    Error::new(exit, format!("stopped by {signal}"))
        .safe("the tokens are stored; what was fetched is kept")
        .next("nothing: the next run goes on from there")
}
