//! The three kinds of `--output`: which one a path means, what is made there, and that a path keeps its kind.

use crate::support::story::{HEADER, Outlet, Story, append};
use crate::support::{Done, Site, parse_csv, published, read_csv, sorted, subscribed};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

/// A site with one list of three.
fn three_readers() -> (Site, u64) {
    let site = Site::new();
    let list = site.sandbox.with(|world| {
        let list = world.add_list("Readers");
        world.add_subscribers(list, 3);
        list
    });
    (site, list)
}

fn more(site: &Site, list: u64, count: usize) {
    site.sandbox
        .with(|world| world.add_subscribers(list, count));
}

fn emails(file: &Path) -> Vec<String> {
    sorted(read_csv(file).into_iter().map(|row| row["email"].clone()))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// 73, with nothing asked of AWeber and every file as it was.
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
fn a_directory_that_exists_needs_no_slash() {
    let (site, list) = three_readers();
    std::fs::create_dir(site.path("out")).unwrap();
    site.run_ok(&["--output", "out"]);
    let files = published(&site.path("out"));
    assert_eq!(files.len(), 1);
    assert_eq!(emails(&files[0]), subscribed(&site, &[list]));
}

#[test]
fn a_path_with_a_slash_is_made_a_directory_private_to_its_owner() {
    let (site, list) = three_readers();
    site.run_ok(&["--output", "new/deep/"]);
    let files = published(&site.path("new/deep"));
    assert_eq!(emails(&files[0]), subscribed(&site, &[list]));
    for directory in ["new", "new/deep"] {
        assert_eq!(mode(&site.path(directory)), 0o700, "{directory}");
    }
}

#[test]
fn by_default_files_go_to_exports_in_the_state_directory() {
    let (site, list) = three_readers();
    site.run_ok(&[]);
    assert_eq!(mode(&site.path("state/exports")), 0o700);
    assert_eq!(site.files().len(), 1);
    assert_eq!(emails(&site.files()[0]), subscribed(&site, &[list]));
    assert_eq!(mode(&site.files()[0]), 0o600);
}

#[test]
fn a_file_is_named_by_the_time_in_utc() {
    let (site, _) = three_readers();
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
fn a_run_without_news_makes_no_file_and_touches_none() {
    for output in ["exports/", "grown.csv", "-"] {
        let site = Site::new();
        site.sandbox.with(|world| world.add_list("Empty"));
        site.run_ok(&["--output", output]).prints_nothing();
        assert_eq!(published(&site.path("exports")).len(), 0);
        assert!(!site.path("grown.csv").exists());
    }
    let (site, _) = three_readers();
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
fn a_growing_file_gets_its_header_once_over_several_runs() {
    let (site, list) = three_readers();
    for _ in 0..4 {
        site.run_ok(&["--output", "grown.csv"]);
        more(&site, list, 2);
    }
    site.run_ok(&["--output", "grown.csv"]);
    let text = std::fs::read_to_string(site.path("grown.csv")).unwrap();
    assert!(text.starts_with(HEADER));
    assert_eq!(text.matches("list_id").count(), 1);
    assert_eq!(emails(&site.path("grown.csv")), subscribed(&site, &[list]));
    assert_eq!(mode(&site.path("grown.csv")), 0o600);
}

#[test]
fn a_growing_file_rotated_away_is_begun_anew() {
    let (site, list) = three_readers();
    site.run_ok(&["--output", "grown.csv"]);
    std::fs::rename(site.path("grown.csv"), site.path("grown.csv.1")).unwrap();
    site.run_ok(&["--output", "grown.csv"]);
    assert!(!site.path("grown.csv").exists(), "nothing was new");
    more(&site, list, 2);
    site.run_ok(&["--output", "grown.csv"]);
    let both = [
        emails(&site.path("grown.csv.1")),
        emails(&site.path("grown.csv")),
    ];
    assert_eq!([both[0].len(), both[1].len()], [3, 2]);
    assert_eq!(sorted(both.concat()), subscribed(&site, &[list]));
}

#[test]
fn a_growing_file_that_was_emptied_is_begun_anew() {
    let (site, list) = three_readers();
    site.run_ok(&["--output", "grown.csv"]);
    std::fs::write(site.path("grown.csv"), "").unwrap();
    more(&site, list, 2);
    site.run_ok(&["--output", "grown.csv"]);
    assert!(
        std::fs::read_to_string(site.path("grown.csv"))
            .unwrap()
            .starts_with(HEADER)
    );
    assert_eq!(emails(&site.path("grown.csv")).len(), 2);
}

#[test]
fn a_growing_file_that_somebody_else_writes_to_is_left_alone_until_moved() {
    let (site, list) = three_readers();
    site.run_ok(&["--output", "grown.csv"]);
    append(&site.path("grown.csv"), b"a stranger's line\n");
    more(&site, list, 2);
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
fn a_growing_file_changed_without_a_change_of_length_is_left_alone() {
    let (site, _) = three_readers();
    site.run_ok(&["--output", "grown.csv"]);
    let text = std::fs::read_to_string(site.path("grown.csv")).unwrap();
    std::fs::write(site.path("grown.csv"), text.replace("Reader 5", "reader 5")).unwrap();
    assert_refused(&site, &["--output", "grown.csv"], "was changed");
}

#[test]
fn a_growing_file_cut_shorter_is_left_alone() {
    let (site, _) = three_readers();
    site.run_ok(&["--output", "grown.csv"]);
    crate::support::story::cut(&site.path("grown.csv"), 10);
    assert_refused(&site, &["--output", "grown.csv"], "shorter");
}

#[test]
fn a_growing_file_whose_reader_left_the_header_goes_on_behind_it() {
    let (site, list) = three_readers();
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
fn a_file_that_held_something_before_is_left_alone() {
    let (site, _) = three_readers();
    std::fs::write(site.path("mine.csv"), "a,b\n1,2\n").unwrap();
    assert_refused(&site, &["--output", "mine.csv"], "has never written to it");
}

#[test]
fn a_growing_file_of_another_account_is_left_alone() {
    let (site, list) = three_readers();
    site.run_ok(&["--output", "grown.csv"]);
    site.sandbox.with(|world| world.account.id += 1);
    site.authorize_anew();
    assert_refused(&site, &["--output", "grown.csv"], "has never written to it");
    assert_eq!(emails(&site.path("grown.csv")), subscribed(&site, &[list]));
}

#[test]
fn standard_output_gets_header_and_rows_and_nothing_else() {
    let (site, list) = three_readers();
    let done = site.run_ok(&["--output", "-", "-v"]);
    assert!(done.stdout.starts_with(HEADER));
    let printed = parse_csv(&done.stdout)
        .into_iter()
        .map(|row| row["email"].clone());
    assert_eq!(sorted(printed), subscribed(&site, &[list]));
    site.run_ok(&["--output", "-"]).prints_nothing();
    more(&site, list, 1);
    let next = site.run_ok(&["--output", "-"]).stdout;
    assert!(next.starts_with(HEADER));
    assert_eq!(parse_csv(&next).len(), 1);
}

#[test]
fn a_closed_pipe_leaves_the_batch_to_the_next_run() {
    let mut story = Story::new(Outlet::Stdout);
    story.more(250);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = story.site.command(&["run", "--output", "-"]);
    command.stdout(writer);
    story.site.finish(command).exits(73).says("standard output");
    assert_eq!(story.state().as_deref(), Some("ready"));
    let done = story.run_ok();
    story.assert_everybody_once("printed by the next run", &done);
    assert_eq!(done.stdout.matches(HEADER).count(), 1);
}

#[test]
fn a_full_device_as_standard_output_leaves_the_batch_to_the_next_run() {
    let mut story = Story::new(Outlet::Stdout);
    story.more(3);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = story.site.command(&["run", "--output", "-"]);
    command.stdout(Stdio::from(full));
    story.site.finish(command).exits(73);
    let done = story.run_ok();
    story.assert_everybody_once("printed by the next run", &done);
}

#[test]
fn a_directory_that_is_suddenly_missing_is_an_error_and_not_a_file() {
    let (site, list) = three_readers();
    std::fs::create_dir(site.path("volume")).unwrap();
    site.run_ok(&["--output", "volume"]);
    std::fs::rename(site.path("volume"), site.path("unmounted")).unwrap();
    more(&site, list, 2);
    for output in ["volume", "volume/", "./volume"] {
        assert_refused(&site, &["--output", output], "is missing");
    }
    std::fs::rename(site.path("unmounted"), site.path("volume")).unwrap();
    site.run_ok(&["--output", "volume"]);
    assert_eq!(published(&site.path("volume")).len(), 2);
}

#[test]
fn the_default_directory_that_is_suddenly_missing_is_an_error_too() {
    let (site, _) = three_readers();
    site.run_ok(&[]);
    std::fs::rename(site.exports(), site.path("away")).unwrap();
    assert_refused(&site, &[], "is missing");
}

#[test]
fn a_directory_in_place_of_the_growing_file_is_an_error() {
    let (site, _) = three_readers();
    site.run_ok(&["--output", "grown.csv"]);
    std::fs::remove_file(site.path("grown.csv")).unwrap();
    std::fs::create_dir(site.path("grown.csv")).unwrap();
    assert_refused(&site, &["--output", "grown.csv"], "is now a directory");
}

#[test]
fn a_file_in_place_of_the_directory_is_an_error() {
    let (site, _) = three_readers();
    site.run_ok(&["--output", "out/"]);
    std::fs::remove_dir_all(site.path("out")).unwrap();
    std::fs::write(site.path("out"), "").unwrap();
    assert_refused(&site, &["--output", "out/"], "was a directory");
}

#[test]
fn a_growing_file_whose_directory_is_missing_is_an_error() {
    let (site, _) = three_readers();
    assert_refused(
        &site,
        &["--output", "volume/grown.csv"],
        "no such directory",
    );
}
