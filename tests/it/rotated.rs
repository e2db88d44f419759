//! A growing file that was rotated or emptied after a run was killed in the middle of an append: a part of the batch
//! stands in another file, so that the whole of it must not be written again.

use crate::support::killing::{Before, KILLED, has_strace_that_sees_names};
use crate::support::story::{HEADER, Outlet, Story};
use crate::support::{read_csv, sorted, subscribed};
use std::path::PathBuf;

/// A run of 250 rows killed before the nth write to the growing file.
fn killed_at_write(nth: usize, earlier: usize) -> Story {
    let mut story = Story::new(Outlet::File);
    if earlier > 0 {
        story.more(earlier);
        story.run_ok();
    }
    story.more(250);
    let file = story.file();
    let before = Before {
        call: "write",
        nth,
        on: Some(&file),
    };
    let killed = story.site.run_killed(story.arguments(), before);
    killed.exits(KILLED);
    assert_eq!(story.state().as_deref(), Some("appending"));
    story
}

fn rotated(story: &Story) -> PathBuf {
    story.site.path("grown.csv.1")
}

/// The addresses in both files, sorted.
fn in_both(story: &Story) -> Vec<String> {
    let files = [rotated(story), story.file()];
    let rows = files
        .iter()
        .filter(|file| file.exists())
        .flat_map(|file| read_csv(file));
    sorted(rows.map(|row| row["email"].clone()))
}

#[test]
fn a_half_append_that_was_renamed_is_found_and_the_way_out_works() {
    if !has_strace_that_sees_names() {
        return;
    }
    for earlier in [0, 3] {
        for made_anew in [false, true] {
            let mut story = killed_at_write(3, earlier);
            std::fs::rename(story.file(), rotated(&story)).unwrap();
            if made_anew {
                std::fs::write(story.file(), "").unwrap();
            }
            let told = format!(
                "mv '{}' '{}'",
                rotated(&story).display(),
                story.file().display()
            );
            story.assert_refuses("grown.csv.1").says_next(&told);
            std::fs::rename(rotated(&story), story.file()).unwrap();
            let done = story.run_ok();
            story.assert_everybody_once("moved back as told", &done);
        }
    }
}

#[test]
fn a_half_append_that_was_copied_and_emptied_is_refused_and_the_way_out_works() {
    if !has_strace_that_sees_names() {
        return;
    }
    for earlier in [0, 3] {
        let mut story = killed_at_write(3, earlier);
        std::fs::copy(story.file(), rotated(&story)).unwrap();
        std::fs::OpenOptions::new()
            .write(true)
            .open(story.file())
            .unwrap()
            .set_len(0)
            .unwrap();
        story.assert_refuses("emptied").says_next("move the file");
        std::fs::rename(rotated(&story), story.file()).unwrap();
        let done = story.run_ok();
        story.assert_everybody_once("put back as told", &done);
    }
}

#[test]
fn a_half_append_that_is_gone_is_fetched_again_if_told_so() {
    if !has_strace_that_sees_names() {
        return;
    }
    let mut story = killed_at_write(3, 0);
    std::fs::remove_file(story.file()).unwrap();
    let stage = story.batch().stage;
    story
        .assert_refuses("taken away")
        .says(&format!("rm '{}'", stage.display()));
    std::fs::remove_file(stage).unwrap();
    let done = story.run_ok();
    story.assert_everybody_once("fetched again as told", &done);
}

#[test]
fn a_rotation_after_a_kill_before_the_first_byte_needs_nobody() {
    if !has_strace_that_sees_names() {
        return;
    }
    for earlier in [0, 3] {
        for rotate in [false, true] {
            let mut story = killed_at_write(1, earlier);
            if rotate {
                std::fs::rename(story.file(), rotated(&story)).unwrap();
            }
            if rotate && earlier > 0 {
                // Its reader has begun the next one.
                std::fs::write(story.file(), "").unwrap();
            }
            story.run_ok();
            assert_eq!(
                in_both_or_one(&story),
                subscribed(&story.site, &[story.list])
            );
            assert!(
                std::fs::read_to_string(story.file())
                    .unwrap()
                    .starts_with(HEADER)
            );
        }
    }
}

fn in_both_or_one(story: &Story) -> Vec<String> {
    if rotated(story).metadata().is_ok_and(|file| file.len() == 0) {
        return story.exported();
    }
    in_both(story)
}

#[test]
fn another_file_with_a_header_in_place_of_a_half_append_is_not_taken_for_it() {
    if !has_strace_that_sees_names() {
        return;
    }
    let mut story = killed_at_write(3, 0);
    std::fs::rename(story.file(), rotated(&story)).unwrap();
    std::fs::write(story.file(), HEADER).unwrap();
    // It begins as the batch does: the rest may go there, but only if no row stands in the other.
    let done = story.run();
    done.fails();
    assert_eq!(std::fs::read_to_string(story.file()).unwrap(), HEADER);
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
        let mut story = Story::new(Outlet::File);
        story.more(20);
        story.run_ok();
        std::fs::write(story.file(), &content).unwrap();
        story.more(1);
        let done = story.run();
        done.case(&content).exits(if accepted { 0 } else { 73 });
        let now = std::fs::read_to_string(story.file()).unwrap();
        assert_eq!(now == content, !accepted, "{content}");
    }
}

#[test]
fn jsonl_that_became_shorter_is_left_alone() {
    let story = Story::new(Outlet::Directory);
    story.more(3);
    let arguments = ["--output", "grown.jsonl", "--format", "jsonl"];
    story.site.run_ok(&arguments);
    let path = story.site.path("grown.jsonl");
    story.more(1);
    for content in ["{\"foreign\":1}\n", "[\n", "a line\n"] {
        std::fs::write(&path, content).unwrap();
        story
            .site
            .run(&arguments)
            .exits(73)
            .says("shorter")
            .says_next("mv ");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    std::fs::write(&path, "").unwrap();
    story.site.run_ok(&arguments);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
}
