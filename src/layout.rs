//! How the export is laid out: format and columns. Pure. A batch and a growing file remember theirs as text.

use crate::rows::Column;

/// The format of exported files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 4180, LF.
    Csv,
    /// For spreadsheets: byte order mark, CRLF, cells that would run as a formula made harmless.
    Excel,
    /// One JSON object a line, every field as the API gave it.
    Jsonl,
}

/// Format and columns; jsonl has no columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) columns: Vec<Column>,
}

impl Format {
    /// As the ledger has it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Excel => "excel",
            Format::Jsonl => "jsonl",
        }
    }

    /// The end of file names.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Format::Csv | Format::Excel => "csv",
            Format::Jsonl => "jsonl",
        }
    }
}

impl Layout {
    /// The columns of this format, if some were asked for.
    pub(crate) fn new(format: Format, columns: Option<Vec<Column>>) -> Layout {
        let columns = match format {
            Format::Jsonl => Vec::new(),
            _ => columns.unwrap_or_else(Column::all),
        };
        Layout { format, columns }
    }

    /// The column names as one CSV record.
    pub(crate) fn columns_text(&self) -> String {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .from_writer(Vec::new());
        // Writing into memory cannot fail.
        let _ = writer.write_record(self.columns.iter().map(|column| column.name().into_owned()));
        let bytes = writer.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&bytes)
            .trim_end_matches('\n')
            .to_owned()
    }

    /// From what the ledger has. `None`: a later version wrote it.
    pub(crate) fn parse(format: &str, columns: &str) -> Option<Layout> {
        let format = [Format::Csv, Format::Excel, Format::Jsonl]
            .into_iter()
            .find(|known| known.word() == format)?;
        let columns = match format {
            Format::Jsonl => Vec::new(),
            _ => split_record(columns)
                .iter()
                .map(|name| Column::from_name(name))
                .collect::<Option<Vec<_>>>()?,
        };
        Some(Layout { format, columns })
    }

    /// Both in one text, to compare.
    pub(crate) fn shape(&self) -> String {
        format!("{}:{}", self.format.word(), self.columns_text())
    }
}

/// The fields of one CSV record, blanks around them and empty ones left out.
pub(crate) fn split_record(text: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let records = reader.records().flatten();
    let fields = records.flat_map(|record| record.iter().map(str::to_owned).collect::<Vec<_>>());
    fields.filter(|field| !field.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_survives_as_text() {
        let columns = ["email", "custom.a, b", "custom.\"q\"", "list_id"];
        let columns = columns
            .iter()
            .map(|name| Column::from_name(name).unwrap())
            .collect();
        for layout in [
            Layout::new(Format::Csv, Some(columns)),
            Layout::new(Format::Excel, None),
            Layout::new(Format::Jsonl, None),
        ] {
            let again = Layout::parse(layout.format.word(), &layout.columns_text());
            assert_eq!(again, Some(layout));
        }
        assert_eq!(Layout::parse("parquet", ""), None);
        assert_eq!(Layout::parse("csv", "email,shoe_size"), None);
    }

    #[test]
    fn a_record_is_split_as_csv() {
        assert_eq!(
            split_record("a, b c ,\"d, e\",,7"),
            ["a", "b c", "d, e", "7"]
        );
        assert_eq!(split_record(" "), Vec::<String>::new());
    }
}
