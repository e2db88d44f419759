//! N5: a ledger is data. One that was copied from elsewhere, or that somebody has edited, cannot make the job touch a file
//! of another program; batches that the job itself left are finished, whatever the options of the next run are.

use crate::support::disk::{as_nobody, give_to_nobody, is_root};
use crate::support::job::{Job, OutputKind};
use crate::support::{Site, files_below, mode, read_csv, set_mode, sorted, subscribed};
use rusqlite::params;
use std::path::{Path, PathBuf};

const SECRET: &str = "ssh-ed25519 AAAA root@host\n";

/// What a planted row says; the rest is as the job itself recorded it.
struct Planted<'a> {
    state: &'a str,
    kind: &'a str,
    target: PathBuf,
    stage: PathBuf,
    marker: Option<PathBuf>,
}

/// A site with one run behind it, a file of another program, and a stage file with the attacker's line.
fn site_with_victim() -> (Site, PathBuf, PathBuf) {
    let site = Site::new();
    site.add_list(2);
    site.run_ok(&[]);
    let victim = site.path("authorized_keys");
    std::fs::write(&victim, SECRET).unwrap();
    set_mode(&victim, 0o600);
    let stage = site.state_dir().join("line");
    std::fs::write(&stage, "ssh-ed25519 AAAA mallory@host\n").unwrap();
    set_mode(&stage, 0o600);
    site.forget_requests();
    (site, victim, stage)
}

fn plant(site: &Site, row: &Planted<'_>) {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    site.ledger()
        .execute(
            "UPDATE batch SET state = ?1, kind = ?2, target = ?3, stage = ?4, marker = ?5, mode = 420, length = 30,
                              rows = 1, appended_at = ?6, with_header = 0",
            params![
                row.state,
                row.kind,
                text(&row.target),
                text(&row.stage),
                row.marker.as_deref().map(text),
                SECRET.len() as i64
            ],
        )
        .unwrap();
}

/// Everything but ledger and locks, with its mode.
fn picture(site: &Site) -> Vec<(PathBuf, Vec<u8>, u32)> {
    let contents = site.contents().into_iter();
    contents
        .map(|(path, bytes)| (path.clone(), bytes, mode(&path)))
        .collect()
}

#[test]
fn a_batch_that_names_files_of_other_programs_is_refused() {
    const OURS: &str = "subscribers-20261122T030000Z.csv";
    let hidden = |end: &str| format!(".{OURS}.01234567.{end}");
    type Rows<'a> = Vec<(
        &'a str,
        i32,
        Box<dyn Fn(&Site, &Path, &Path) -> Planted<'a>>,
    )>;
    let rows: Rows<'_> = vec![
        (
            "append to another file",
            78,
            Box::new(|_, victim, stage| Planted {
                state: "appending",
                kind: "file",
                target: victim.into(),
                stage: stage.into(),
                marker: None,
            }),
        ),
        (
            "a stage file of ours, appended to another file",
            73,
            Box::new(|site, victim, stage| {
                let ours = site.state_dir().join("batch-1-01234567.part");
                std::fs::rename(stage, &ours).unwrap();
                Planted {
                    state: "appending",
                    kind: "file",
                    target: victim.into(),
                    stage: ours,
                    marker: None,
                }
            }),
        ),
        (
            "a new file anywhere",
            73,
            Box::new(|site, _, stage| {
                let ours = site.state_dir().join("batch-1-01234567.part");
                std::fs::rename(stage, &ours).unwrap();
                Planted {
                    state: "open",
                    kind: "file",
                    target: site.path("evil"),
                    stage: ours,
                    marker: None,
                }
            }),
        ),
        (
            "publish the tokens",
            78,
            Box::new(move |site, _, _| Planted {
                state: "open",
                kind: "directory",
                target: site.exports().join(OURS),
                stage: site.token_file(),
                marker: Some(site.exports().join(hidden("ready"))),
            }),
        ),
        (
            "publish over another name",
            78,
            Box::new(move |site, _, stage| Planted {
                state: "ready",
                kind: "directory",
                target: site.path("evil.sh"),
                stage: stage.into(),
                marker: Some(site.exports().join(hidden("ready"))),
            }),
        ),
        (
            "move another file",
            78,
            Box::new(move |site, victim, _| Planted {
                state: "ready",
                kind: "directory",
                target: site.path(OURS),
                stage: victim.into(),
                marker: Some(site.path(&hidden("ready"))),
            }),
        ),
        (
            "a marker over another file",
            78,
            Box::new(move |site, victim, stage| {
                let ours = site.exports().join(hidden("part"));
                std::fs::rename(stage, &ours).unwrap();
                Planted {
                    state: "open",
                    kind: "directory",
                    target: site.exports().join(OURS),
                    stage: ours,
                    marker: Some(victim.into()),
                }
            }),
        ),
        (
            "print another file",
            78,
            Box::new(|_, victim, _| Planted {
                state: "open",
                kind: "stdout",
                target: "-".into(),
                stage: victim.into(),
                marker: None,
            }),
        ),
    ];
    for (what, code, row) in rows {
        let (site, victim, stage) = site_with_victim();
        plant(&site, &row(&site, &victim, &stage));
        let before = picture(&site);
        let done = site.run(&[]);
        done.case(&what).exits(code).says("next: ").prints_nothing();
        assert!(picture(&site) == before, "{what}: {done}");
        assert_eq!(site.requests(), 0, "{what}: {done}");
    }
}

