//! N5: a member of the group that may write to the output directory can spoil what lies there, and nothing else: no link
//! of theirs is followed. Needs root, to be two users.

use crate::support::disk::is_root;
use crate::support::interrupt::{has_strace_with_paths, wait_until};
use crate::support::job::HEADER;
use crate::support::process::through;
use crate::support::{Site, mode, read_csv, set_mode, sorted, subscribed};
use rustix::process::Signal;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// User and group of the member.
const MEMBER: u32 = 1234;

const SECRET: &str = "only root reads this\n";

/// Runs a shell script as the member, with `$1`, `$2` … as given.
fn as_member(script: &str, arguments: &[&Path]) {
    let id = MEMBER.to_string();
    let status = Command::new("setpriv")
        .args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"])
        .args(["sh", "-ec", script, "sh"])
        .args(arguments)
        .status();
    assert!(status.unwrap().success(), "{script}");
}

/// Replaces the stage file in `$1` by a link to `$2`.
const SWAP: &str =
    r#"for part in "$1"/.subscribers-*.part; do rm -f "$part"; ln -s "$2" "$part"; done"#;

/// A job of root's with 250 subscribers and an output directory that the member's group can write to.
struct Shared {
    site: Site,
    list: u64,
}

impl Shared {
    fn new() -> Shared {
        let site = Site::new();
        let list = site.add_list(250);
        // The member can pass, but not look.
        set_mode(&site.path(""), 0o711);
        let shared = site.path("shared");
        std::fs::create_dir(&shared).unwrap();
        chown(&shared, None, Some(MEMBER)).unwrap();
        set_mode(&shared, 0o2770);
        Shared { site, list }
    }

    fn directory(&self) -> PathBuf {
        self.site.path("shared")
    }

    /// A file that only root can read, of that many bytes at least.
    fn victim(&self, length: usize) -> PathBuf {
        let victim = self.site.path("victim");
        std::fs::write(&victim, SECRET.repeat(length.div_ceil(SECRET.len()))).unwrap();
        set_mode(&victim, 0o600);
        victim
    }

    fn output(&self) -> String {
        self.directory().display().to_string()
    }

    /// Asserts that each subscriber is in one published file.
    #[track_caller]
    fn assert_exported_once(&self) {
        let files = std::fs::read_dir(self.directory()).unwrap();
        let files = files.map(|entry| entry.unwrap().path()).filter(|path| {
            let is_hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
            !is_hidden && !path.is_symlink()
        });
        let rows = files.flat_map(|file| read_csv(&file));
        let found = sorted(rows.map(|row| row["email"].clone()));
        assert_eq!(found, subscribed(&self.site, &[self.list]));
    }
}

#[track_caller]
fn assert_untouched(victim: &Path, before: &[u8]) {
    assert!(
        std::fs::read(victim).unwrap() == before,
        "{victim:?} changed"
    );
    assert_eq!(mode(victim), 0o600, "{victim:?}");
}

#[test]
fn a_stage_file_swapped_for_a_link_during_the_run_is_not_followed() {
    if !is_root() {
        return;
    }
    for target in ["victim", "token"] {
        let shared = Shared::new();
        let victim = match target {
            "victim" => shared.victim(100),
            _ => shared.site.token_file(),
        };
        let (directory, link) = (shared.directory(), victim.clone());
        shared.site.sandbox.with(|world| {
            world.before("status=subscribed", 3, move |_| {
                as_member(SWAP, &[&directory, &link]);
            });
        });
        let content = std::fs::read(shared.site.path("victim")).unwrap_or_default();
        let output = shared.output();
        let arguments = ["--output", &output, "--output-mode", "0644"];
        let done = shared.site.run(&arguments);
        done.case(&target)
            .exits(73)
            .says("another user replaced it")
            .says_next("give readers of");
        assert_eq!(mode(&victim), 0o600, "{target}: {done}");
        if target == "victim" {
            assert_untouched(&victim, &content);
        }
        assert!(shared.site.token_is_live());
        shared.site.run_ok(&arguments);
        shared.assert_exported_once();
    }
}

