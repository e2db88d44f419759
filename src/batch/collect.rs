//! Collecting new rows into the batch under way: recorded before its first byte, durable at checkpoints.

use super::output::Output;
use super::publish;
use super::stage::Stage;
use crate::error::{Error, Kind, Result};
use crate::export::Layout;
use crate::ledger::Ledger;
use crate::ledger::batches::{BatchRecord, OutputKind, State};
use crate::rows::{Column, ListRef};
use crate::subscriber::Subscriber;
use chrono::{DateTime, Utc};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How much work a kill may cost. Each checkpoint syncs two files, so not after each page.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// After so many new rows a checkpoint comes earlier: what is not committed is kept in memory.
const CHECKPOINT_ROWS: u64 = 50_000;

/// How a run exports.
#[derive(Clone, Debug)]
pub(crate) struct ExportOptions {
    pub(crate) output: Output,
    /// Format and columns.
    pub(crate) layout: Layout,
    /// Mode of published files.
    pub(crate) mode: u32,
    /// For stage files of growing files and standard output.
    pub(crate) state_dir: PathBuf,
    /// Count only.
    pub(crate) dry_run: bool,
}

/// The batch under way, if there is anything new yet.
#[derive(Debug)]
pub(crate) struct Collector {
    options: ExportOptions,
    /// In a dry run without a stage file.
    open: Option<(BatchRecord, Option<Stage>)>,
    rows: u64,
    /// Custom fields that have a column and were on no subscriber yet.
    unseen: Vec<String>,
    /// Some list was paged through as a whole.
    everybody: bool,
    last_checkpoint: Instant,
    /// New rows at the last checkpoint.
    checkpointed_rows: u64,
}

impl Collector {
    /// Nothing collected yet.
    pub(crate) fn new(options: ExportOptions) -> Collector {
        let unseen = options
            .layout
            .columns()
            .iter()
            .filter_map(|column| match column {
                Column::Custom(name) => Some(name.clone()),
                _ => None,
            });
        Collector {
            unseen: unseen.collect(),
            options,
            open: None,
            rows: 0,
            everybody: false,
            last_checkpoint: Instant::now(),
            checkpointed_rows: 0,
        }
    }

    /// New rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Custom fields that were asked for and that none of the new rows has.
    pub(crate) fn unseen_custom_fields(&self) -> &[String] {
        if self.rows == 0 { &[] } else { &self.unseen }
    }

    /// Everybody on some list is looked at, not the newcomers alone.
    pub(crate) fn looks_at_everybody(&mut self) {
        self.everybody = true;
    }

    /// Whether that was so: a custom field that nobody has is misspelt, one that no newcomer of a quiet day has is
    /// not.
    pub(crate) fn looked_at_everybody(&self) -> bool {
        self.everybody
    }

    /// The number of the batch under way.
    pub(crate) fn batch(&self) -> Option<i64> {
        self.open.as_ref().map(|(batch, _)| batch.id)
    }

