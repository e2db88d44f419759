//! What a file looks like: format, options and columns. A batch and a growing file remember theirs as text.

use super::csv::{Csv, CsvOptions};
use super::format::{Exporter, Format};
use super::jsonl::Jsonl;
use crate::record;
use crate::rows::{Column, ListRef};
use crate::subscriber::Subscriber;
use clap::ValueEnum;

/// A format with its options and columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    format: Format,
    csv: CsvOptions,
    columns: Vec<Column>,
}

/// The extensions of the files of all formats.
pub(crate) fn extensions() -> impl Iterator<Item = &'static str> {
    let formats = Format::value_variants().iter();
    formats.map(|format| Layout::new(*format, CsvOptions::default(), None).extension())
}

impl Layout {
    /// `columns` are ignored by a format that has none; without them, all default columns are exported.
    pub(crate) fn new(format: Format, csv: CsvOptions, columns: Option<Vec<Column>>) -> Layout {
        let mut layout = Layout {
            format,
            csv,
            columns: columns.unwrap_or_else(Column::all),
        };
        if !layout.has_columns() {
            layout.columns.clear();
        }
        layout
    }

    /// The one place that knows which exporter a format has.
    fn exporter(&self) -> Box<dyn Exporter + '_> {
        match self.format {
            Format::Csv => Box::new(Csv::new(self.csv, &self.columns)),
            Format::Jsonl => Box::new(Jsonl),
        }
    }

    /// Parses the texts in the ledger. Returns `None` if a later version wrote them.
    pub(crate) fn parse(word: &str, columns: &str) -> Option<Layout> {
        let (format, csv) = match CsvOptions::from_word(word) {
            Some(options) => (Format::Csv, options),
            None => (Format::from_str(word, false).ok()?, CsvOptions::default()),
        };
        let columns: Option<Vec<Column>> = record::split(columns)
            .iter()
            .map(|name| Column::from_name(name))
            .collect();
        let layout = Layout::new(format, csv, Some(columns?));
        // Without columns a file would have no header.
        (!layout.has_columns() || !layout.columns.is_empty()).then_some(layout)
    }

    /// Format and options in one word, for the ledger.
    pub(crate) fn word(&self) -> String {
        self.exporter().word()
    }

    /// The column names as one CSV record, for the ledger.
    pub(crate) fn columns_text(&self) -> String {
        record::join(self.columns.iter().map(|column| column.name().into_owned()))
    }

    /// Word and column names in one text, for comparing layouts.
    pub(crate) fn shape(&self) -> String {
        format!("{}:{}", self.word(), self.columns_text())
    }

    /// Returns this layout as a file has it whose [`shape`](Layout::shape) is given, if that file can be continued: with
    /// the custom fields that it was begun with in place of `custom.*`.
    pub(crate) fn continuing(&self, shape: &str) -> Option<Layout> {
        if shape == self.shape() {
            return Some(self.clone());
        }
        let (word, columns) = shape.split_once(':')?;
        let begun = Layout::parse(word, columns)?;
        let at = self.position_of_every_custom()?;
        let (before, after) = (&self.columns[..at], &self.columns[at + 1..]);
        let between = begun.columns.strip_prefix(before)?.strip_suffix(after)?;
        let are_custom = between
            .iter()
            .all(|column| matches!(column, Column::Custom(_)));
        (word == self.word() && are_custom).then_some(begun)
    }

    /// Whether `custom.*` still stands for columns that are not known.
    pub(crate) fn is_undecided(&self) -> bool {
        self.position_of_every_custom().is_some()
    }

    /// Puts a column for each of these custom fields in place of `custom.*`, unless it has one already.
    pub(crate) fn with_custom_fields(&self, names: &[String]) -> Layout {
        let Some(at) = self.position_of_every_custom() else {
            return self.clone();
        };
        let mut columns = self.columns.clone();
        let mut new: Vec<Column> = Vec::new();
        for name in names {
            let column = Column::Custom(name.clone());
            if !name.is_empty() && !self.columns.contains(&column) && !new.contains(&column) {
                new.push(column);
            }
        }
        columns.splice(at..=at, new);
        Layout {
            columns,
            ..self.clone()
        }
    }

    fn position_of_every_custom(&self) -> Option<usize> {
        let is_it = |column: &Column| *column == Column::EveryCustom;
        self.columns.iter().position(is_it)
    }

    /// The character between cells.
    pub(crate) fn delimiter(&self) -> u8 {
        self.csv.delimiter
    }

    /// Returns true if the format has columns to choose from.
    pub(crate) fn has_columns(&self) -> bool {
        self.exporter().has_columns()
    }

    /// The columns in order.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The extension of file names.
    pub(crate) fn extension(&self) -> &'static str {
        self.exporter().extension()
    }

    /// Returns the bytes that a file starts with.
    pub(crate) fn header(&self) -> Vec<u8> {
        self.exporter().header()
    }

    /// Returns the bytes of one record per subscriber.
    pub(crate) fn rows(&self, list: &ListRef, subscribers: &[Subscriber<'_>]) -> Vec<u8> {
        self.exporter().rows(list, subscribers)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::subscriber::Entry;

    /// Returns one subscriber of list 3, 'News, daily', as exported.
    pub(in crate::export) fn render(layout: &Layout, json: &str) -> String {
        let list = ListRef {
            id: 3,
            name: "News, daily".into(),
        };
        let entry = Entry::parse(json).unwrap();
        String::from_utf8(layout.rows(&list, &[Subscriber::new(json, &entry)])).unwrap()
    }

    #[test]
    fn a_layout_survives_as_text() {
        let columns = ["email", "custom.a, b", "custom.\"q\"", "list_id"];
        let columns = columns
            .iter()
            .map(|name| Column::from_name(name).unwrap())
            .collect();
        let excel = CsvOptions {
            excel: true,
            ..CsvOptions::default()
        };
        for (word, layout) in [
            (
                "csv",
                Layout::new(Format::Csv, CsvOptions::default(), Some(columns)),
            ),
            ("excel", Layout::new(Format::Csv, excel, None)),
            (
                "jsonl",
                Layout::new(Format::Jsonl, CsvOptions::default(), None),
            ),
        ] {
            assert_eq!(layout.word(), word);
            let again = Layout::parse(word, &layout.columns_text());
            assert_eq!(again, Some(layout));
        }
        assert_eq!(Layout::parse("parquet", ""), None);
        assert_eq!(Layout::parse("csv", ""), None);
        assert_eq!(Layout::parse("csv", "email,shoe_size"), None);
    }

    #[test]
    fn every_custom_field_gets_a_column_and_a_file_keeps_its_own() {
        let layout = |names: &[&str]| {
            let columns = names.iter().map(|name| Column::from_name(name).unwrap());
            Layout::new(Format::Csv, CsvOptions::default(), Some(columns.collect()))
        };
        let open = layout(&["id", "custom.Size", "custom.*", "email"]);
        assert!(open.is_undecided());
        let names = ["Color", "Size", "COLOR", "Color", ""].map(str::to_owned);
        let decided = open.with_custom_fields(&names);
        let all = layout(&["id", "custom.Size", "custom.Color", "custom.COLOR", "email"]);
        assert_eq!(decided, all);
        assert_eq!(open.continuing(&all.shape()), Some(all.clone()));
        assert_eq!(all.continuing(&all.shape()), Some(all));
        let none = layout(&["id", "custom.Size", "email"]);
        assert_eq!(open.continuing(&none.shape()), Some(none.clone()));
        assert_eq!(open.with_custom_fields(&[]), none);
        for other in [
            &["id", "custom.Color", "email"][..],
            &["id", "custom.Size", "name", "email"],
            &["id", "custom.Size"],
            &["custom.Size", "email"],
        ] {
            assert_eq!(open.continuing(&layout(other).shape()), None, "{other:?}");
        }
        assert_eq!(open.continuing("excel:id,custom.Size,email"), None);
    }
}