#[test]
fn a_stage_file_swapped_between_the_check_and_the_rename_is_noticed() {
    if !has_strace_with_paths() {
        return;
    }
    let shared = Shared::new();
    let victim = shared.victim(100);
    let output = shared.output();
    let run = shared.site.command(&["run", "--output", &output]);
    // The ledger is made now: its own rename is not to be delayed.
    shared.site.run(&["--list", "unknown"]).exits(78);
    let front = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=renameat2:delay_enter=1500000",
        "--",
    ];
    let child = through(&front, &run).spawn().unwrap();
    let is_ready = |entry: std::io::Result<std::fs::DirEntry>| {
        entry
            .unwrap()
            .path()
            .extension()
            .is_some_and(|end| end == "ready")
    };
    wait_until("the rename begins", || {
        std::fs::read_dir(shared.directory()).unwrap().any(is_ready)
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    as_member(SWAP, &[&shared.directory(), &victim]);
    shared
        .site
        .wait(child)
        .exits(73)
        .says("another user replaced it");
    assert_untouched(&victim, &std::fs::read(&victim).unwrap());
    shared.site.run_ok(&["--output", &output]);
    shared.assert_exported_once();
}

#[test]
fn a_reader_that_rewrites_the_file_at_once_does_not_bring_its_rows_again() {
    if !has_strace_with_paths() {
        return;
    }
    let shared = Shared::new();
    let output = shared.output();
    let run = shared.site.command(&["run", "--output", &output]);
    shared.site.run(&["--list", "unknown"]).exits(78);
    // The rename has happened, but the run does not know it yet.
    let front = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=renameat2:delay_exit=1500000",
        "--",
    ];
    let child = through(&front, &run).spawn().unwrap();
    let published = || {
        let entries = std::fs::read_dir(shared.directory()).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|end| end == "csv"))
    };
    wait_until("the rename", || published().is_some());
    let path = published().unwrap();
    let rewritten = format!(
        "{}# by its reader\n",
        std::fs::read_to_string(&path).unwrap()
    );
    let beside = path.with_extension("tmp");
    std::fs::write(&beside, &rewritten).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    shared.site.wait(child).exits(0);
    shared.site.run_ok(&["--output", &output]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), rewritten);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(published(), None);
}

#[test]
fn what_replaced_the_stage_file_of_a_stopped_run_is_neither_cut_nor_published() {
    if !is_root() {
        return;
    }
    for way in ["link", "hard link", "their file", "directory"] {
        let shared = Shared::new();
        let victim = shared.victim(900_000);
        let content = std::fs::read(&victim).unwrap();
        let output = shared.output();
        let arguments = ["--output", &output, "--output-mode", "0644"];
        let held = shared.site.hold_on("status=subscribed", &arguments, 3);
        let (stopped, _) = shared.site.stop(held, Signal::TERM);
        stopped.exits(143);
        match way {
            "link" => as_member(SWAP, &[&shared.directory(), &victim]),
            // Where the kernel does not protect them, the member could make it.
            "hard link" => {
                let part = stage_file(&shared.directory());
                std::fs::remove_file(&part).unwrap();
                std::fs::hard_link(&victim, part).unwrap();
            }
            "their file" => as_member(
                r#"for part in "$1"/.subscribers-*.part; do rm "$part"; seq 99999 >"$part"; done"#,
                &[&shared.directory()],
            ),
            _ => as_member(
                r#"for part in "$1"/.subscribers-*.part; do rm "$part"; mkdir "$part"; done"#,
                &[&shared.directory()],
            ),
        }
        let done = shared.site.run(&arguments);
        done.case(&way).exits(0).says("another user replaced it");
        assert_untouched(&victim, &content);
        shared.assert_exported_once();
    }
}

fn stage_file(directory: &Path) -> PathBuf {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths
        .find(|path| path.extension().is_some_and(|end| end == "part"))
        .unwrap()
}

