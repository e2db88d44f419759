//! N3, the states a kill can leave: each is built by hand from a batch that SIGTERM left open with a checkpoint, and
//! must be finished by the next run from what is on disk alone. Growing files are in `append`.

use crate::support::story::{HEADER, Outlet, Story, append, cut};
use crate::support::{published, read_csv};

/// As [`Story::left_open`], but killed right after the commit that calls the batch ready.
fn left_ready() -> Story {
    let story = Story::left_open(Outlet::Directory);
    story
        .ledger()
        .execute("UPDATE batch SET state = 'ready'", [])
        .unwrap();
    std::fs::write(story.batch().marker.unwrap(), "").unwrap();
    story
}

#[test]
fn an_open_batch_is_published_and_the_run_goes_on_behind_it() {
    for outlet in [Outlet::Directory, Outlet::File, Outlet::Stdout] {
        let mut story = Story::left_open(outlet);
        let stage = story.batch().stage;
        story.assert_goes_on("as left by SIGTERM");
        assert!(!stage.exists());
    }
    let mut story = Story::left_open(Outlet::Directory);
    story.assert_goes_on("as left by SIGTERM");
    let rows: Vec<usize> = story
        .site
        .files()
        .iter()
        .map(|file| read_csv(file).len())
        .collect();
    assert_eq!(rows, [199, 51]);
}

#[test]
fn what_stands_behind_the_checkpoint_is_cut_off() {
    for outlet in [Outlet::Directory, Outlet::File, Outlet::Stdout] {
        let mut story = Story::left_open(outlet);
        append(
            &story.batch().stage,
            b"6000001,Readers,50000200,reader50000200@exa",
        );
        story.assert_goes_on("the stage file is longer than recorded");
    }
}

#[test]
fn a_stage_file_that_is_shorter_than_recorded_makes_the_batch_void() {
    for outlet in [Outlet::Directory, Outlet::File, Outlet::Stdout] {
        let mut story = Story::left_open(outlet);
        cut(&story.batch().stage, 1);
        story.assert_begins_anew("the stage file is shorter than recorded");
    }
}

#[test]
fn a_stage_file_that_is_gone_makes_the_batch_void() {
    for outlet in [Outlet::Directory, Outlet::File, Outlet::Stdout] {
        let mut story = Story::left_open(outlet);
        std::fs::remove_file(story.batch().stage).unwrap();
        story.assert_begins_anew("the stage file is gone");
    }
}

#[test]
fn a_batch_recorded_but_not_begun_is_void() {
    for outlet in [Outlet::Directory, Outlet::File, Outlet::Stdout] {
        let mut story = Story::new(outlet);
        story.more(250);
        // Killed at the third page, before any checkpoint: the batch is recorded, empty, and its stage file there.
        let held = story.hold_at_third_page();
        let killed = story.site.kill(held);
        story.note(&killed);
        assert_eq!(
            (story.batch().state.as_str(), story.batch().rows),
            ("open", 0)
        );
        story.assert_begins_anew("no checkpoint yet");
    }
}

#[test]
fn what_a_void_batch_has_left_is_removed_also_after_a_kill_in_between() {
    let mut story = Story::left_open(Outlet::Directory);
    // Killed after the commit that calls it void, before the stage file was removed.
    let ledger = story.ledger();
    ledger
        .execute("UPDATE batch SET state = 'void'", [])
        .unwrap();
    ledger.execute("DELETE FROM subscription", []).unwrap();
    ledger
        .execute("UPDATE list SET progress = settled", [])
        .unwrap();
    drop(ledger);
    story.assert_begins_anew("killed while giving the batch up");
}

#[test]
fn a_marker_made_before_the_batch_is_ready_changes_nothing() {
    let mut story = Story::left_open(Outlet::Directory);
    std::fs::write(story.batch().marker.unwrap(), "").unwrap();
    story.assert_goes_on("killed between marker and commit");
}

#[test]
fn a_ready_batch_with_its_stage_file_is_renamed() {
    let mut story = left_ready();
    let target = story.batch().target;
    story.assert_goes_on("killed between commit and rename");
    assert!(target.exists());
}

