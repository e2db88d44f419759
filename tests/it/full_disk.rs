//! A small file system for state and output: a lack of space is detected before the token is spent, fetched rows are
//! kept, and with free space again the next run completes. Mounting needs root.

use crate::support::disk::{SmallDisk, fill_except, is_root};
use crate::support::job::{Job, OutputKind};
use crate::support::{Done, is_whole, sorted, subscribed};
use aweber_sandbox::{Fault, FaultKind};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Free space in KiB. The room for the next token alone takes 68.
const FREE_KIB: [u64; 8] = [0, 4, 16, 64, 72, 112, 160, 200];

/// Free space in KiB on a disk with the output alone.
const FREE_OUTPUT_KIB: [u64; 6] = [0, 4, 16, 64, 200, 1000];

/// Every value, or for a sample every second one.
fn tried(values: &[u64]) -> impl Iterator<Item = u64> {
    values
        .iter()
        .copied()
        .step_by(if is_whole() { 1 } else { 2 })
}

/// Certainly enough.
const PLENTY_KIB: u64 = 1024;

/// A job with its state directory, exports included, on a small disk. With `before`, it has exported once.
fn job_on_small_disk(before: bool) -> Option<(Job, SmallDisk)> {
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(900);
    let tokens = job.site.tokens();
    let disk = SmallDisk::at(job.site.state_dir(), 4096)?;
    job.site.write_token_file(&tokens);
    if before {
        job.run_ok();
        job.add_subscribers(900);
    }
    Some((job, disk))
}

/// Asserts that a failed run names the directory, the cause, what is safe and the next step.
fn assert_has_advice(job: &Job, done: &Done, what: &str) {
    let state = job.site.state_dir().display().to_string();
    for part in [state.as_str(), " space", "\n  safe: ", "\n  next: "] {
        done.case(&what).says(part);
    }
}

#[test]
fn with_any_free_space_no_token_is_spent_that_cannot_be_stored_and_no_row_is_lost() {
    if !is_root() {
        return;
    }
    for before in [false, true] {
        let (mut unspent, mut kept, mut succeeded) = (0, 0, 0);
        for left in tried(&FREE_KIB).chain([PLENTY_KIB]) {
            let what = format!("{left} KiB left, exported before: {before}");
            let Some((mut job, disk)) = job_on_small_disk(before) else {
                return;
            };
            disk.fill_except(left);
            job.site.forget_requests();
            let tokens = job.site.tokens();
            let done = job.run();
            assert!(job.site.token_is_live(), "{what}: {done}");
            let spent = job.site.token_requests() > 0;
            match done.code {
                0 => {
                    job.assert_exported_once(&what, &done);
                    succeeded += 1;
                }
                // The exports are on that disk too.
                73 | 74 if spent => {
                    assert_has_advice(&job, &done, &what);
                    kept += 1;
                }
                74 => {
                    assert_has_advice(&job, &done, &what);
                    assert_eq!(job.site.requests(), 0, "{what}: {done}");
                    assert!(job.site.tokens() == tokens, "{what}");
                    unspent += 1;
                }
                code => panic!("{code}, {what}: {done}"),
            }
            assert!(left > 64 || !spent, "too little for the next token, {what}");

            disk.make_room();
            let done = job.run_ok();
            job.assert_exported_once(&what, &done);
        }
        assert!(
            unspent >= if is_whole() { 4 } else { 2 } && kept >= 1 && succeeded >= 1,
            "{unspent} detected before the refresh, {kept} after it, {succeeded} succeeded; exported before: {before}"
        );
    }
}

#[test]
fn an_output_on_an_almost_full_disk_ends_with_73_and_is_completed_later() {
    if !is_root() {
        return;
    }
    for output in ["disk", "disk/grown.csv", "disk/grown.jsonl"] {
        let format = if output.ends_with("jsonl") {
            "jsonl"
        } else {
            "csv"
        };
        let arguments = ["--output", output, "--format", format];
        let (mut refused, mut succeeded) = (0, 0);
        for left in tried(&FREE_OUTPUT_KIB).chain([PLENTY_KIB]) {
            let what = format!("{left} KiB left for {output}");
            let job = Job::new(OutputKind::Directory);
            let Some(disk) = SmallDisk::at(job.site.path("disk"), 2048) else {
                return;
            };
            job.add_subscribers(20);
            job.site.run_ok(&arguments);
            job.add_subscribers(400);
            disk.fill_except(left);
            let done = job.site.run(&arguments);
            if done.code == 0 {
                succeeded += 1;
            } else {
                done.case(&what)
                    .exits(73)
                    .says("disk/")
                    .says(" space")
                    .says("\n  safe: ")
                    .says("\n  next: ");
                refused += 1;
            }
            assert!(job.site.token_is_live(), "{what}");
            disk.make_room();
            let done = job.site.run_ok(&arguments);
            let expected = subscribed(&job.site, &[job.list]);
            let exported = exported_to(&job.site.path(output));
            assert!(
                exported == expected,
                "{what}: {} rows: {done}",
                exported.len()
            );
            assert_eq!(job.unfinished_files(), Vec::<String>::new(), "{what}");
        }
        assert!(
            refused >= 2 && succeeded >= 1,
            "{output}: {refused} refused, {succeeded} succeeded"
        );
    }
}

