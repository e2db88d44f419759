//! The growing file: where the next rows belong, and appending them so that the next run completes an interrupted append.
//! Existing bytes belong to the consumers of the file: they are never overwritten, padded or cut off. The one
//! exception: zeros that a power cut has left in the place of our rows.

use super::errors::{cannot_publish, not_followed};
use crate::disk::shared::{self, Access, Found};
use crate::error::{Error, Kind, Result};
use crate::export::Layout;
use crate::ledger::batches::{AppendAt, BatchRecord};
use crate::ledger::outputs::{FileState, KnownOutput};
use std::cmp::Ordering;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much of the end is fingerprinted, bytes.
const TAIL: u64 = 4096;

/// Where to append to, if the file is unchanged since the last append, new, rotated or cut between records. Errors: 73 if
/// its content is not ours.
pub(super) fn append_position(
    path: &Path,
    known: Option<&KnownOutput>,
    layout: &Layout,
) -> Result<AppendAt> {
    let file = open(path)?;
    let found = match &file {
        Some(file) => file.metadata().map(|found| found.len()),
        None => Ok(0),
    };
    let found = found.map_err(|e| Error::output("cannot look at", path, &e))?;
    let Some(file) = file.filter(|_| found > 0) else {
        return Ok(AppendAt {
            offset: 0,
            with_header: true,
        });
    };
    let shown = path.display();
    let Some(KnownOutput::GrowingFile(state)) = known else {
        return Err(not_ours(
            path,
            format!("{shown} is not empty, and this job has never written to it"),
        ));
    };
    let layout = &layout_of(path, &state.shape, layout)?;
    let is_usable = || -> io::Result<bool> {
        match found.cmp(&state.length) {
            Ordering::Equal => Ok(fingerprint(&file, found)? == state.tail),
            Ordering::Less => holds_whole_records(&file, layout),
            Ordering::Greater => Ok(false),
        }
    };
    if is_usable().map_err(|e| Error::output("cannot read", path, &e))? {
        return Ok(AppendAt {
            offset: found,
            with_header: false,
        });
    }
    let what = match found.cmp(&state.length) {
        Ordering::Greater => {
            format!("{shown} is longer than this job left it: another program writes to it")
        }
        Ordering::Less => format!("{shown} is shorter than this job left it, but not empty"),
        Ordering::Equal => format!("{shown} was changed since this job wrote to it"),
    };
    Err(not_ours(path, what))
}

/// Opens a growing file for reading, if it exists.
///
/// Errors: 73 for a link that another user may have made, and for anything but a regular file with one name.
pub(super) fn open(path: &Path) -> Result<Option<File>> {
    match shared::open(&shared::behind(path), Access::Read) {
        Ok(Found::File(file)) => Ok(Some(file)),
        Ok(Found::Missing) => Ok(None),
        Ok(Found::NotOurs(what)) => Err(not_followed(path, what)),
        Err(e) => Err(Error::output("cannot read", path, &e)),
    }
}

/// The length of the growing file of `batch`; 0 if it is missing.
pub(super) fn length(batch: &BatchRecord) -> Result<u64> {
    match open(batch.destination.target())? {
        Some(file) => file
            .metadata()
            .map(|found| found.len())
            .map_err(|e| cannot_publish("cannot look at", batch, &e)),
        None => Ok(0),
    }
}

/// Whether a file, as one of this layout does, begins with its header.
pub(super) fn has_header(mut file: &File, layout: &Layout) -> io::Result<bool> {
    let header = layout.header();
    let mut beginning = Vec::with_capacity(header.len());
    file.seek(SeekFrom::Start(0))?;
    file.take(header.len() as u64).read_to_end(&mut beginning)?;
    Ok(!header.is_empty() && beginning == header)
}

fn not_ours(path: &Path, what: String) -> Error {
    let shown = path.display();
    Error::new(Kind::Output, what)
        .safe("it was not changed; no row is lost")
        .next(format!(
            "mv '{shown}' '{shown}.old' (the next run begins a new file), or give another --output; a directory gets \
             one file per batch and avoids this problem"
        ))
}

/// The layout of a file whose rows have that shape. Errors: 78 unless it is `layout`, perhaps with other custom fields in
/// place of `custom.*` than the lists have now.
fn layout_of(path: &Path, shape: &str, layout: &Layout) -> Result<Layout> {
    if let Some(layout) = layout.continuing(shape) {
        return Ok(layout);
    }
    let wanted = layout.shape();
    let shown = path.display();
    Err(Error::config(format!(
        "{shown} has rows in another layout ({}) than requested ({})",
        shortened(shape),
        shortened(&wanted)
    ))
    .safe("it was not changed; nothing was fetched and no row is lost")
    .next(format!(
        "give --format, --columns, --delimiter and --excel as before, or mv '{shown}' '{shown}.old' (the next run begins a new file)"
    )))
}

