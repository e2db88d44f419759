//! Format and columns of exported files.

use crate::cli;
use crate::error::{Error, Kind, Result};
use crate::export::{CsvOptions, Format, Layout};
use crate::record;
use crate::rows::Column;

/// Combines --format, --excel and --columns. Errors: 2 if they conflict or a column does not exist.
pub(super) fn layout(args: &cli::Run) -> Result<Layout> {
    if args.excel && args.format != Format::Csv {
        return Err(Error::new(
            Kind::Usage,
            "--excel goes with --format csv only",
        ));
    }
    let csv = CsvOptions { excel: args.excel };
    let layout = Layout::new(args.format, csv, None);
    let Some(text) = args.columns.as_deref() else {
        return Ok(layout);
    };
    if !layout.has_columns() {
        return Err(Error::new(
            Kind::Usage,
            "--columns goes with --format csv only: jsonl has every field",
        ));
    }
    let columns: Vec<Column> = record::split(text)
        .iter()
        .map(|name| Column::from_name(name).ok_or_else(|| unknown_column(name)))
        .collect::<Result<_>>()?;
    if columns.is_empty() {
        return Err(Error::new(Kind::Usage, "--columns names no column"));
    }
    Ok(Layout::new(args.format, csv, Some(columns)))
}

fn unknown_column(name: &str) -> Error {
    let names: Vec<String> = Column::all()
        .iter()
        .map(|column| column.name().into_owned())
        .collect();
    Error::new(
        Kind::Usage,
        format!("--columns: there is no column {name:?}"),
    )
    .next(format!(
        "choose from {}, and custom.NAME for a custom field",
        names.join(", ")
    ))
}
