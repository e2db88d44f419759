//! N3 for the growing file: an append cut short, in every state that a kill, a log rotation or another program can
//! leave.

use crate::support::job::{HEADER, Job, OutputKind, append_bytes, cut_bytes};
use crate::support::read_csv;

/// As [`Job::with_open_batch`], but killed right after the commit that starts to append at the end of `before`.
fn with_started_append(before: &str) -> Job {
    let job = Job::with_open_batch(OutputKind::File);
    if !before.is_empty() {
        std::fs::write(job.file(), before).unwrap();
    }
    let sql = "UPDATE batch SET state = 'appending', appended_at = ?1, with_header = ?2";
    job.ledger()
        .execute(sql, (before.len() as i64, before.is_empty()))
        .unwrap();
    job
}

#[test]
fn an_append_torn_at_any_byte_is_repaired() {
    let whole = {
        let job = with_started_append("");
        let stage = std::fs::read_to_string(job.batch().stage).unwrap();
        format!("{HEADER}{stage}").len()
    };
    for torn_at in [
        0,
        1,
        HEADER.len() - 1,
        HEADER.len(),
        HEADER.len() + 70,
        whole - 1,
        whole,
    ] {
        let mut job = with_started_append("");
        let stage = std::fs::read_to_string(job.batch().stage).unwrap();
        append_bytes(
            &job.file(),
            &format!("{HEADER}{stage}").as_bytes()[..torn_at],
        );
        job.assert_resumes(&format!("torn after {torn_at} of {whole} bytes"));
    }
}

#[test]
fn an_append_torn_behind_earlier_rows_is_repaired() {
    let earlier = format!(
        "{HEADER}6000001,Readers,1,earlier@example.com{}\n",
        ",".repeat(24)
    );
    for torn_at in [0, 1, 70] {
        let mut job = with_started_append(&earlier);
        let stage = std::fs::read(job.batch().stage).unwrap();
        append_bytes(&job.file(), &stage[..torn_at]);
        let done = job.run_ok();
        let text = std::fs::read_to_string(job.file()).unwrap();
        assert!(text.starts_with(&earlier));
        std::fs::write(job.file(), text.replacen(&earlier, HEADER, 1)).unwrap();
        job.assert_exported_once(&format!("torn after {torn_at} bytes"), &done);
    }
}

#[test]
fn zeros_that_a_power_cut_left_in_an_append_are_filled() {
    for (from, to) in [(0, 4096), (4096, 8192), (HEADER.len(), 12_000)] {
        let mut job = with_started_append("");
        let stage = std::fs::read_to_string(job.batch().stage).unwrap();
        let mut torn = format!("{HEADER}{stage}").into_bytes();
        torn[from..to].fill(0);
        append_bytes(&job.file(), &torn[..12_288]);
        job.assert_resumes(&format!("zeros from {from} to {to}"));
    }
}

#[test]
fn a_file_extended_by_another_program_during_an_append_is_refused_and_the_advice_works() {
    let mut job = with_started_append("");
    append_bytes(&job.file(), HEADER.as_bytes());
    append_bytes(&job.file(), b"another program's line\n");
    let before = std::fs::read(job.file()).unwrap();
    job.assert_next_run_refused("another program");
    let advice = format!("mv '{0}' '{0}.old'", job.file().display());
    job.run().says(&advice);
    assert_eq!(std::fs::read(job.file()).unwrap(), before);

    std::fs::rename(job.file(), job.site.path("grown.csv.old")).unwrap();
    job.assert_resumes("after the advice");
}

#[test]
fn a_file_truncated_during_an_append_is_refused() {
    let earlier = format!(
        "{HEADER}6000001,Readers,1,earlier@example.com{}\n",
        ",".repeat(24)
    );
    let mut job = with_started_append(&earlier);
    cut_bytes(&job.file(), 5);
    job.assert_next_run_refused("shorter");
}

