//! Printing batches to standard output, with one header for all of them.

use crate::error::{Error, Kind, Result};
use crate::stdout;
use crate::stop::Stop;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// Standard output during one run.
#[derive(Debug)]
pub(crate) struct Printer {
    stop: Stop,
    last_header: Option<Vec<u8>>,
}

impl Printer {
    /// Standard output before the first batch.
    pub(crate) fn new(stop: Stop) -> Printer {
        Printer {
            stop,
            last_header: None,
        }
    }

    /// Prints a stage file, preceded by `header` unless the previous batch had the same one. Runs on a separate thread,
    /// so that a blocked reader does not delay the handling of a signal.
    pub(super) async fn print(&mut self, header: Vec<u8>, stage: &File) -> Result<()> {
        stdout::check_open()?;
        let stage = stage.try_clone();
        let first = if self.last_header.as_ref() == Some(&header) {
            Vec::new()
        } else {
            header.clone()
        };
        let printing = tokio::task::spawn_blocking(move || -> io::Result<()> {
            let mut out = io::stdout().lock();
            out.write_all(&first)?;
            let mut stage = stage?;
            stage.seek(SeekFrom::Start(0))?;
            io::copy(&mut stage, &mut out)?;
            out.flush()
        });
        let printed = tokio::select! {
            printed = printing => printed.unwrap_or_else(|e| Err(io::Error::other(e))),
            stopped = self.stop.signalled() => return Err(stopped),
        };
        printed.map_err(|e| {
            Error::new(
                Kind::Output,
                format!("cannot write to standard output: {e}"),
            )
            .safe("the batch counts as unpublished; the next run prints all of it again")
            .next("check the program that reads the output")
        })?;
        self.last_header = Some(header);
        Ok(())
    }
}
