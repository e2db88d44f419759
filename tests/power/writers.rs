//! The model itself, tried on small programs: three that lose data when the power goes, and one that does not.

use crate::disk::Disk;
use crate::record::{OPTIONS, events};
use crate::states::{Survivors, What};
use crate::trace::TRACED_CALLS;
use std::path::Path;
use std::process::Command;

/// Replaces or extends the file `f`, which holds [`OLD`].
struct Writer {
    name: &'static str,
    script: &'static str,
    new: &'static str,
    /// What it may lose.
    flaw: Option<Flaw>,
}

/// What a reader finds after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// Neither the old content nor the new one.
    Damaged,
    /// Not the new content, although the writer had ended.
    Lost,
}

const OLD: &str = "old\n";

const WRITERS: [Writer; 4] = [
    Writer {
        name: "rename without fsync",
        script: "echo new > f.tmp && mv f.tmp f && sync .",
        new: "new\n",
        flaw: Some(Flaw::Damaged),
    },
    Writer {
        name: "no fsync of the directory",
        script: "echo new > f.tmp && sync f.tmp && mv f.tmp f",
        new: "new\n",
        flaw: Some(Flaw::Lost),
    },
    Writer {
        name: "append without fsync",
        script: "echo new >> f",
        new: "old\nnew\n",
        flaw: Some(Flaw::Damaged),
    },
    Writer {
        name: "a good one",
        script: "echo new > f.tmp && sync f.tmp && mv f.tmp f && sync .",
        new: "new\n",
        flaw: None,
    },
];

/// How many random states of each disk.
const DRAWN: u64 = 200;

/// Panics unless the model finds the flaw of each writer, and none in the good one.
pub(crate) fn prove() {
    for writer in &WRITERS {
        let flaws = flaws(writer);
        println!("{:34} {flaws:?}", writer.name);
        match writer.flaw {
            Some(flaw) => assert!(flaws.contains(&flaw), "{}: no {flaw:?}", writer.name),
            None => assert_eq!(flaws, [], "{}", writer.name),
        }
    }
}

fn flaws(writer: &Writer) -> Vec<Flaw> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    std::fs::write(root.join("f"), OLD).unwrap();
    let before = Disk::read(root);
    let events = events(&trace(writer.script, root), root);
    let mut flaws = Vec::new();
    let mut disk = before;
    for n in 0..=events.len() {
        let has_ended = n == events.len();
        if has_ended {
            disk.look_up(root);
        }
        let drawn = (0..DRAWN).map(Survivors::Some);
        for survivors in [Survivors::None, Survivors::All].into_iter().chain(drawn) {
            let found = disk.state(survivors).0.remove("f").map(|item| item.what);
            let is = |text: &str| found == Some(What::File(text.as_bytes().to_vec()));
            let flaw = match (is(OLD), is(writer.new)) {
                (false, false) => Flaw::Damaged,
                (true, _) if has_ended => Flaw::Lost,
                _ => continue,
            };
            if !flaws.contains(&flaw) {
                flaws.push(flaw);
            }
        }
        if let Some(event) = events.get(n) {
            disk.apply(event);
        }
    }
    flaws
}

fn trace(script: &str, root: &Path) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-y", "-o"])
        .arg(file.path())
        .args(OPTIONS)
        .args(["-e", &format!("trace={TRACED_CALLS}")])
        .args(["sh", "-c", script])
        .current_dir(root)
        .status();
    assert!(traced.unwrap().success(), "{script}");
    std::fs::read_to_string(file.path()).unwrap()
}
