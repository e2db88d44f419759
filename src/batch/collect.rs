//! Collecting new rows into an open batch: recorded before its first byte, durable at checkpoints.

use super::custom_columns::CustomColumns;
use super::errors::cannot_stage;
use super::naming;
use super::output::Output;
use super::printer::Printer;
use super::publish::{self, Settled};
use super::stage::{Stage, remove_work_file};
use crate::error::Result;
use crate::export::Layout;
use crate::ledger::Ledger;
use crate::ledger::batches::{BatchRecord, Destination, State};
use crate::ledger::events::Event;
use crate::rows::ListRef;
use crate::subscriber::Subscriber;
use crate::subscriber::feed::Feed;
use chrono::Utc;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The work that a kill may cost. A checkpoint syncs two files, which is too slow for every page.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// A checkpoint is due earlier after this many new rows, since uncommitted changes are kept in memory.
const CHECKPOINT_ROWS: u64 = 50_000;

/// Options of an export.
#[derive(Clone, Debug)]
pub(crate) struct ExportOptions {
    pub(crate) output: Output,
    pub(crate) layout: Layout,
    /// That of the growing file that is continued, if any.
    pub(crate) begun: Option<Layout>,
    /// Mode of published files.
    pub(crate) mode: u32,
    /// Holds the stage files for growing files and standard output.
    pub(crate) state_dir: PathBuf,
    /// Only count the new rows.
    pub(crate) dry_run: bool,
}

/// The new rows of a run, in a batch that is opened for the first one.
#[derive(Debug)]
pub(crate) struct Collector {
    options: ExportOptions,
    /// That of the rows; decided before the first one.
    layout: Layout,
    /// Without a stage file in a dry run.
    open: Option<(BatchRecord, Option<Stage>)>,
    rows: u64,
    custom_columns: CustomColumns,
    /// At least one list was walked through completely.
    full_walk: bool,
    /// A page had no email addresses.
    without_email: bool,
    last_checkpoint: Instant,
    /// New rows at the last checkpoint.
    checkpointed_rows: u64,
}

impl Collector {
    /// A collector without rows.
    pub(crate) fn new(options: ExportOptions) -> Collector {
        let begun = options.begun.clone();
        Collector {
            custom_columns: CustomColumns::new(&options.layout, options.dry_run),
            layout: begun.unwrap_or_else(|| options.layout.clone()),
            options,
            open: None,
            rows: 0,
            full_walk: false,
            without_email: false,
            last_checkpoint: Instant::now(),
            checkpointed_rows: 0,
        }
    }

    /// New rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Warns of columns for custom fields that no new row has, and of custom fields without a column.
    pub(crate) fn warn_of_custom_fields(&self) {
        if self.rows > 0 {
            self.custom_columns.warn(self.full_walk);
        }
    }

