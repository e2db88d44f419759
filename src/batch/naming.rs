//! Names of published files, stage files and markers.

use super::output::Output;
use crate::error::{Error, Kind, Result};
use crate::export::Layout;
use crate::ledger::batches::Destination;
use chrono::{DateTime, Utc};
use std::path::{Path, PathBuf};

/// The name of a published file: `subscribers-20261122T030000Z.csv`.
pub(super) fn file_name(named_at: i64, layout: &Layout) -> String {
    let time = DateTime::<Utc>::from_timestamp(named_at, 0).unwrap_or_default();
    format!(
        "subscribers-{}.{}",
        time.format("%Y%m%dT%H%M%SZ"),
        layout.extension()
    )
}

/// Where batch `id` will be published, and its stage file: in the output directory, so that it can be renamed, or in the
/// state directory. Other jobs may export to the same directory in the same second, so both get a random tag.
pub(super) fn destination(
    output: &Output,
    state_dir: &Path,
    id: i64,
    file_name: &str,
) -> Result<(Destination, PathBuf)> {
    let tag = random_tag()?;
    let stage = state_dir.join(format!("batch-{id}-{tag}.part"));
    Ok(match output {
        Output::Directory(directory) => (
            Destination::Directory {
                file: directory.join(file_name),
                marker: directory.join(format!(".{file_name}.{tag}.ready")),
            },
            directory.join(format!(".{file_name}.{tag}.part")),
        ),
        Output::GrowingFile(file) => (Destination::GrowingFile(file.clone()), stage),
        Output::Stdout => (Destination::Stdout, stage),
    })
}

/// Eight random hexadecimal digits.
fn random_tag() -> Result<String> {
    use ring::rand::SecureRandom;
    let mut random = [0; 4];
    ring::rand::SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::new(Kind::LocalIo, "cannot get random bytes from the system"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
