//! Published files: mode, names, and outputs that cannot be written.

use crate::support::disk::{SmallDisk, as_nobody, fill, give_to_nobody, is_root};
use crate::support::job::{Job, OutputKind};
use crate::support::process::through_shell;
use crate::support::{Site, mode, published, read_csv, set_mode, subscribed};
use aweber_sandbox::{Fault, FaultKind};
use std::path::PathBuf;
use std::time::Duration;

#[test]
fn published_files_have_the_requested_mode_under_any_umask() {
    for umask in ["000", "022", "077", "777"] {
        for (output, path) in [("out/", "out"), ("grown.csv", "grown.csv")] {
            let mut job = Job::new(OutputKind::Directory);
            job.add_subscribers(3);
            let shell = format!("umask {umask}; exec \"$@\"");
            let arguments = ["run", "--output", output, "--output-mode", "0640"];
            job.site
                .finish(through_shell(&shell, &job.site.command(&arguments)))
                .case(&umask)
                .exits(0);
            let file = match published(&job.site.path(path)).pop() {
                Some(file) => file,
                None => job.site.path(path),
            };
            assert_eq!(mode(&file), 0o640, "umask {umask}, {output}");
            for private in [job.site.token_file(), job.site.ledger_file()] {
                assert_eq!(mode(&private), 0o600, "umask {umask}, {private:?}");
            }
            job.run_ok();
        }
    }
}

#[test]
fn rows_are_private_until_they_are_published() {
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(250);
    let held = job
        .site
        .hold_on("status=subscribed", &["--output-mode", "0644"], 3);
    let (_, _) = job.site.stop(held, rustix::process::Signal::TERM);
    assert_eq!(mode(&job.batch().stage), 0o600);
    job.site.run_ok(&[]);
    // Finished with its recorded options.
    assert_eq!(mode(&job.site.files()[0]), 0o644);
    assert_eq!(mode(&job.site.files()[1]), 0o600);
}

#[test]
fn two_runs_within_one_second_use_different_file_names() {
    let mut job = Job::new(OutputKind::Directory);
    for _ in 0..3 {
        job.add_subscribers(1);
        job.run_ok();
    }
    let done = job.run_ok();
    assert_eq!(job.site.files().len(), 3);
    job.assert_exported_once("three runs in a row", &done);
}

fn file_name_at(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
    format!("subscribers-{}.csv", time.format("%Y%m%dT%H%M%SZ"))
}

/// The start of the year 2040, in Unix seconds.
const IN_2040: i64 = 2_208_988_800;

/// A job with one run that seems to have taken place in 2040.
fn job_that_ran_in_2040() -> Job {
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(1);
    job.run_ok();
    job.ledger()
        .execute("UPDATE batch SET named_at = ?1", [IN_2040])
        .unwrap();
    job
}

#[test]
fn a_clock_set_back_reuses_no_file_name_and_keeps_their_order() {
    let mut job = job_that_ran_in_2040();
    job.add_subscribers(1);
    job.run_ok();
    let names: Vec<PathBuf> = job.site.files();
    assert_eq!(names[1], job.site.exports().join(file_name_at(IN_2040 + 1)));
}

#[test]
fn a_foreign_file_with_the_next_name_is_not_overwritten() {
    let mut job = job_that_ran_in_2040();
    let foreign = job.site.exports().join(file_name_at(IN_2040 + 1));
    std::fs::write(&foreign, "foreign").unwrap();
    job.add_subscribers(1);
    job.run_ok();
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "foreign");
    let ours = job.site.exports().join(file_name_at(IN_2040 + 2));
    assert_eq!(read_csv(&ours).len(), 1);
    assert_eq!(job.batch().target, ours);
    std::fs::remove_file(foreign).unwrap();
    let done = job.run_ok();
    job.assert_exported_once("with another name", &done);
}

