//! Names of published files, stage files and markers.

use super::output::Output;
use crate::error::{Error, Kind, Result};
use crate::export::{Layout, extensions};
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

/// Whether a file name is that of a published file.
pub(super) fn is_published(name: &str) -> bool {
    let parts = name
        .strip_prefix("subscribers-")
        .and_then(|rest| rest.rsplit_once('.'));
    // 20261122T030000Z
    parts.is_some_and(|(time, extension)| {
        extensions().any(|known| known == extension)
            && time.len() == 16
            && time.bytes().enumerate().all(|(at, byte)| match at {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
    })
}

/// Whether a file name is that of a stage file (`part`) or marker (`ready`) in an output directory.
pub(super) fn is_hidden(name: &str, extension: &str) -> bool {
    let published = name
        .strip_suffix(extension)
        .and_then(|rest| without_tag(rest.strip_suffix('.')?, '.'))
        .and_then(|rest| rest.strip_prefix('.'));
    published.is_some_and(is_published)
}

/// Whether a file name is that of a stage file in the state directory.
pub(super) fn is_in_state_dir(name: &str) -> bool {
    let number = name
        .strip_suffix(".part")
        .and_then(|rest| without_tag(rest, '-'))
        .and_then(|rest| rest.strip_prefix("batch-"));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// `name` without the separator and the tag at its end.
fn without_tag(name: &str, separator: char) -> Option<&str> {
    let (rest, tag) = name.rsplit_once(separator)?;
    let is_tag = tag.len() == 8
        && tag
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_tag.then_some(rest)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_given_here_is_recognized_and_no_other() {
        let name_of = |format| file_name(1_763_800_000, &Layout::parse(format, "email").unwrap());
        assert!(is_published(&name_of("jsonl")));
        let name = name_of("csv");
        assert!(is_published(&name), "{name}");
        let state_dir = Path::new("/state");
        let directory = Output::Directory("/out".into());
        let (into_directory, stage) = destination(&directory, state_dir, 7, &name).unwrap();
        let last = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(is_hidden(&last(&stage), "part"), "{stage:?}");
        assert!(is_hidden(&last(into_directory.marker().unwrap()), "ready"));
        let (_, stage) = destination(&Output::Stdout, state_dir, 7, &name).unwrap();
        assert!(is_in_state_dir(&last(&stage)), "{stage:?}");

        for other in [
            "authorized_keys",
            "subscribers-20261122T030000Z.sh",
            "subscribers-20261122T0300Z.csv",
            "subscribers-.csv",
            "token.json",
            "",
        ] {
            assert!(!is_published(other), "{other}");
            assert!(
                !is_hidden(other, "part") && !is_in_state_dir(other),
                "{other}"
            );
        }
        for other in [
            ".subscribers-20261122T030000Z.csv.part",
            ".subscribers-20261122T030000Z.csv.0123456g.part",
            "subscribers-20261122T030000Z.csv.01234567.part",
            ".subscribers-20261122T030000Z.csv.01234567.ready",
        ] {
            assert!(!is_hidden(other, "part"), "{other}");
        }
        for other in ["batch-.part", "batch--01234567.part", "batch-7.part"] {
            assert!(!is_in_state_dir(other), "{other}");
        }
    }
}