#[test]
fn a_file_rotated_during_an_append_restarts_with_a_header() {
    let earlier = format!(
        "{HEADER}6000001,Readers,1,earlier@example.com{}\n",
        ",".repeat(24)
    );
    for emptied in [true, false] {
        let mut job = with_started_append(&earlier);
        if emptied {
            std::fs::write(job.file(), "").unwrap();
        } else {
            std::fs::rename(job.file(), job.site.path("grown.csv.1")).unwrap();
        }
        job.assert_resumes("rotated");
        assert!(
            std::fs::read_to_string(job.file())
                .unwrap()
                .starts_with(HEADER)
        );
    }
}

#[test]
fn a_half_appended_batch_without_its_stage_file_is_reported_and_changes_nothing() {
    let mut job = with_started_append("");
    let stage = job.batch().stage;
    append_bytes(&job.file(), &HEADER.as_bytes()[..100]);
    let away = job.site.path("away");
    std::fs::rename(&stage, &away).unwrap();
    job.site.forget_requests();
    let (batch, files) = (job.batch(), job.site.contents());
    job.run().exits(74).says("restore the stage file");
    assert_eq!(job.site.requests(), 0);
    assert_eq!(job.batch(), batch);
    assert!(job.site.contents() == files);
    std::fs::rename(&away, &stage).unwrap();
    job.assert_resumes("restored");
}

#[test]
fn an_append_not_started_is_void_if_its_stage_file_is_missing() {
    let mut job = with_started_append("");
    std::fs::remove_file(job.batch().stage).unwrap();
    job.assert_starts_over("a new file");

    // The same behind rows of an earlier batch.
    let mut job = Job::new(OutputKind::File);
    job.add_subscribers(3);
    job.run_ok();
    job.add_subscribers(3);
    let batch = job.batch();
    let length = job.file().metadata().unwrap().len();
    let ledger = job.ledger();
    let sql = "INSERT INTO batch SELECT id + 1, 'appending', kind, target, replace(stage, 'batch-1-', 'batch-2-'), marker, mode, format, columns,
        named_at + 1, 1000, 3, ?1, 0, NULL FROM batch";
    ledger.execute(sql, [length as i64]).unwrap();
    let done = job.run_ok();
    job.assert_exported_once("behind earlier rows", &done);
    assert_eq!(job.batch().id, batch.id + 2);
}

#[test]
fn the_advice_for_a_missing_stage_file_works() {
    let mut job = with_started_append("");
    let stage = std::fs::read(job.batch().stage).unwrap();
    append_bytes(&job.file(), HEADER.as_bytes());
    append_bytes(&job.file(), &stage[..1000]);
    std::fs::remove_file(job.batch().stage).unwrap();
    let done = job.run();
    done.exits(74);
    let advice = format!("mv '{0}' '{0}.old'", job.file().display());
    done.says(&advice);
    std::fs::rename(job.file(), job.site.path("grown.csv.old")).unwrap();
    let done = job.run_ok();
    job.assert_exported_once("after the advice", &done);
}

#[test]
fn a_batch_without_rows_does_not_keep_a_run_from_another_output() {
    for output in [OutputKind::File, OutputKind::Directory] {
        let job = Job::with_open_batch(output);
        // As after a kill before the first checkpoint.
        let events =
            "DELETE FROM subscription; DELETE FROM batch_feed; UPDATE feed SET progress = settled;";
        job.ledger()
            .execute_batch(&format!("UPDATE batch SET rows = 0, length = 0; {events}"))
            .unwrap();
        if output == OutputKind::Directory {
            std::fs::remove_dir_all(job.site.exports()).unwrap();
        }
        let done = job.site.run(&["--output", "other.csv"]);
        done.case(&format_args!("{output:?}")).exits(0);
        let rows = read_csv(&job.site.path("other.csv"));
        assert_eq!(rows.len(), 250, "{output:?}");
        assert_eq!(job.unfinished_files(), Vec::<String>::new());
        assert!(!job.file().exists());
    }
}
