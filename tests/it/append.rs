//! N3 for the growing file: a batch whose append was cut short, in every state that a kill, a log rotation or a
//! stranger can leave it in.

use crate::support::story::{HEADER, Outlet, Story, append, cut};

/// As [`Story::left_open`], but killed right after the commit that begins to append at the end of `before`.
fn left_appending(before: &str) -> Story {
    let story = Story::left_open(Outlet::File);
    if !before.is_empty() {
        std::fs::write(story.file(), before).unwrap();
    }
    let sql = "UPDATE batch SET state = 'appending', appended_at = ?1, with_header = ?2";
    story
        .ledger()
        .execute(sql, (before.len() as i64, before.is_empty()))
        .unwrap();
    story
}

#[test]
fn an_append_is_mended_wherever_it_was_torn() {
    let whole = {
        let story = left_appending("");
        let stage = std::fs::read_to_string(story.batch().stage).unwrap();
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
        let mut story = left_appending("");
        let stage = std::fs::read_to_string(story.batch().stage).unwrap();
        append(
            &story.file(),
            &format!("{HEADER}{stage}").as_bytes()[..torn_at],
        );
        story.assert_goes_on(&format!("torn after {torn_at} of {whole} bytes"));
    }
}

#[test]
fn an_append_to_earlier_rows_is_mended_behind_them() {
    let earlier = format!(
        "{HEADER}6000001,Readers,1,earlier@example.com{}\n",
        ",".repeat(24)
    );
    for torn_at in [0, 1, 70] {
        let mut story = left_appending(&earlier);
        let stage = std::fs::read(story.batch().stage).unwrap();
        append(&story.file(), &stage[..torn_at]);
        let done = story.run_ok();
        let text = std::fs::read_to_string(story.file()).unwrap();
        assert!(text.starts_with(&earlier));
        std::fs::write(story.file(), text.replacen(&earlier, HEADER, 1)).unwrap();
        story.assert_everybody_once(&format!("torn after {torn_at} bytes"), &done);
    }
}

#[test]
fn a_foreign_end_of_a_file_being_appended_to_is_left_alone_and_the_way_out_works() {
    let mut story = left_appending("");
    append(&story.file(), HEADER.as_bytes());
    append(&story.file(), b"somebody else's line\n");
    let before = std::fs::read(story.file()).unwrap();
    story.assert_refuses("another program");
    let told = format!("mv '{0}' '{0}.old'", story.file().display());
    story.run().says(&told);
    assert_eq!(std::fs::read(story.file()).unwrap(), before);

    std::fs::rename(story.file(), story.site.path("grown.csv.old")).unwrap();
    story.assert_goes_on("moved away as told");
}

#[test]
fn a_file_that_became_shorter_during_an_append_is_left_alone() {
    let earlier = format!(
        "{HEADER}6000001,Readers,1,earlier@example.com{}\n",
        ",".repeat(24)
    );
    let mut story = left_appending(&earlier);
    cut(&story.file(), 5);
    story.assert_refuses("shorter");
}

#[test]
fn a_file_rotated_during_an_append_is_begun_anew_with_a_header() {
    let earlier = format!(
        "{HEADER}6000001,Readers,1,earlier@example.com{}\n",
        ",".repeat(24)
    );
    for emptied in [true, false] {
        let mut story = left_appending(&earlier);
        if emptied {
            std::fs::write(story.file(), "").unwrap();
        } else {
            std::fs::rename(story.file(), story.site.path("grown.csv.1")).unwrap();
        }
        story.assert_goes_on("rotated");
        assert!(
            std::fs::read_to_string(story.file())
                .unwrap()
                .starts_with(HEADER)
        );
    }
}

#[test]
fn rows_half_appended_whose_stage_file_is_gone_are_reported_and_nothing_is_spent() {
    let mut story = left_appending("");
    let stage = story.batch().stage;
    append(&story.file(), &HEADER.as_bytes()[..100]);
    let away = story.site.path("away");
    std::fs::rename(&stage, &away).unwrap();
    story.site.forget_requests();
    let (batch, files) = (story.batch(), story.site.contents());
    story.run().exits(74).says("restore the stage file");
    assert_eq!(story.site.requests(), 0);
    assert_eq!(story.batch(), batch);
    assert!(story.site.contents() == files);
    std::fs::rename(&away, &stage).unwrap();
    story.assert_goes_on("put back");
}

#[test]
fn an_append_not_begun_whose_stage_file_is_gone_is_void() {
    let mut story = left_appending("");
    std::fs::remove_file(story.batch().stage).unwrap();
    story.assert_begins_anew("a new file");

    // The same behind rows of an earlier batch.
    let mut story = Story::new(Outlet::File);
    story.more(3);
    story.run_ok();
    story.more(3);
    let batch = story.batch();
    let length = story.file().metadata().unwrap().len();
    let ledger = story.ledger();
    let sql = "INSERT INTO batch SELECT id + 1, 'appending', kind, target, stage || '2', marker, mode, format, columns,
        named_at + 1, 1000, 3, ?1, 0, NULL FROM batch";
    ledger.execute(sql, [length as i64]).unwrap();
    let done = story.run_ok();
    story.assert_everybody_once("behind earlier rows", &done);
    assert_eq!(story.batch().id, batch.id + 2);
}

#[test]
fn the_way_out_told_for_a_lost_stage_file_works() {
    let mut story = left_appending("");
    let stage = std::fs::read(story.batch().stage).unwrap();
    append(&story.file(), HEADER.as_bytes());
    append(&story.file(), &stage[..1000]);
    std::fs::remove_file(story.batch().stage).unwrap();
    let done = story.run();
    done.exits(74);
    let told = format!("mv '{0}' '{0}.old'", story.file().display());
    done.says(&told);
    std::fs::rename(story.file(), story.site.path("grown.csv.old")).unwrap();
    let done = story.run_ok();
    story.assert_everybody_once("moved away as told", &done);
}
