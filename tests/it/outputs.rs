//! The three kinds of `--output`: how a path selects one, what is created, and that a path keeps its kind.

use crate::support::job::{HEADER, Job, OutputKind, append_bytes};
use crate::support::{Done, Site, mode, parse_csv, published, read_csv, sorted, subscribed};
use std::path::Path;
use std::process::Stdio;

/// A site with one list of three subscribers.
fn three_subscribers() -> (Site, u64) {
    let site = Site::new();
    let list = site.sandbox.with(|world| {
        let list = world.add_list("Readers");
        world.add_subscribers(list, 3);
        list
    });
    (site, list)
}

fn add_subscribers(site: &Site, list: u64, count: usize) {
    site.sandbox
        .with(|world| world.add_subscribers(list, count));
}

fn emails(file: &Path) -> Vec<String> {
    sorted(read_csv(file).into_iter().map(|row| row["email"].clone()))
}

/// Asserts exit code 73 without a request or a change of any file.
fn assert_refused(site: &Site, arguments: &[&str], message: &str) -> Done {
    site.forget_requests();
    let before = site.contents();
    let done = site.run(arguments);
    done.exits(73).says(message).says("next:");
    assert_eq!(site.requests(), 0, "{done}");
    assert!(site.contents() == before, "{done}");
    done
}

#[test]
fn an_existing_directory_needs_no_trailing_slash() {
    let (site, list) = three_subscribers();
    std::fs::create_dir(site.path("out")).unwrap();
    site.run_ok(&["--output", "out"]);
    let files = published(&site.path("out"));
    assert_eq!(files.len(), 1);
    assert_eq!(emails(&files[0]), subscribed(&site, &[list]));
}

#[test]
fn a_path_with_a_trailing_slash_is_created_as_a_private_directory() {
    let (site, list) = three_subscribers();
    site.run_ok(&["--output", "new/deep/"]);
    let files = published(&site.path("new/deep"));
    assert_eq!(emails(&files[0]), subscribed(&site, &[list]));
    for directory in ["new", "new/deep"] {
        assert_eq!(mode(&site.path(directory)), 0o700, "{directory}");
    }
}

#[test]
fn the_default_output_is_exports_in_the_state_directory() {
    let (site, list) = three_subscribers();
    site.run_ok(&[]);
    assert_eq!(mode(&site.path("state/exports")), 0o700);
    assert_eq!(site.files().len(), 1);
    assert_eq!(emails(&site.files()[0]), subscribed(&site, &[list]));
    assert_eq!(mode(&site.files()[0]), 0o600);
}

#[test]
fn a_file_is_named_by_the_time_in_utc() {
    let (site, _) = three_subscribers();
    let before = chrono::Utc::now().timestamp();
    site.run_ok(&[]);
    let name = site.files()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let time =
        chrono::NaiveDateTime::parse_from_str(&name, "subscribers-%Y%m%dT%H%M%SZ.csv").unwrap();
    let time = time.and_utc().timestamp();
    assert!((before..=before + 60).contains(&time), "{name}");
}

