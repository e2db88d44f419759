//! A growing file that was rotated or emptied after a run was killed in the middle of an append: a part of the batch
//! stands in another file, so that the whole of it must not be written again.

use crate::support::disk::with_failing_calls;
use crate::support::interrupt::{KILLED, KillPoint, has_strace_with_paths};
use crate::support::job::{HEADER, Job, OutputKind};
use crate::support::{read_csv, sorted, subscribed};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A run of 250 rows killed before the nth write to the growing file.
fn killed_at_write(nth: usize, earlier: usize) -> Job {
    let mut job = Job::new(OutputKind::File);
    if earlier > 0 {
        job.add_subscribers(earlier);
        job.run_ok();
    }
    job.add_subscribers(250);
    let file = job.file();
    let before = KillPoint {
        call: "write",
        nth,
        on: Some(&file),
    };
    let killed = job.site.run_killed(job.arguments(), before);
    killed.exits(KILLED);
    assert_eq!(job.batch_state().as_deref(), Some("appending"));
    job
}

fn rotated(job: &Job) -> PathBuf {
    job.site.path("grown.csv.1")
}

/// The addresses in both files, sorted.
fn in_both(job: &Job) -> Vec<String> {
    let files = [rotated(job), job.file()];
    let rows = files
        .iter()
        .filter(|file| file.exists())
        .flat_map(|file| read_csv(file));
    sorted(rows.map(|row| row["email"].clone()))
}

#[test]
fn a_half_append_that_was_renamed_is_found_and_the_way_out_works() {
    if !has_strace_with_paths() {
        return;
    }
    for earlier in [0, 3] {
        for made_anew in [false, true] {
            let mut job = killed_at_write(3, earlier);
            std::fs::rename(job.file(), rotated(&job)).unwrap();
            if made_anew {
                std::fs::write(job.file(), "").unwrap();
            }
            let told = format!(
                "mv '{}' '{}'",
                rotated(&job).display(),
                job.file().display()
            );
            job.assert_next_run_refused("grown.csv.1").says_next(&told);
            std::fs::rename(rotated(&job), job.file()).unwrap();
            let done = job.run_ok();
            job.assert_exported_once("moved back as told", &done);
        }
    }
}

#[test]
fn a_half_append_that_was_copied_and_emptied_is_refused_and_the_way_out_works() {
    if !has_strace_with_paths() {
        return;
    }
    for earlier in [0, 3] {
        let mut job = killed_at_write(3, earlier);
        std::fs::copy(job.file(), rotated(&job)).unwrap();
        std::fs::OpenOptions::new()
            .write(true)
            .open(job.file())
            .unwrap()
            .set_len(0)
            .unwrap();
        job.assert_next_run_refused("emptied")
            .says_next("move the file");
        std::fs::rename(rotated(&job), job.file()).unwrap();
        let done = job.run_ok();
        job.assert_exported_once("put back as told", &done);
    }
}

#[test]
fn a_half_append_that_is_gone_is_fetched_again_if_told_so() {
    if !has_strace_with_paths() {
        return;
    }
    let mut job = killed_at_write(3, 0);
    std::fs::remove_file(job.file()).unwrap();
    let stage = job.batch().stage;
    job.assert_next_run_refused("taken away")
        .says(&format!("rm '{}'", stage.display()));
    std::fs::remove_file(stage).unwrap();
    let done = job.run_ok();
    job.assert_exported_once("fetched again as told", &done);
}

#[test]
fn a_rotation_after_a_kill_before_the_first_byte_needs_nobody() {
    if !has_strace_with_paths() {
        return;
    }
    for earlier in [0, 3] {
        for rotate in [false, true] {
            let mut job = killed_at_write(1, earlier);
            if rotate {
                std::fs::rename(job.file(), rotated(&job)).unwrap();
            }
            if rotate && earlier > 0 {
                // Its reader has begun the next one.
                std::fs::write(job.file(), "").unwrap();
            }
            job.run_ok();
            assert_eq!(in_both_or_one(&job), subscribed(&job.site, &[job.list]));
            assert!(
                std::fs::read_to_string(job.file())
                    .unwrap()
                    .starts_with(HEADER)
            );
        }
    }
}