#[test]
fn a_link_in_place_of_a_growing_file_is_not_followed() {
    if !is_root() {
        return;
    }
    for (what, length) in [("dangling", None), ("to an empty file", Some(0))] {
        let shared = Shared::new();
        let victim = match length {
            Some(length) => shared.victim(length),
            None => shared.site.path("missing"),
        };
        let grown = shared.directory().join("grown.csv");
        as_member(r#"ln -s "$1" "$2""#, &[&victim, &grown]);
        let done = shared.site.run(&["--output", grown.to_str().unwrap()]);
        done.case(&what).exits(73).says("is a symbolic link");
        match length {
            Some(_) => assert_untouched(&victim, b""),
            None => assert!(!victim.exists(), "{done}"),
        }
        assert!(shared.site.token_is_live());
    }
}

#[test]
fn a_growing_file_swapped_for_a_link_during_the_run_is_not_followed() {
    if !is_root() {
        return;
    }
    let shared = Shared::new();
    let victim = shared.site.path("missing");
    let grown = shared.directory().join("grown.csv");
    let output = grown.to_str().unwrap().to_owned();
    let (link, target) = (grown.clone(), victim.clone());
    shared.site.sandbox.with(|world| {
        world.before("status=subscribed", 3, move |_| {
            as_member(r#"ln -s "$1" "$2""#, &[&target, &link]);
        });
    });
    let done = shared.site.run(&["--output", &output]);
    done.exits(73).says("is a symbolic link");
    assert!(!victim.exists(), "{done}");
    std::fs::remove_file(&grown).unwrap();
    shared.site.run_ok(&["--output", &output]);
    let rows = read_csv(&grown).into_iter().map(|row| row["email"].clone());
    assert_eq!(sorted(rows), subscribed(&shared.site, &[shared.list]));
}

#[test]
fn an_empty_file_with_another_name_is_not_taken_for_a_growing_file() {
    let site = Site::new();
    site.add_list(2);
    std::fs::write(site.path("other"), "").unwrap();
    std::fs::hard_link(site.path("other"), site.path("grown.csv")).unwrap();
    site.run(&["--output", "grown.csv"])
        .exits(73)
        .says("has another name (a hard link)");
    assert_eq!(std::fs::read(site.path("other")).unwrap(), b"");
}

#[test]
fn a_link_that_another_user_made_is_not_an_output_directory() {
    if !is_root() {
        return;
    }
    let shared = Shared::new();
    let private = shared.site.path("private");
    std::fs::create_dir(&private).unwrap();
    let link = shared.directory().join("exports");
    as_member(r#"ln -s "$1" "$2""#, &[&private, &link]);
    let done = shared
        .site
        .run(&["--output", &format!("{}/", link.display())]);
    done.exits(73).says("is a symbolic link");
    assert_eq!(std::fs::read_dir(&private).unwrap().count(), 0, "{done}");
}

#[test]
fn links_of_this_user_in_a_directory_of_its_own_are_followed() {
    for (what, make) in [
        (
            "grown.csv",
            (|path: &Path| drop(std::fs::File::create(path).unwrap())) as fn(&Path),
        ),
        ("exports", |path| std::fs::create_dir(path).unwrap()),
    ] {
        let site = Site::new();
        let list = site.add_list(2);
        let disk = site.path("other-disk");
        make(&disk);
        symlink("other-disk", site.path(what)).unwrap();
        for _ in 0..2 {
            site.run_ok(&["--output", what]);
            site.sandbox.with(|world| world.add_subscribers(list, 2));
        }
        assert!(site.path(what).is_symlink());
        if what == "exports" {
            assert_eq!(std::fs::read_dir(&disk).unwrap().count(), 2);
        } else {
            let text = std::fs::read_to_string(&disk).unwrap();
            assert_eq!(text.matches(HEADER).count(), 1);
            assert_eq!(text.lines().count(), 5, "{text}");
        }
    }
}

#[test]
fn a_directory_that_the_group_only_reads_serves_its_readers() {
    if !is_root() {
        return;
    }
    let shared = Shared::new();
    set_mode(&shared.directory(), 0o2750);
    let output = shared.output();
    shared
        .site
        .run_ok(&["--output", &output, "--output-mode", "0640"]);
    as_member(
        r#"cat "$1"/subscribers-*.csv >/dev/null"#,
        &[&shared.directory()],
    );
    let metadata = std::fs::metadata(shared.directory()).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o2750);
}
