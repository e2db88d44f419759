//! N3 after a kill: each state is built by hand from a batch that SIGTERM left open with a checkpoint, and the next
//! run must finish it from the disk alone. `append` covers growing files.

use crate::support::job::{HEADER, Job, OutputKind, append_bytes, cut_bytes};
use crate::support::{published, read_csv};

/// As [`Job::with_open_batch`], but killed right after the commit that marks the batch as ready.
fn with_ready_batch() -> Job {
    let job = Job::with_open_batch(OutputKind::Directory);
    job.ledger()
        .execute("UPDATE batch SET state = 'ready'", [])
        .unwrap();
    std::fs::write(job.batch().marker.unwrap(), "").unwrap();
    job
}

#[test]
fn an_open_batch_is_published_and_the_export_resumes() {
    for output in [OutputKind::Directory, OutputKind::File, OutputKind::Stdout] {
        let mut job = Job::with_open_batch(output);
        let stage = job.batch().stage;
        job.assert_resumes("as left by SIGTERM");
        assert!(!stage.exists());
    }
    let mut job = Job::with_open_batch(OutputKind::Directory);
    job.assert_resumes("as left by SIGTERM");
    let rows: Vec<usize> = job
        .site
        .files()
        .iter()
        .map(|file| read_csv(file).len())
        .collect();
    assert_eq!(rows, [199, 51]);
}

#[test]
fn rows_behind_the_checkpoint_are_discarded() {
    for output in [OutputKind::Directory, OutputKind::File, OutputKind::Stdout] {
        let mut job = Job::with_open_batch(output);
        append_bytes(
            &job.batch().stage,
            b"6000001,Readers,50000200,reader50000200@exa",
        );
        job.assert_resumes("the stage file is longer than recorded");
    }
}

#[test]
fn a_stage_file_shorter_than_recorded_voids_the_batch() {
    for output in [OutputKind::Directory, OutputKind::File, OutputKind::Stdout] {
        let mut job = Job::with_open_batch(output);
        cut_bytes(&job.batch().stage, 1);
        job.assert_starts_over("the stage file is shorter than recorded");
    }
}

#[test]
fn a_missing_stage_file_voids_the_batch() {
    for output in [OutputKind::Directory, OutputKind::File, OutputKind::Stdout] {
        let mut job = Job::with_open_batch(output);
        std::fs::remove_file(job.batch().stage).unwrap();
        job.assert_starts_over("the stage file is gone");
    }
}

#[test]
fn a_batch_killed_before_its_first_checkpoint_is_void() {
    for output in [OutputKind::Directory, OutputKind::File, OutputKind::Stdout] {
        let mut job = Job::new(output);
        job.add_subscribers(250);
        // Killed at the third page, before any checkpoint: the batch is recorded with no rows, and its stage file
        // exists.
        let held = job.hold_at_third_page();
        let killed = job.site.kill(held);
        job.record_output(&killed);
        assert_eq!((job.batch().state.as_str(), job.batch().rows), ("open", 0));
        job.assert_starts_over("no checkpoint yet");
    }
}

#[test]
fn a_void_batch_is_cleaned_up_even_after_a_kill_in_between() {
    let mut job = Job::with_open_batch(OutputKind::Directory);
    // Killed after the commit that marks it as void, before the stage file was removed.
    let ledger = job.ledger();
    ledger
        .execute("UPDATE batch SET state = 'void'", [])
        .unwrap();
    ledger.execute("DELETE FROM subscription", []).unwrap();
    ledger
        .execute("UPDATE feed SET progress = settled", [])
        .unwrap();
    drop(ledger);
    job.assert_starts_over("killed while voiding the batch");
}

#[test]
fn a_marker_created_before_the_batch_is_ready_changes_nothing() {
    let mut job = Job::with_open_batch(OutputKind::Directory);
    std::fs::write(job.batch().marker.unwrap(), "").unwrap();
    job.assert_resumes("killed between marker and commit");
}

#[test]
fn a_ready_batch_with_its_stage_file_is_renamed() {
    let mut job = with_ready_batch();
    let target = job.batch().target;
    job.assert_resumes("killed between commit and rename");
    assert!(target.exists());
}