fn shortened(shape: &str) -> String {
    let mut short: String = shape.chars().take(60).collect();
    if short.len() < shape.len() {
        short.push('…');
    }
    short
}

/// Whether the file is our header and complete records: a consumer has removed rows, and more can follow. Without a
/// header nothing shows whose rows they are.
fn holds_whole_records(file: &File, layout: &Layout) -> io::Result<bool> {
    if !has_header(file, layout)? {
        return Ok(false);
    }
    let mut rows = Watched {
        reader: io::BufReader::new(file),
        quotes: 0,
        last: b'\n',
    };
    let mut csv = csv::ReaderBuilder::new()
        .delimiter(layout.delimiter())
        .has_headers(false)
        .from_reader(&mut rows);
    let mut record = csv::ByteRecord::new();
    loop {
        match csv.read_byte_record(&mut record) {
            Ok(true) if record.len() == layout.columns().len() => {}
            Ok(true) => return Ok(false),
            Ok(false) => break,
            Err(e) => match e.into_kind() {
                csv::ErrorKind::Io(e) => return Err(e),
                _ => return Ok(false),
            },
        }
    }
    drop(csv);
    // The parser takes a quoted cell that is cut off for a whole one.
    Ok(rows.quotes % 2 == 0 && rows.last == b'\n')
}

/// Counts the quotes and keeps the last byte of what is read.
struct Watched<R> {
    reader: R,
    quotes: usize,
    last: u8,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        let read = &buffer[..n];
        self.quotes += read.iter().filter(|byte| **byte == b'"').count();
        self.last = read.last().copied().unwrap_or(self.last);
        Ok(n)
    }
}

/// The layout of the rows in a growing file that has some, if they can be followed by rows of `layout`.
pub(super) fn layout_begun(
    path: &Path,
    known: Option<&KnownOutput>,
    layout: &Layout,
) -> Option<Layout> {
    let has_rows = path.metadata().is_ok_and(|found| found.len() > 0);
    match known {
        Some(KnownOutput::GrowingFile(state)) if has_rows => layout.continuing(&state.shape),
        _ => None,
    }
}

/// The header that comes before the rows of `batch`, if any.
pub(super) fn header_at(batch: &BatchRecord, at: AppendAt) -> Vec<u8> {
    if at.with_header {
        batch.layout.header()
    } else {
        Vec::new()
    }
}

pub(super) fn cannot_append(path: &Path, cause: io::Error) -> Error {
    Error::output("cannot append to", path, &cause)
        .safe("the new rows are kept; the next run appends what is missing")
        .next("free some disk space and make the file writable, then run again")
}

/// Opens the growing file of `batch` for appending, or creates it.
pub(super) fn open_for_append(batch: &BatchRecord) -> Result<File> {
    let path = batch.destination.target();
    shared::open_for_append(&shared::behind(path), batch.mode).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::AlreadyExists => {
            not_followed(path, &e.to_string())
        }
        _ => cannot_append(path, e),
    })
}

/// Appends the header, if it belongs there, and these rows of `batch` to its growing file, or the part that is still
/// missing: the bytes behind `at` must be a prefix of them, in which a power cut may have left zeros. Durable on return.
pub(super) fn append(
    batch: &BatchRecord,
    mut rows: impl Read + Seek,
    at: AppendAt,
) -> Result<FileState> {
    let path = batch.destination.target();
    let cannot = |e: io::Error| cannot_append(path, e);
    let header = header_at(batch, at);
    let mut file = open_for_append(batch)?;
    let before = file.metadata().map_err(cannot)?;
    let found = before.len();
    rows.rewind().map_err(cannot)?;
    let mut wanted = header.as_slice().chain(rows);
    let shown = path.display();
    if found < at.offset {
        return Err(changed_during_append(
            format!("{shown} became shorter while rows were being appended to it"),
            format!(
                "mv '{shown}' '{shown}.old' && rm '{}', then aweber-sync run, which fetches the rows again into a new file",
                batch.stage.display()
            ),
        ));
    }
    let beginning = compare(&mut file, at.offset, &mut wanted).map_err(cannot)?;
    if beginning == Beginning::Foreign {
        return Err(changed_during_append(
            format!("another program wrote to {shown} while rows were being appended to it"),
            format!(
                "mv '{shown}' '{shown}.old' && truncate -s {} '{shown}.old' (which removes what both wrote since then), \
                 then aweber-sync run, which writes the rows into a new file",
                at.offset
            ),
        ));
    }
    let mut write = || -> io::Result<FileState> {
        match beginning {
            Beginning::WithZeros => write_again(batch, wanted.get_mut().1, at)?,
            _ => _ = io::copy(&mut wanted, &mut file)?,
        }
        file.flush()?;
        file.sync_all()?;
        let length = file.metadata()?.len();
        Ok(FileState {
            length,
            tail: fingerprint(&file, length)?,
            shape: batch.layout.shape(),
        })
    };
    let outcome = write();
    if outcome.is_err() {
        leave_untouched(&file, at, &before);
    }
    outcome.map_err(cannot)
}

