//! The one growing file: whether it is as we left it, and appending to it so that a torn end is mended by the next
//! run. Never pads, never cuts: what stands in it belongs to its readers.

use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use crate::export::Layout;
use crate::ledger::batches::KnownOutput;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much of the end is fingerprinted, bytes.
const TAIL: u64 = 4096;

/// Where and how the next rows are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppendAt {
    /// The file's length now, bytes.
    pub(crate) at: u64,
    /// A header comes first: the file is new or was rotated.
    pub(crate) with_header: bool,
}

/// Where to append to, if the file is as we left it, new, or rotated. Errors: 73 if somebody else writes to it.
pub(crate) fn check(path: &Path, known: Option<&KnownOutput>, layout: &Layout) -> Result<AppendAt> {
    let found = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
        Err(e) => return Err(Error::output("cannot look at", path, &e)),
    };
    if found == 0 {
        return Ok(AppendAt {
            at: 0,
            with_header: true,
        });
    }
    let (length, left) = match known {
        Some(KnownOutput {
            length: Some(length),
            tail,
            ..
        }) => (*length, tail.as_deref()),
        _ => (0, None),
    };
    if let Some(shape) = known.and_then(|known| known.shape.as_ref())
        && *shape != layout.shape()
    {
        let shown = path.display();
        return Err(Error::config(format!(
            "{shown} holds rows of another shape ({}) than is wanted now ({})",
            shortened(shape),
            shortened(&layout.shape())
        ))
        .safe("it was left as it is; nothing was fetched and no row is lost")
        .next(format!(
            "give --format, --columns and --excel as before, or mv '{shown}' '{shown}.old' (the next run begins a new file)"
        )));
    }
    let same =
        || -> io::Result<bool> { Ok(Some(tail(&File::open(path)?, length)?.as_str()) == left) };
    if found == length && same().map_err(|e| Error::output("cannot read", path, &e))? {
        return Ok(AppendAt {
            at: length,
            with_header: false,
        });
    }
    if found < length
        && is_emptied(path, found, layout).map_err(|e| Error::output("cannot read", path, &e))?
    {
        return Ok(AppendAt {
            at: found,
            with_header: false,
        });
    }
    let shown = path.display();
    let what = match (length, found.cmp(&length)) {
        (0, _) => format!("{shown} holds something already, and this job never wrote to it"),
        (_, std::cmp::Ordering::Greater) => {
            format!("{shown} is longer than this job left it: somebody else writes to it")
        }
        (_, std::cmp::Ordering::Less) => {
            format!("{shown} is shorter than this job left it, but not empty")
        }
        _ => format!("{shown} was changed since this job wrote to it"),
    };
    Err(Error::new(Kind::Output, what)
        .safe("it was left as it is; no row is lost")
        .next(format!(
            "mv '{shown}' '{shown}.old' (the next run begins a new file), or give another --output; a directory takes \
             one file a batch and needs no such care"
        )))
}

/// Whether a reader took rows away and left the header, or whole records behind it: nothing of ours is torn, and what
/// follows it is in its place.
fn is_emptied(path: &Path, length: u64, layout: &Layout) -> io::Result<bool> {
    let header = layout.header();
    let file = File::open(path)?;
    let mut beginning = vec![0; header.len().min(length as usize)];
    file.read_exact_at(&mut beginning, 0)?;
    let mut end = [0];
    file.read_exact_at(&mut end, length - 1)?;
    Ok(beginning == header && end == *b"\n")
}

/// Enough of a shape to tell it from another.
fn shortened(shape: &str) -> String {
    let mut short: String = shape.chars().take(60).collect();
    if short.len() < shape.len() {
        short.push('…');
    }
    short
}

/// Appends `header` and the stage file, or what is still missing of them: what stands behind `at` must be a beginning
/// of that. Durable when it returns; says the new length.
pub(crate) fn append(path: &Path, at: u64, header: &[u8], stage: &Path, mode: u32) -> Result<u64> {
    let cannot = |e: io::Error| {
        Error::output("cannot append to", path, &e)
            .safe("the new rows are kept; the next run appends what is missing")
            .next("make room and the file writable, then run again")
    };
    let mut file = atomic::open_for_append(path, mode).map_err(cannot)?;
    let found = file.metadata().map_err(cannot)?.len();
    let mut wanted = header.chain(File::open(stage).map_err(cannot)?);
    if found < at {
        return Err(Error::new(
            Kind::Output,
            format!(
                "{} became shorter while rows were being appended to it",
                path.display()
            ),
        )
        .safe("the new rows are kept")
        .next(format!(
            "mv '{0}' '{0}.old', then run again: they go into a new file",
            path.display()
        )));
    }
    if !is_beginning(&mut file, at, found - at, &mut wanted).map_err(cannot)? {
        return Err(Error::new(
            Kind::Output,
            format!(
                "somebody else wrote to {} while rows were being appended to it",
                path.display()
            ),
        )
        .safe("it was left as it is; the new rows are kept")
        .next(format!(
            "mv '{0}' '{0}.old', then run again: they go into a new file",
            path.display()
        )));
    }
    io::copy(&mut wanted, &mut file).map_err(cannot)?;
    file.flush().map_err(cannot)?;
    file.sync_all().map_err(cannot)?;
    Ok(file.metadata().map_err(cannot)?.len())
}

/// Whether the `length` bytes of `file` from `at` on are what `wanted` begins with; `wanted` is then past them.
fn is_beginning(file: &mut File, at: u64, length: u64, wanted: &mut impl Read) -> io::Result<bool> {
    file.seek(SeekFrom::Start(at))?;
    let mut have = io::BufReader::new(file).take(length);
    let (mut left, mut right) = ([0; 4096], [0; 4096]);
    loop {
        let n = have.read(&mut left)?;
        if n == 0 {
            return Ok(true);
        }
        if let Err(e) = wanted.read_exact(&mut right[..n]) {
            return if e.kind() == io::ErrorKind::UnexpectedEof {
                Ok(false)
            } else {
                Err(e)
            };
        }
        if left[..n] != right[..n] {
            return Ok(false);
        }
    }
}

/// What to remember of a growing file of that length.
pub(crate) fn fingerprint(path: &Path, length: u64) -> Result<String> {
    File::open(path)
        .and_then(|file| tail(&file, length))
        .map_err(|e| Error::output("cannot read", path, &e))
}

fn tail(file: &File, length: u64) -> io::Result<String> {
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