#[test]
fn a_ready_batch_without_its_stage_file_was_published() {
    let mut job = with_ready_batch();
    let batch = job.batch();
    std::fs::rename(&batch.stage, &batch.target).unwrap();
    job.assert_resumes("killed between rename and commit");
    assert_eq!(job.site.files().len(), 2);
}

#[test]
fn a_ready_batch_already_removed_by_its_consumer_is_not_published_again() {
    let mut job = with_ready_batch();
    let batch = job.batch();
    let (taken, exports) = (job.site.path("taken.csv"), job.site.exports());
    std::fs::rename(&batch.stage, &taken).unwrap();
    let done = job.run_ok();
    assert_eq!(published(&exports).len(), 1, "{done}");
    // Moved back to be counted.
    std::fs::rename(taken, batch.target).unwrap();
    job.assert_exported_once("removed by its consumer", &done);
}

#[test]
fn a_ready_batch_without_stage_file_and_marker_is_void() {
    let mut job = with_ready_batch();
    let batch = job.batch();
    std::fs::remove_file(batch.stage).unwrap();
    std::fs::remove_file(batch.marker.unwrap()).unwrap();
    job.assert_starts_over("stage file and marker are gone");
}

#[test]
fn the_marker_of_a_published_batch_is_removed_by_the_next_run() {
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(3);
    job.run_ok();
    std::fs::write(job.batch().marker.unwrap(), "").unwrap();
    let done = job.run_ok();
    job.assert_exported_once("killed before the marker was removed", &done);
    assert_eq!(job.site.files().len(), 1);
}

#[test]
fn the_stage_file_of_a_published_batch_is_removed_by_the_next_run() {
    for output in [OutputKind::File, OutputKind::Stdout] {
        let mut job = Job::new(output);
        job.add_subscribers(3);
        job.run_ok();
        std::fs::write(job.batch().stage, "rows").unwrap();
        let done = job.run_ok();
        job.assert_exported_once("killed before the stage file was removed", &done);
    }
}

#[test]
fn a_missing_output_directory_stops_the_run_before_any_request() {
    for job in [
        &mut Job::with_open_batch(OutputKind::Directory),
        &mut with_ready_batch(),
    ] {
        let (exports, away) = (job.site.exports(), job.site.path("unmounted"));
        std::fs::rename(&exports, &away).unwrap();
        job.assert_next_run_refused("is missing");
        std::fs::rename(&away, &exports).unwrap();
        job.assert_resumes("mounted again");
    }
}

#[test]
fn an_output_directory_lost_and_recreated_gets_all_rows() {
    for job in [
        &mut Job::with_open_batch(OutputKind::Directory),
        &mut with_ready_batch(),
    ] {
        std::fs::remove_dir_all(job.site.exports()).unwrap();
        job.assert_next_run_refused("mkdir");
        std::fs::create_dir(job.site.exports()).unwrap();
        job.assert_starts_over("recreated");
    }
}

#[test]
fn a_leftover_batch_is_published_to_its_original_output() {
    let mut job = Job::with_open_batch(OutputKind::Directory);
    let done = job.site.run_ok(&["--output", "elsewhere/"]);
    assert_eq!(job.site.files().len(), 1, "{done}");
    let elsewhere = published(&job.site.path("elsewhere"));
    assert_eq!(elsewhere.len(), 1);
    std::fs::rename(&elsewhere[0], job.site.exports().join("too.csv")).unwrap();
    job.assert_exported_once("finished in the old place", &done);
    job.run_ok();
}

#[test]
fn a_leftover_batch_is_published_without_network() {
    let mut job = Job::with_open_batch(OutputKind::Directory);
    let command = {
        let mut command = job.site.command(&["run"]);
        // A closed port.
        command.env("AWEBER_AUTH_URL", "http://127.0.0.1:9");
        command
    };
    job.site.finish(command).exits(69);
    assert_eq!(job.site.rows().len(), 199);
    job.assert_resumes("the network is back");
}

#[test]
fn a_leftover_batch_for_standard_output_is_printed_first_under_one_header() {
    let mut job = Job::with_open_batch(OutputKind::Stdout);
    let done = job.assert_resumes("printed by the next run");
    assert_eq!(done.stdout.matches(HEADER).count(), 1);
    assert!(done.stdout.starts_with(HEADER));
}