#[test]
fn an_unwritable_output_is_detected_before_any_request() {
    if !is_root() {
        return;
    }
    for output in ["out", "out/new/", "out/grown.csv", "grown.csv"] {
        let job = Job::new(OutputKind::Directory);
        job.add_subscribers(3);
        let site = &job.site;
        std::fs::create_dir(site.path("out")).unwrap();
        std::fs::write(site.path("grown.csv"), "").unwrap();
        give_to_nobody(&site.path(""));
        set_mode(&site.path("out"), 0o500);
        set_mode(&site.path("grown.csv"), 0o400);
        let before = site.contents();
        let run = || site.finish(as_nobody(&site.command(&["run", "--output", output])));
        let done = run();
        done.case(&output).exits(73).says("writable");
        assert_eq!(site.requests(), 0, "{output}\n{done}");
        let mut after = site.contents();
        after.retain(|file, _| before.contains_key(file));
        assert!(after == before, "{output}");

        set_mode(&site.path("out"), 0o700);
        set_mode(&site.path("grown.csv"), 0o600);
        run().case(&output).exits(0);
    }
}

#[test]
fn a_full_output_directory_loses_no_row() {
    if !is_root() {
        return;
    }
    for output in ["disk", "disk/grown.csv"] {
        let job = Job::new(OutputKind::Directory);
        job.add_subscribers(250);
        let site = &job.site;
        let Some(disk) = SmallDisk::at(site.path("disk"), 256) else {
            return;
        };
        disk.fill();
        let done = site.run(&["--output", output]);
        assert!([73, 74].contains(&done.code), "{done}");
        done.says("free some disk space");
        assert!(site.token_is_live());
        disk.make_room();
        let done = site.run_ok(&["--output", output]);
        assert_all_on_disk(&job, &done, &disk);
    }
}

fn assert_all_on_disk(job: &Job, done: &crate::support::Done, disk: &SmallDisk) {
    let exported = published(&disk.0)
        .into_iter()
        .flat_map(|file| read_csv(&file))
        .map(|row| row["email"].clone());
    let exported = crate::support::sorted(exported);
    assert!(
        exported == subscribed(&job.site, &[job.list]),
        "{} rows\n{done}",
        exported.len()
    );
    assert_eq!(job.unfinished_files(), Vec::<String>::new());
}

/// Two slow pages make two checkpoints due: the first succeeds, the second finds the disk full.
fn fill_after_checkpoint(site: &Site, disk: &SmallDisk) {
    let full = disk.0.clone();
    site.sandbox.with(|world| {
        let slow = FaultKind::DelayBefore(Duration::from_millis(1010));
        world.fault(Fault::on("status=subscribed").skip(1).answer(slow.clone()));
        world.fault(Fault::on("status=subscribed").skip(3).answer(slow));
        world.before("status=subscribed", 4, move |_| fill(&full));
    });
}

#[test]
fn an_output_directory_that_fills_up_after_a_checkpoint_loses_no_row() {
    if !is_root() {
        return;
    }
    let job = Job::new(OutputKind::Directory);
    job.add_subscribers(500);
    let site = &job.site;
    let Some(disk) = SmallDisk::at(site.path("disk"), 256) else {
        return;
    };
    fill_after_checkpoint(site, &disk);
    let done = site.run(&["--output", "disk"]);
    done.exits(73);
    let batch = job.batch();
    assert_eq!((batch.state.as_str(), batch.rows), ("open", 199), "{done}");
    disk.make_room();
    let done = site.run_ok(&["--output", "disk"]);
    assert_all_on_disk(&job, &done, &disk);
}

#[test]
fn a_state_directory_that_fills_up_after_a_checkpoint_loses_no_row() {
    if !is_root() {
        return;
    }
    let job = Job::new(OutputKind::File);
    job.add_subscribers(500);
    let site = &job.site;
    let tokens = site.tokens();
    let Some(disk) = SmallDisk::at(site.state_dir(), 512) else {
        return;
    };
    site.write_token_file(&tokens);
    fill_after_checkpoint(site, &disk);
    site.run(job.arguments()).exits(74).says("disk space");
    assert!(site.token_is_live());
    disk.make_room();
    let done = site.run_ok(job.arguments());
    job.assert_exported_once("the state directory has room again", &done);
}
