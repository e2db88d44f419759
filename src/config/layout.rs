//! Format and columns of exported files.

use crate::cli;
use crate::error::{Error, Kind, Result};
use crate::export::{CsvOptions, Format, Layout};
use crate::record;
use crate::rows::Column;

/// Combines --format, --excel, --delimiter and --columns. Errors: 2 if they conflict or a column does not exist.
pub(super) fn layout(args: &cli::Run) -> Result<Layout> {
    let usage = |what: &str| Err(usage(what));
    if args.excel && args.format != Format::Csv {
        return usage("--excel goes with --format csv only");
    }
    if args.delimiter.is_some() && args.format != Format::Csv {
        return usage("--delimiter goes with --format csv only");
    }
    let csv = CsvOptions {
        excel: args.excel,
        delimiter: args.delimiter.unwrap_or(CsvOptions::default().delimiter),
    };
    let layout = Layout::new(args.format, csv, None);
    let Some(text) = args.columns.as_deref() else {
        return Ok(layout);
    };
    if !layout.has_columns() {
        return usage("--columns goes with --format csv only: jsonl has every field");
    }
    let columns: Vec<Column> = record::split(text)
        .iter()
        .map(|name| Column::from_name(name).ok_or_else(|| unknown_column(name)))
        .collect::<Result<_>>()?;
    if columns.is_empty() {
        return usage("--columns names no column");
    }
    let is_every_custom = |column: &&Column| **column == Column::EveryCustom;
    match columns.iter().filter(is_every_custom).count() {
        0 => {}
        1 if columns.len() > 1 => {}
        1 => {
            // The lists may have no custom field.
            return usage("--columns: custom.* needs another column beside it, such as id");
        }
        _ => return usage("--columns: duplicate custom.*"),
    }
    Ok(Layout::new(args.format, csv, Some(columns)))
}

fn usage(what: impl Into<String>) -> Error {
    Error::new(Kind::Usage, what).next("aweber-sync run --help")
}

fn unknown_column(name: &str) -> Error {
    let names: Vec<String> = Column::all()
        .iter()
        .map(|column| column.name().into_owned())
        .collect();
    usage(format!("--columns: there is no column {name:?}")).next(format!(
        "choose from {}, and custom.NAME for a custom field or custom.* for each",
        names.join(", ")
    ))
}
