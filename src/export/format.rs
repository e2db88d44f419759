//! The formats by name, and what each has to implement.

use crate::rows::ListRef;
use crate::subscriber::Subscriber;

/// The format of exported files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Writes one format.
pub(super) trait Exporter {
    /// The word by which the ledger remembers the format and its options.
    fn word(&self) -> String;

    /// The extension of file names.
    fn extension(&self) -> &'static str;

    /// Returns true if the user can choose columns.
    fn has_columns(&self) -> bool;

    /// Returns the bytes that a file starts with.
    fn header(&self) -> Vec<u8>;

    /// Returns the bytes of one record per subscriber.
    fn rows(&self, list: &ListRef, subscribers: &[Subscriber<'_>]) -> Vec<u8>;
}