#[test]
fn a_run_without_new_rows_creates_and_touches_no_file() {
    for output in ["exports/", "grown.csv", "-"] {
        let site = Site::new();
        site.sandbox.with(|world| world.add_list("Empty"));
        site.run_ok(&["--output", output]).prints_nothing();
        assert_eq!(published(&site.path("exports")).len(), 0);
        assert!(!site.path("grown.csv").exists());
    }
    let (site, _) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    let before = std::fs::metadata(site.path("grown.csv"))
        .unwrap()
        .modified()
        .unwrap();
    site.run_ok(&["--output", "grown.csv"]);
    let after = std::fs::metadata(site.path("grown.csv"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(before, after);
}

#[test]
fn a_growing_file_gets_one_header_over_several_runs() {
    let (site, list) = three_subscribers();
    for _ in 0..4 {
        site.run_ok(&["--output", "grown.csv"]);
        add_subscribers(&site, list, 2);
    }
    site.run_ok(&["--output", "grown.csv"]);
    let text = std::fs::read_to_string(site.path("grown.csv")).unwrap();
    assert!(text.starts_with(HEADER));
    assert_eq!(text.matches("list_id").count(), 1);
    assert_eq!(emails(&site.path("grown.csv")), subscribed(&site, &[list]));
    assert_eq!(mode(&site.path("grown.csv")), 0o600);
}

#[test]
fn a_growing_file_rotated_away_is_started_again() {
    let (site, list) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    std::fs::rename(site.path("grown.csv"), site.path("grown.csv.1")).unwrap();
    site.run_ok(&["--output", "grown.csv"]);
    assert!(!site.path("grown.csv").exists(), "nothing was new");
    add_subscribers(&site, list, 2);
    site.run_ok(&["--output", "grown.csv"]);
    let both = [
        emails(&site.path("grown.csv.1")),
        emails(&site.path("grown.csv")),
    ];
    assert_eq!([both[0].len(), both[1].len()], [3, 2]);
    assert_eq!(sorted(both.concat()), subscribed(&site, &[list]));
}

#[test]
fn an_emptied_growing_file_is_started_again() {
    let (site, list) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    std::fs::write(site.path("grown.csv"), "").unwrap();
    add_subscribers(&site, list, 2);
    site.run_ok(&["--output", "grown.csv"]);
    assert!(
        std::fs::read_to_string(site.path("grown.csv"))
            .unwrap()
            .starts_with(HEADER)
    );
    assert_eq!(emails(&site.path("grown.csv")).len(), 2);
}

#[test]
fn a_growing_file_written_by_another_program_is_refused_until_moved() {
    let (site, list) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    append_bytes(&site.path("grown.csv"), b"a stranger's line\n");
    add_subscribers(&site, list, 2);
    let done = assert_refused(
        &site,
        &["--output", "grown.csv"],
        "another program writes to it",
    );
    let file = site.path("grown.csv");
    done.says(&format!("mv '{0}' '{0}.old'", file.display()));
    std::fs::rename(&file, site.path("grown.csv.old")).unwrap();
    site.run_ok(&["--output", "grown.csv"]);
    assert_eq!(emails(&file).len(), 2);
}

#[test]
fn a_growing_file_changed_at_the_same_length_is_refused() {
    let (site, _) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    let text = std::fs::read_to_string(site.path("grown.csv")).unwrap();
    std::fs::write(site.path("grown.csv"), text.replace("Reader 5", "reader 5")).unwrap();
    assert_refused(&site, &["--output", "grown.csv"], "was changed");
}

#[test]
fn a_truncated_growing_file_is_refused() {
    let (site, _) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    crate::support::job::cut_bytes(&site.path("grown.csv"), 10);
    assert_refused(&site, &["--output", "grown.csv"], "shorter");
}

#[test]
fn a_growing_file_reduced_to_its_header_is_continued() {
    let (site, list) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    let path = site.path("grown.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let header = &text[..=text.find('\n').unwrap()];
    std::fs::write(&path, header).unwrap();
    site.sandbox.with(|world| world.add_subscribers(list, 2));
    site.run_ok(&["--output", "grown.csv"]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(header));
    assert_eq!(text.matches("list_id").count(), 1, "{text}");
    assert_eq!(emails(&path).len(), 2);
}

#[test]
fn a_file_with_foreign_content_is_refused() {
    let (site, _) = three_subscribers();
    std::fs::write(site.path("mine.csv"), "a,b\n1,2\n").unwrap();
    assert_refused(&site, &["--output", "mine.csv"], "has never written to it");
}

#[test]
fn a_growing_file_of_another_account_is_refused() {
    let (site, list) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    site.sandbox.with(|world| world.account.id += 1);
    site.authorize_anew();
    assert_refused(&site, &["--output", "grown.csv"], "has never written to it");
    assert_eq!(emails(&site.path("grown.csv")), subscribed(&site, &[list]));
}

#[test]
fn standard_output_gets_header_and_rows_and_nothing_else() {
    let (site, list) = three_subscribers();
    let done = site.run_ok(&["--output", "-", "-v"]);
    assert!(done.stdout.starts_with(HEADER));
    let printed = parse_csv(&done.stdout)
        .into_iter()
        .map(|row| row["email"].clone());
    assert_eq!(sorted(printed), subscribed(&site, &[list]));
    site.run_ok(&["--output", "-"]).prints_nothing();
    add_subscribers(&site, list, 1);
    let next = site.run_ok(&["--output", "-"]).stdout;
    assert!(next.starts_with(HEADER));
    assert_eq!(parse_csv(&next).len(), 1);
}

#[test]
fn a_closed_pipe_leaves_the_batch_to_the_next_run() {
    let mut job = Job::new(OutputKind::Stdout);
    job.add_subscribers(250);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = job.site.command(&["run", "--output", "-"]);
    command.stdout(writer);
    job.site.finish(command).exits(73).says("standard output");
    assert_eq!(job.batch_state().as_deref(), Some("ready"));
    let done = job.run_ok();
    job.assert_exported_once("printed by the next run", &done);
    assert_eq!(done.stdout.matches(HEADER).count(), 1);
}

#[test]
fn a_full_device_as_standard_output_leaves_the_batch_to_the_next_run() {
    let mut job = Job::new(OutputKind::Stdout);
    job.add_subscribers(3);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = job.site.command(&["run", "--output", "-"]);
    command.stdout(Stdio::from(full));
    job.site.finish(command).exits(73);
    let done = job.run_ok();
    job.assert_exported_once("printed by the next run", &done);
}

#[test]
fn a_missing_known_output_directory_is_an_error() {
    let (site, list) = three_subscribers();
    std::fs::create_dir(site.path("volume")).unwrap();
    site.run_ok(&["--output", "volume"]);
    std::fs::rename(site.path("volume"), site.path("unmounted")).unwrap();
    add_subscribers(&site, list, 2);
    for output in ["volume", "volume/", "./volume"] {
        assert_refused(&site, &["--output", output], "is missing");
    }
    std::fs::rename(site.path("unmounted"), site.path("volume")).unwrap();
    site.run_ok(&["--output", "volume"]);
    assert_eq!(published(&site.path("volume")).len(), 2);
}

#[test]
fn a_missing_known_default_directory_is_an_error() {
    let (site, _) = three_subscribers();
    site.run_ok(&[]);
    std::fs::rename(site.exports(), site.path("away")).unwrap();
    assert_refused(&site, &[], "is missing");
}

#[test]
fn a_directory_replacing_the_growing_file_is_an_error() {
    let (site, _) = three_subscribers();
    site.run_ok(&["--output", "grown.csv"]);
    std::fs::remove_file(site.path("grown.csv")).unwrap();
    std::fs::create_dir(site.path("grown.csv")).unwrap();
    assert_refused(&site, &["--output", "grown.csv"], "is now a directory");
}

#[test]
fn a_file_replacing_the_output_directory_is_an_error() {
    let (site, _) = three_subscribers();
    site.run_ok(&["--output", "out/"]);
    std::fs::remove_dir_all(site.path("out")).unwrap();
    std::fs::write(site.path("out"), "").unwrap();
    assert_refused(&site, &["--output", "out/"], "was a directory");
}

#[test]
fn a_growing_file_in_a_missing_directory_is_an_error() {
    let (site, _) = three_subscribers();
    assert_refused(
        &site,
        &["--output", "volume/grown.csv"],
        "no such directory",
    );
}