fn in_both_or_one(job: &Job) -> Vec<String> {
    if rotated(job).metadata().is_ok_and(|file| file.len() == 0) {
        return job.exported();
    }
    in_both(job)
}

#[test]
fn another_file_with_a_header_in_place_of_a_half_append_is_not_taken_for_it() {
    if !has_strace_with_paths() {
        return;
    }
    let mut job = killed_at_write(3, 0);
    std::fs::rename(job.file(), rotated(&job)).unwrap();
    std::fs::write(job.file(), HEADER).unwrap();
    // It begins as the batch does: the rest may go there, but only if no row stands in the other.
    let done = job.run();
    done.fails();
    assert_eq!(std::fs::read_to_string(job.file()).unwrap(), HEADER);
}

#[test]
fn a_file_that_became_shorter_is_gone_on_with_only_if_it_surely_holds_whole_records_of_ours() {
    let header = HEADER.to_owned();
    let row = |cell: &str| format!("6000001,Readers,1,{cell}{}\n", ",".repeat(24));
    let whole = header.clone() + &row("a@example.com");
    let cut_in_cell = header.clone() + &row("\"b\n").replace(&format!("{}\n", ",".repeat(24)), "");
    let short_row = header.clone() + "6000001,Readers\n";
    for (content, accepted) in [
        (header.clone(), true),
        (whole.clone(), true),
        (header.clone() + &row("\"a \"\"quoted\"\"\ncell\""), true),
        (cut_in_cell, false),
        (short_row, false),
        (whole.trim_end().to_owned(), false),
        (row("a@example.com"), false),
    ] {
        let mut job = Job::new(OutputKind::File);
        job.add_subscribers(20);
        job.run_ok();
        std::fs::write(job.file(), &content).unwrap();
        job.add_subscribers(1);
        let done = job.run();
        done.case(&content).exits(if accepted { 0 } else { 73 });
        let now = std::fs::read_to_string(job.file()).unwrap();
        assert_eq!(now == content, !accepted, "{content}");
    }
}

#[test]
fn jsonl_that_became_shorter_is_left_alone() {
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(3);
    let arguments = ["--output", "grown.jsonl", "--format", "jsonl"];
    job.site.run_ok(&arguments);
    let path = job.site.path("grown.jsonl");
    job.add_subscribers(1);
    for content in ["{\"foreign\":1}\n", "[\n", "a line\n"] {
        std::fs::write(&path, content).unwrap();
        job.site
            .run(&arguments)
            .exits(73)
            .says("shorter")
            .says_next("mv ");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    std::fs::write(&path, "").unwrap();
    job.site.run_ok(&arguments);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
}

#[test]
fn a_consumer_that_takes_the_file_as_soon_as_it_has_content_gets_every_row_once() {
    if !has_strace_with_paths() {
        return;
    }
    let job = Job::new(OutputKind::File);
    job.add_subscribers(150);
    let command = job.site.command(&[&["run"], job.arguments()].concat());
    // Each sync of the file takes long enough to be met.
    let slow = with_failing_calls(&command, &[&job.file()], &["fsync:delay_enter=300000"]);
    let mut taken = 0;
    let ended = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if job.file().metadata().is_ok_and(|file| file.len() > 0) {
                    taken += 1;
                    std::fs::create_dir_all(job.site.path("taken")).unwrap();
                    let to = job.site.path(&format!("taken/{taken}.csv"));
                    std::fs::rename(job.file(), to).unwrap();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let done = job.site.finish(slow);
        ended.store(true, Ordering::Relaxed);
        done
    });
    done.exits(0);
    job.site.run_ok(job.arguments());
    let files = (1..=taken).map(|n| job.site.path(&format!("taken/{n}.csv")));
    let rows = files.flat_map(|file| read_csv(&file));
    let rows = sorted(rows.map(|row| row["email"].clone()));
    assert_eq!(rows, subscribed(&job.site, &[job.list]), "{done}");
}