/// The addresses in an output of any kind, sorted; each record must be complete.
fn exported_to(path: &Path) -> Vec<String> {
    if path.is_dir() {
        let files = crate::support::published(path);
        return sorted(files.iter().flat_map(|file| exported_to(file)));
    }
    let text = std::fs::read_to_string(path).unwrap();
    if path.extension().is_some_and(|end| end == "jsonl") {
        let address = |line: &str| {
            let record: Value = serde_json::from_str(line).unwrap();
            record["email"].as_str().unwrap().to_owned()
        };
        return sorted(text.lines().map(address));
    }
    let rows = crate::support::parse_csv(&text);
    sorted(rows.into_iter().map(|row| row["email"].clone()))
}

#[test]
fn an_append_interrupted_by_a_full_disk_is_repaired() {
    if !is_root() {
        return;
    }
    for name in ["grown.csv", "grown.jsonl"] {
        let format = &name[6..];
        let job = Job::new(OutputKind::Directory);
        let Some(disk) = SmallDisk::at(job.site.path("disk"), 2048) else {
            return;
        };
        let output = format!("disk/{name}");
        let arguments = ["--output", &output, "--format", format];
        job.add_subscribers(20);
        job.site.run_ok(&arguments);
        job.add_subscribers(400);
        // Only after the last rows have arrived, so that the check at the start finds free space.
        let (full, file) = (disk.0.clone(), job.site.path(&output));
        job.site.sandbox.with(|world| {
            world.before("total_size", 1, move |_| fill_except(&full, 8));
        });
        let before = std::fs::metadata(&file).unwrap().len();
        let done = job.site.run(&arguments);
        done.case(&name).exits(73);
        // The append was torn.
        let after = std::fs::metadata(&file).unwrap().len();
        assert!(after > before, "{name}: {done}");
        job.site.run(&arguments).case(&name).exits(73);

        disk.make_room();
        let done = job.site.run_ok(&arguments);
        let expected = subscribed(&job.site, &[job.list]);
        assert!(exported_to(&file) == expected, "{name}: {done}");
        assert_eq!(job.unfinished_files(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_symlinked_token_file_on_another_disk_is_replaced_there_and_the_link_stays() {
    if !is_root() {
        return;
    }
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(3);
    let site = &job.site;
    let Some(disk) = SmallDisk::at(site.path("disk"), 256) else {
        return;
    };
    let kept = disk.0.join("kept.json");
    std::fs::copy(site.token_file(), &kept).unwrap();
    std::fs::remove_file(site.token_file()).unwrap();
    std::os::unix::fs::symlink("../disk/kept.json", site.token_file()).unwrap();
    site.run_ok(&[]);
    assert!(site.token_file().is_symlink());
    assert!(site.token_is_live());
    // The room is needed on that disk, not on the link's.
    disk.fill();
    site.forget_requests();
    let done = site.run(&[]);
    done.exits(74);
    assert_eq!(site.requests(), 0, "{done}");
    done.says("disk/kept.json");
    disk.make_room();
    let done = site.run_ok(&[]);
    assert!(site.token_file().is_symlink() && site.token_is_live());
    job.assert_exported_once("through the link", &done);
}

#[test]
fn a_disk_filled_between_two_checkpoints_costs_only_the_rows_since_the_first() {
    if !is_root() {
        return;
    }
    let Some((mut job, disk)) = job_on_small_disk(false) else {
        return;
    };
    let full = disk.0.clone();
    job.site.sandbox.with(|world| {
        let slow = FaultKind::DelayBefore(Duration::from_millis(1010));
        world.fault(Fault::on("status=subscribed").skip(1).answer(slow));
        world.before("status=subscribed", 3, move |_| fill_except(&full, 0));
    });
    let done = job.run();
    assert!([73, 74].contains(&done.code), "{done}");
    assert_has_advice(&job, &done, "filled between two checkpoints");
    assert_eq!(job.batch().state, "open");
    disk.make_room();
    job.site.forget_requests();
    let done = job.run_ok();
    job.assert_exported_once("with room again", &done);
    assert!(job.site.files().len() == 2, "{done}");
}
