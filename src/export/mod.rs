//! Output formats: rows in, bytes out. A new format is a file with an `Exporter`, a variant of [`Format`] and a line
//! in [`Layout::exporter`]. Pure.

mod csv;
mod format;
mod jsonl;
mod layout;

pub(crate) use csv::CsvOptions;
pub(crate) use format::Format;
pub(crate) use layout::{Layout, extensions};