#[test]
fn a_ready_batch_without_its_stage_file_was_published() {
    let mut story = left_ready();
    let batch = story.batch();
    std::fs::rename(&batch.stage, &batch.target).unwrap();
    story.assert_goes_on("killed between rename and commit");
    assert_eq!(story.site.files().len(), 2);
}

#[test]
fn a_ready_batch_that_its_reader_has_taken_away_does_not_come_again() {
    let mut story = left_ready();
    let batch = story.batch();
    let (taken, exports) = (story.site.path("taken.csv"), story.site.exports());
    std::fs::rename(&batch.stage, &taken).unwrap();
    let done = story.run_ok();
    assert_eq!(published(&exports).len(), 1, "{done}");
    // Back to where the run has put it, to be counted.
    std::fs::rename(taken, batch.target).unwrap();
    story.assert_everybody_once("taken away by its reader", &done);
}

#[test]
fn a_ready_batch_that_is_gone_with_its_marker_is_void() {
    let mut story = left_ready();
    let batch = story.batch();
    std::fs::remove_file(batch.stage).unwrap();
    std::fs::remove_file(batch.marker.unwrap()).unwrap();
    story.assert_begins_anew("stage file and marker are gone");
}

#[test]
fn a_published_batch_loses_its_marker_in_the_next_run() {
    let mut story = Story::new(Outlet::Directory);
    story.more(3);
    story.run_ok();
    std::fs::write(story.batch().marker.unwrap(), "").unwrap();
    let done = story.run_ok();
    story.assert_everybody_once("killed before the marker was removed", &done);
    assert_eq!(story.site.files().len(), 1);
}

#[test]
fn a_published_batch_loses_its_stage_file_in_the_next_run() {
    for outlet in [Outlet::File, Outlet::Stdout] {
        let mut story = Story::new(outlet);
        story.more(3);
        story.run_ok();
        std::fs::write(story.batch().stage, "rows").unwrap();
        let done = story.run_ok();
        story.assert_everybody_once("killed before the stage file was removed", &done);
    }
}

#[test]
fn a_missing_directory_stops_the_run_before_anything_is_spent() {
    for story in [&mut Story::left_open(Outlet::Directory), &mut left_ready()] {
        let (exports, away) = (story.site.exports(), story.site.path("unmounted"));
        std::fs::rename(&exports, &away).unwrap();
        story.assert_refuses("is missing");
        // The volume is mounted again.
        std::fs::rename(&away, &exports).unwrap();
        story.assert_goes_on("mounted again");
    }
}

#[test]
fn a_directory_that_is_gone_for_good_and_made_anew_gets_all_rows() {
    for story in [&mut Story::left_open(Outlet::Directory), &mut left_ready()] {
        std::fs::remove_dir_all(story.site.exports()).unwrap();
        story.assert_refuses("mkdir");
        std::fs::create_dir(story.site.exports()).unwrap();
        story.assert_begins_anew("made anew");
    }
}

#[test]
fn a_batch_left_behind_is_finished_where_it_was_meant_to_go() {
    let mut story = Story::left_open(Outlet::Directory);
    let done = story.site.run_ok(&["--output", "elsewhere/"]);
    assert_eq!(story.site.files().len(), 1, "{done}");
    let elsewhere = published(&story.site.path("elsewhere"));
    assert_eq!(elsewhere.len(), 1);
    std::fs::rename(&elsewhere[0], story.site.exports().join("too.csv")).unwrap();
    story.assert_everybody_once("finished in the old place", &done);
    story.run_ok();
}

#[test]
fn a_batch_is_published_before_a_day_without_network() {
    let mut story = Story::left_open(Outlet::Directory);
    let command = {
        let mut command = story.site.command(&["run"]);
        // Nobody listens there.
        command.env("AWEBER_AUTH_URL", "http://127.0.0.1:9");
        command
    };
    story.site.finish(command).exits(69);
    assert_eq!(story.site.rows().len(), 199);
    story.assert_goes_on("the network is back");
}

#[test]
fn a_batch_left_for_standard_output_is_printed_first_under_one_header() {
    let mut story = Story::left_open(Outlet::Stdout);
    let done = story.assert_goes_on("printed by the next run");
    assert_eq!(done.stdout.matches(HEADER).count(), 1);
    assert!(done.stdout.starts_with(HEADER));
}