/// A failed write changes the time of a file, which has to show that nothing was appended. If it cannot be set back, the
/// next run asks for help (73) although it could go on.
fn leave_untouched(file: &File, at: AppendAt, before: &Metadata) {
    let is_as_before = file.metadata().is_ok_and(|found| found.len() == at.offset);
    if let (true, Ok(time)) = (is_as_before, before.modified()) {
        let _ = file.set_modified(time);
    }
}

fn changed_during_append(what: String, next: String) -> Error {
    Error::new(Kind::Output, what)
        .safe("the new rows are kept")
        .next(next)
}

/// Writes all rows of the batch over its beginning, whose zeros are in the place of some of them. The sync of the other
/// descriptor is for these bytes too.
fn write_again(batch: &BatchRecord, rows: &mut (impl Read + Seek), at: AppendAt) -> io::Result<()> {
    // A file that is open for appending is written at its end only.
    let path = shared::behind(batch.destination.target());
    let Found::File(mut file) = shared::open(&path, Access::Write)? else {
        return Err(io::Error::other("another program replaced it"));
    };
    file.seek(SeekFrom::Start(at.offset))?;
    rows.rewind()?;
    let header = header_at(batch, at);
    io::copy(&mut header.as_slice().chain(rows), &mut file).map(|_| ())
}

/// What is found where the rows of a batch belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A prefix of them, perhaps empty.
    Whole,
    /// A prefix of them with zeros in it: a file may be longer after a power cut than what was written of it.
    WithZeros,
    /// Something else.
    Foreign,
}

/// Compares the bytes of `file` from `offset` on with `wanted`, which is then read as far as they reach.
pub(super) fn compare(
    file: &mut File,
    offset: u64,
    wanted: &mut impl Read,
) -> io::Result<Beginning> {
    file.seek(SeekFrom::Start(offset))?;
    let mut found = io::BufReader::new(file);
    let (mut left, mut right) = ([0; 4096], [0; 4096]);
    let mut beginning = Beginning::Whole;
    loop {
        let n = found.read(&mut left)?;
        if n == 0 {
            return Ok(beginning);
        }
        match wanted.read_exact(&mut right[..n]) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Beginning::Foreign),
            other => other?,
        }
        let (left, right) = (&left[..n], &right[..n]);
        if left != right {
            if left.iter().zip(right).any(|(l, r)| l != r && *l != 0) {
                return Ok(Beginning::Foreign);
            }
            beginning = Beginning::WithZeros;
        }
    }
}

/// SHA-256 of the last [`TAIL`] bytes of a file of this length.
fn fingerprint(file: &File, length: u64) -> io::Result<String> {
    let from = length.saturating_sub(TAIL);
    let mut end = vec![0; (length - from) as usize];
    file.read_exact_at(&mut end, from)?;
    let digest = ring::digest::digest(&ring::digest::SHA256, &end);
    Ok(digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "writes what another process might have left"
)]
mod tests {
    use super::*;

    #[test]
    fn only_a_beginning_of_the_rows_with_zeros_at_most_is_continued() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("grown.csv");
        let rows = "list_id,email\n7,a@example.com\n7,b@example.com\n".repeat(150);
        let half = &rows[..rows.len() / 2];
        let mut zeros = half.as_bytes().to_vec();
        zeros[2000..2500].fill(0);
        let examples = [rows.as_bytes(), half.as_bytes(), &zeros];
        crate::fuzz::fuzz("growing file", &examples, 10, |found| {
            std::fs::write(&path, found).unwrap();
            let mut file = File::open(&path).unwrap();
            let compared = compare(&mut file, 0, &mut rows.as_bytes()).unwrap();
            let mut pairs = found.iter().zip(rows.as_bytes());
            let expected = if rows.as_bytes().starts_with(found) {
                Beginning::Whole
            } else if found.len() <= rows.len() && pairs.all(|(f, r)| f == r || *f == 0) {
                Beginning::WithZeros
            } else {
                Beginning::Foreign
            };
            assert_eq!(compared, expected);
        });
    }
}