    /// Whether the custom fields of the lists have to be known for these rows: one is the first of its file.
    pub(crate) fn awaits_custom_fields(
        &self,
        ledger: &Ledger,
        list: i64,
        feed: Feed,
        subscribers: &[Subscriber<'_>],
    ) -> Result<bool> {
        if self.options.dry_run || !self.layout.is_undecided() {
            return Ok(false);
        }
        for subscriber in subscribers {
            if !ledger.is_exported(Event::new(list, feed, subscriber.key()))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives each of these custom fields its column.
    pub(crate) fn set_custom_fields(&mut self, names: &[String]) {
        self.layout = self.layout.with_custom_fields(names);
    }

    /// Records that a list is walked through completely, not only its recent rows.
    pub(crate) fn note_full_walk(&mut self) {
        self.full_walk = true;
    }

    /// Records that a page had no email addresses; returns whether it is the first.
    pub(crate) fn note_without_email(&mut self) -> bool {
        !std::mem::replace(&mut self.without_email, true)
    }

    /// The number of the open batch.
    pub(crate) fn batch(&self) -> Option<i64> {
        self.open.as_ref().map(|(batch, _)| batch.id)
    }

    /// Adds the events of the `subscribers` that were not exported before; returns their number.
    pub(crate) fn offer(
        &mut self,
        ledger: &mut Ledger,
        list: &ListRef,
        feed: Feed,
        subscribers: &[Subscriber<'_>],
    ) -> Result<u64> {
        let mut candidates = subscribers;
        if self.open.is_none() {
            // Only a new row opens a batch: a run without new rows leaves no trace.
            while let [first, rest @ ..] = candidates
                && ledger.is_exported(Event::new(list.id, feed, first.key()))?
            {
                candidates = rest;
            }
        }
        if candidates.is_empty() {
            return Ok(0);
        }
        let batch = match self.batch() {
            Some(batch) => batch,
            None => self.begin(ledger)?,
        };
        let events = candidates
            .iter()
            .map(|subscriber| Event::new(list.id, feed, subscriber.key()));
        let is_new = ledger.export(feed, events, batch)?;
        let new: Vec<_> = candidates
            .iter()
            .zip(is_new)
            .filter_map(|(subscriber, is_new)| is_new.then_some(*subscriber))
            .collect();
        if !new.is_empty() {
            ledger.count_rows(batch, list.id, feed, new.len() as u64)?;
            self.add(list, &new)?;
        }
        Ok(new.len() as u64)
    }

    /// Appends new rows to the stage file.
    fn add(&mut self, list: &ListRef, new: &[Subscriber<'_>]) -> Result<()> {
        self.custom_columns.note(new, self.layout.columns());
        self.rows += new.len() as u64;
        if let Some((batch, Some(stage))) = &mut self.open {
            let bytes = self.layout.rows(list, new);
            stage.append(&bytes).map_err(|e| cannot_stage(batch, &e))?;
            batch.rows += new.len() as u64;
        }
        Ok(())
    }

    /// Whether the last checkpoint is old enough for another.
    pub(crate) fn checkpoint_is_due(&self) -> bool {
        self.last_checkpoint.elapsed() >= CHECKPOINT
            || self.rows - self.checkpointed_rows >= CHECKPOINT_ROWS
    }

    /// Makes all rows durable: first the stage file, then the ledger, which relies on it.
    pub(crate) fn checkpoint(&mut self, ledger: &mut Ledger) -> Result<()> {
        self.sync_stage(ledger)?;
        ledger.commit()?;
        self.last_checkpoint = Instant::now();
        self.checkpointed_rows = self.rows;
        Ok(())
    }

    fn sync_stage(&mut self, ledger: &mut Ledger) -> Result<()> {
        if let Some((batch, Some(stage))) = &mut self.open {
            let length = stage.sync().map_err(|e| cannot_stage(batch, &e))?;
            if length != batch.length {
                batch.length = length;
                ledger.put_batch(batch)?;
            }
        }
        Ok(())
    }

    /// Publishes the open batch, if any. What it has to commit by itself it commits; the rest is left to the run's end.
    pub(crate) async fn publish(
        mut self,
        ledger: &mut Ledger,
        printer: &mut Printer,
    ) -> Result<Option<Settled>> {
        self.sync_stage(ledger)?;
        match self.open.take() {
            Some((batch, Some(_))) if batch.rows == 0 => {
                // Its first row could not be recorded: there is nothing to publish.
                ledger.void_batch(batch.id)?;
                ledger.commit()?;
                remove_work_file(&batch.stage);
                Ok(None)
            }
            Some((batch, Some(stage))) => {
                let stage = stage.into_file();
                let published = publish::publish(ledger, batch, &stage, printer).await;
                if published.is_err() {
                    // As at a checkpoint: the next run need not fetch the rows again. The first error is the one to report.
                    let _ = ledger.commit();
                }
                published.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Records the batch, then creates its stage file; returns its number.
    fn begin(&mut self, ledger: &mut Ledger) -> Result<i64> {
        let (output, layout) = (&self.options.output, &self.layout);
        let (id, last_name) = ledger.next_batch()?;
        // If the clock was set back: names are not reused, and later batches sort after earlier ones.
        let named_at = Utc::now().timestamp().max(last_name.saturating_add(1));
        let name = naming::file_name(named_at, layout);
        let (destination, stage) = naming::destination(output, &self.options.state_dir, id, &name)?;
        let batch = BatchRecord {
            id,
            state: State::Open,
            destination,
            stage,
            mode: self.options.mode,
            layout: layout.clone(),
            named_at,
            length: 0,
            rows: 0,
        };
        ledger.put_batch(&batch)?;
        ledger.commit()?;
        let stage = if self.options.dry_run {
            None
        } else {
            Some(create_stage(&batch).map_err(|e| cannot_stage(&batch, &e))?)
        };
        self.open = Some((batch, stage));
        Ok(id)
    }
}

/// A stage file, beginning with the header if it will be published as a file of its own.
fn create_stage(batch: &BatchRecord) -> io::Result<Stage> {
    let mut stage = Stage::create(&batch.stage)?;
    if let Destination::Directory { .. } = batch.destination {
        stage.append(&batch.layout.header())?;
    }
    Ok(stage)
}