    /// Takes those of `subscribers` that were never exported; says how many.
    pub(crate) fn offer(
        &mut self,
        ledger: &mut Ledger,
        list: &ListRef,
        subscribers: &[Subscriber<'_>],
    ) -> Result<u64> {
        let mut old = 0;
        if self.open.is_none() {
            // Only a row that is new opens a batch: a run without news leaves no trace.
            while let Some(first) = subscribers.get(old)
                && ledger.is_exported(list.id, first.key())?
            {
                old += 1;
            }
        }
        let candidates = &subscribers[old..];
        if candidates.is_empty() {
            return Ok(0);
        }
        let batch = match self.batch() {
            Some(batch) => batch,
            None => self.begin(ledger)?,
        };
        let is_new = ledger.export(list.id, candidates.iter().map(Subscriber::key), batch)?;
        let new = candidates.iter().zip(is_new);
        let new: Vec<_> = new
            .filter_map(|(one, is_new)| is_new.then_some(*one))
            .collect();
        for subscriber in &new {
            if self.unseen.is_empty() {
                break;
            }
            let fields = subscriber.custom_fields();
            self.unseen
                .retain(|name| fields.iter().all(|(field, _)| field != name));
        }
        let count = new.len() as u64;
        self.rows += count;
        if count > 0 {
            ledger.count_rows(batch, list.id, count)?;
        }
        if let Some((batch, Some(stage))) = &mut self.open
            && count > 0
        {
            let layout = &self.options.layout;
            let bytes = layout.rows(list, &new);
            stage.append(&bytes).map_err(|e| cannot_stage(batch, &e))?;
            batch.rows += count;
        }
        Ok(count)
    }

    /// Whether the last checkpoint is long enough ago for another.
    pub(crate) fn checkpoint_is_due(&self) -> bool {
        self.last_checkpoint.elapsed() >= CHECKPOINT
            || self.rows - self.checkpointed_rows >= CHECKPOINT_ROWS
    }

    /// Makes everything so far last: the stage file first, then the ledger that counts on it.
    pub(crate) fn checkpoint(&mut self, ledger: &mut Ledger) -> Result<()> {
        if let Some((batch, Some(stage))) = &mut self.open {
            let length = stage.sync().map_err(|e| cannot_stage(batch, &e))?;
            if length != batch.length {
                batch.length = length;
                ledger.put_batch(batch)?;
            }
        }
        ledger.commit()?;
        self.last_checkpoint = Instant::now();
        self.checkpointed_rows = self.rows;
        Ok(())
    }

    /// Publishes the batch, if there is one; says where it is now.
    pub(crate) async fn publish(
        mut self,
        ledger: &mut Ledger,
        printer: &mut publish::Printer,
    ) -> Result<Option<PathBuf>> {
        self.checkpoint(ledger)?;
        match self.open.take() {
            Some((batch, Some(_))) if batch.rows == 0 => {
                // Its first row could not be noted: there is nothing to publish.
                ledger.void_batch(batch.id)?;
                ledger.commit()?;
                publish::remove_stage(&batch);
                Ok(None)
            }
            Some((batch, Some(_))) => publish::publish(ledger, batch, printer).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Records the batch with everything that finishing it takes, then makes its stage file.
    fn begin(&mut self, ledger: &mut Ledger) -> Result<i64> {
        let (id, last_name) = ledger.next_batch()?;
        // A clock that was set back must not reuse a name, nor sort a later batch before an earlier one.
        let named_at = Utc::now().timestamp().max(last_name + 1);
        let output = &self.options.output;
        // Another job may export into the same directory in the same second: what is under way has a name of its own.
        let tag = random_tag()?;
        let own = self
            .options
            .state_dir
            .join(format!("batch-{id}-{tag}.part"));
        let (target, stage, marker) = match output.kind {
            OutputKind::Directory => {
                let name = file_name(named_at, &self.options.layout);
                (
                    output.path.join(&name),
                    output.path.join(format!(".{name}.{tag}.part")),
                    Some(output.path.join(format!(".{name}.{tag}.ready"))),
                )
            }
            _ => (output.path.clone(), own, None),
        };
        let batch = BatchRecord {
            id,
            state: State::Open,
            kind: output.kind,
            target,
            stage,
            marker,
            mode: self.options.mode,
            format: self.options.layout.word().to_owned(),
            columns: self.options.layout.columns_text(),
            named_at,
            length: 0,
            rows: 0,
            appended_at: None,
            with_header: output.kind == OutputKind::Directory,
        };
        ledger.put_batch(&batch)?;
        ledger.commit()?;
        if self.options.dry_run {
            self.open = Some((batch, None));
            return Ok(id);
        }
        let mut stage = Stage::create(&batch.stage).map_err(|e| cannot_stage(&batch, &e))?;
        if batch.with_header {
            stage
                .append(&self.options.layout.header())
                .map_err(|e| cannot_stage(&batch, &e))?;
        }
        self.open = Some((batch, Some(stage)));
        Ok(id)
    }
}

/// Eight hexadecimal digits that no other job draws.
fn random_tag() -> Result<String> {
    use ring::rand::SecureRandom;
    let mut random = [0; 4];
    ring::rand::SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::new(Kind::LocalIo, "the system gives no random bytes"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// `subscribers-20261122T030000Z.csv`.
pub(crate) fn file_name(named_at: i64, layout: &Layout) -> String {
    let time = DateTime::<Utc>::from_timestamp(named_at, 0).unwrap_or_default();
    format!(
        "subscribers-{}.{}",
        time.format("%Y%m%dT%H%M%SZ"),
        layout.extension()
    )
}

/// 73 or 74 for a stage file, by where it is: beside the output, or in the state directory.
pub(super) fn cannot_stage(batch: &BatchRecord, cause: &std::io::Error) -> Error {
    let exit = if batch.kind == OutputKind::Directory {
        Kind::Output
    } else {
        Kind::LocalIo
    };
    Error::disk("cannot write", &batch.stage, cause)
        .with_kind(exit)
        .safe("what was written before is kept; the rest is found again by the next run")
        .next("make room on that file system and the directory writable, then run again")
}
