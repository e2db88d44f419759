//! One CSV record as text, for lists of names inside an option, a cell or the ledger. Pure.

/// Returns the fields as one CSV record without a line end.
pub(crate) fn join<T: AsRef<[u8]>>(fields: impl IntoIterator<Item = T>) -> String {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    // Writing into memory cannot fail.
    let _ = writer.write_record(fields);
    let mut bytes = writer.into_inner().unwrap_or_default();
    bytes.pop_if(|last| *last == b'\n');
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the fields of one CSV record, trimmed and without empty ones.
pub(crate) fn split(text: &str) -> Vec<String> {
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
    fn fields_are_quoted_where_needed() {
        assert_eq!(
            join(["a", "b, c", "say \"hi\""]),
            "a,\"b, c\",\"say \"\"hi\"\"\""
        );
        // The ledger holds this for a format without columns.
        assert_eq!(join::<&str>([]), "\"\"");
    }

    #[test]
    fn a_record_is_split_as_csv() {
        assert_eq!(split("a, b c ,\"d, e\",,7"), ["a", "b c", "d, e", "7"]);
        assert_eq!(split(" "), Vec::<String>::new());
    }
}