#[test]
fn the_work_files_of_finished_batches_are_removed_only_if_they_are_ours() {
    for state in ["void", "published"] {
        let (site, victim, stage) = site_with_victim();
        plant(
            &site,
            &Planted {
                state,
                kind: "directory",
                target: site.path("x"),
                stage: victim.clone(),
                marker: Some(stage.clone()),
            },
        );
        let done = site.run(&[]);
        done.case(&state).exits(0).says("it was not removed");
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), SECRET);
        assert!(stage.exists(), "{done}");
    }
}

#[test]
fn a_recorded_mode_gives_no_more_than_permissions() {
    let mut job = Job::with_open_batch(OutputKind::Directory);
    // 06755
    job.ledger()
        .execute("UPDATE batch SET mode = 3565", [])
        .unwrap();
    job.run_ok();
    for file in job.site.files() {
        assert_eq!(mode(&file) & 0o7000, 0, "{}", file.display());
    }
}

#[test]
fn nothing_in_the_schema_of_a_ledger_is_run() {
    let site = Site::new();
    let list = site.add_list(2);
    site.run_ok(&[]);
    site.ledger()
        .execute_batch(
            "CREATE TRIGGER t AFTER UPDATE ON batch BEGIN DELETE FROM subscription; END;
             CREATE TRIGGER u AFTER INSERT ON run BEGIN DELETE FROM subscription; END;",
        )
        .unwrap();
    site.sandbox.with(|world| world.add_subscribers(list, 2));
    for _ in 0..2 {
        site.run_ok(&["--full"]);
    }
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_batch_for_another_growing_file_is_finished_if_that_begins_with_its_header() {
    let job = Job::new(OutputKind::File);
    job.add_subscribers(2);
    job.site.run_ok(job.arguments());
    job.add_subscribers(250);
    let held = job.site.hold_on("/subscribers?", job.arguments(), 3);
    let (stopped, _) = job.site.stop(held, rustix::process::Signal::TERM);
    stopped.exits(143);
    job.site.run_ok(&["--output", "elsewhere/"]);
    let rows = |file: &Path| read_csv(file).into_iter().map(|row| row["email"].clone());
    let elsewhere = files_below(&job.site.path("elsewhere"));
    let all = rows(&job.file()).chain(elsewhere.iter().flat_map(|file| rows(file)));
    assert_eq!(sorted(all), subscribed(&job.site, &[job.list]));
}

#[test]
fn a_batch_for_another_growing_file_that_was_never_made_waits_for_a_run_with_it() {
    let job = Job::with_open_batch(OutputKind::File);
    job.site.forget_requests();
    let done = job.site.run(&["--output", "elsewhere/"]);
    done.exits(73)
        .says_safe("it was not touched; the rows are kept")
        .says_next(&format!(
            "aweber-sync run --output '{}'",
            job.file().display()
        ));
    assert_eq!(job.site.requests(), 0, "{done}");
    job.site.run_ok(&["--output", job.file().to_str().unwrap()]);
    let rows = read_csv(&job.file())
        .into_iter()
        .map(|row| row["email"].clone());
    assert_eq!(sorted(rows), subscribed(&job.site, &[job.list]));
    job.site.run_ok(&["--output", "elsewhere/"]);
}

#[test]
fn a_batch_for_a_growing_file_survives_a_move_of_the_state_directory() {
    let job = Job::with_open_batch(OutputKind::File);
    let moved = job.site.path("moved");
    std::fs::rename(job.site.state_dir(), &moved).unwrap();
    let mut command = job.site.command(&["run", "--output", "grown.csv"]);
    command.env("AWEBER_SYNC_STATE_DIR", &moved);
    job.site.forget_requests();
    let done = job.site.finish(command);
    done.exits(0);
    assert_eq!(
        job.site.requests(),
        5,
        "only the last page is missing\n{done}"
    );
    let rows = read_csv(&job.file())
        .into_iter()
        .map(|row| row["email"].clone());
    assert_eq!(sorted(rows), subscribed(&job.site, &[job.list]));
}

#[test]
fn root_who_looks_at_the_status_of_another_users_job_changes_nothing_of_it() {
    if !is_root() {
        return;
    }
    let (site, ..) = site_with_victim();
    set_mode(&site.path(""), 0o711);
    // A journal as of a killed transaction, which whoever may write rolls back: what it says goes into the ledger.
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let pages = std::fs::metadata(site.ledger_file()).unwrap().len() / 4096;
    for number in [0, 7, pages as u32, 512, 4096] {
        journal.extend(number.to_be_bytes());
    }
    journal.resize(512, 0);
    let mut path = site.ledger_file().into_os_string();
    path.push("-journal");
    std::fs::write(&path, &journal).unwrap();
    give_to_nobody(&site.state_dir());
    let done = site.finish(site.command(&["status"]));
    assert!(Path::new(&path).exists(), "rolled back by root\n{done}");
    done.exits(74).says_next("run it as its owner: sudo -u ");
    site.finish(as_nobody(&site.command(&["status"]))).exits(0);
}
