//! Unsuitable directories: of another user, read-only, or removed or replaced during a run. Detected before the token
//! is spent where possible, and never at the cost of a row.

use crate::support::disk::{NOBODY, as_nobody, give_to_nobody, is_root};
use crate::support::job::{Job, OutputKind};
use crate::support::{Done, Site, set_mode};
use aweber_sandbox::{Fault, FaultKind};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Asserts the exit code, and that no request was made and the token is live.
fn assert_nothing_requested(site: &Site, done: &Done, code: i32, what: &str) {
    done.case(&what)
        .exits(code)
        .says("\n  safe: ")
        .says("\n  next: ");
    assert_eq!(site.requests(), 0, "{what}: {done}");
    assert!(site.token_is_live(), "{what}: {done}");
}

#[test]
fn a_state_directory_of_another_user_is_refused_with_the_chown_command() {
    if !is_root() {
        return;
    }
    for command in [&["run"][..], &["lists"], &["revoke"]] {
        for mode in [0o700, 0o755] {
            let what = format!("{command:?}, {mode:o}");
            let mut job = Job::new(OutputKind::Directory);
            job.add_subscribers(3);
            let site = &job.site;
            give_to_nobody(&site.path(""));
            chown(site.state_dir(), Some(1234), Some(1234)).unwrap();
            set_mode(&site.state_dir(), mode);
            let before = site.contents();
            let done = site.finish(as_nobody(&site.command(command)));
            assert_nothing_requested(site, &done, 78, &what);
            let advice = format!("chown -R {NOBODY} '{}'", site.state_dir().display());
            done.case(&what).says(&advice);
            assert!(site.contents() == before, "{what}: {done}");
            // Follows the advice.
            give_to_nobody(&site.state_dir());
            let done = site.finish(as_nobody(&site.command(&["run"])));
            done.case(&what).exits(0);
            job.record_output(&done);
            job.assert_exported_once(&what, &done);
        }
    }
}

#[test]
fn a_lock_or_token_file_of_another_user_is_refused_with_the_chown_command() {
    if !is_root() {
        return;
    }
    for name in ["lock", "token.json.lock", "token.json"] {
        let job = Job::new(OutputKind::Directory);
        job.add_subscribers(3);
        let site = &job.site;
        site.run_ok(&[]);
        site.forget_requests();
        job.add_subscribers(1);
        give_to_nobody(&site.path(""));
        // As created by a run of root.
        let file = site.state_dir().join(name);
        chown(&file, Some(0), Some(0)).unwrap();
        let done = site.finish(as_nobody(&site.command(&["run"])));
        assert_nothing_requested(site, &done, 78, name);
        done.case(&name)
            .says("chown")
            .says(&file.display().to_string());
        chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        let done = site.finish(as_nobody(&site.command(&["run"])));
        done.case(&name).exits(0);
        job.assert_exported_once(name, &done);
    }
}

#[test]
fn an_unwritable_state_directory_is_detected_before_the_token_is_spent() {
    if !is_root() {
        return;
    }
    for locked in [false, true] {
        let what = format!("locks exist: {locked}");
        let job = Job::new(OutputKind::Directory);
        job.add_subscribers(3);
        let site = &job.site;
        if locked {
            site.run_ok(&[]);
            site.forget_requests();
            job.add_subscribers(1);
        }
        give_to_nobody(&site.path(""));
        set_mode(&site.state_dir(), 0o500);
        let before = site.contents();
        let done = site.finish(as_nobody(&site.command(&["run"])));
        assert_nothing_requested(site, &done, 74, &what);
        let advice = match locked {
            false => "make the directory writable",
            // The ledger is opened first.
            true => "mode of that file and its directory",
        };
        done.case(&what).says(advice);
        assert!(site.contents() == before, "{what}: {done}");
        set_mode(&site.state_dir(), 0o700);
        let done = site.finish(as_nobody(&site.command(&["run"])));
        done.case(&what).exits(0);
        job.assert_exported_once(&what, &done);
    }
}

/// A first export of three pages with a checkpoint behind the second one; `what` changes the exports at the third.
fn run_disturbed_at_third_page(what: impl FnOnce(&Path) + Clone + Send + 'static) -> (Job, Done) {
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(250);
    let exports = job.site.exports();
    job.site.sandbox.with(|world| {
        let slow = FaultKind::DelayBefore(Duration::from_millis(1010));
        world.fault(Fault::on("status=subscribed").skip(1).answer(slow));
        world.before("status=subscribed", 3, move |_| what(&exports));
    });
    let done = job.run();
    done.exits(73);
    assert!(job.batch().rows >= 199, "{done}");
    let shown = job.site.exports().display().to_string();
    for part in [&shown, "\n  safe: ", "\n  next: "] {
        done.says(part);
    }
    assert!(job.site.token_is_live());
    (job, done)
}

/// Runs the `mkdir` or `mv` command in the last line of a message.
fn follow_advice(done: &Done, program: &str) {
    let advice = done.stderr.lines().last().unwrap();
    let (_, rest) = advice.split_once(&format!("{program} ")).unwrap();
    let words: Vec<&str> = rest
        .split([' ', ','])
        .take(if program == "mkdir" { 3 } else { 2 })
        .map(|word| word.trim_matches('\''))
        .collect();
    let status = Command::new(program).args(&words).status().unwrap();
    assert!(status.success(), "{program} {words:?}");
}

fn moved(exports: &Path) -> PathBuf {
    exports.with_extension("moved")
}

#[test]
fn an_output_directory_that_disappears_before_publication_is_requested_back() {
    let (mut job, done) = run_disturbed_at_third_page(|exports| {
        std::fs::rename(exports, moved(exports)).unwrap();
    });
    done.says("mount its volume");
    job.assert_next_run_refused("mount its volume")
        .says("mkdir -m 700");
    // The volume is mounted again.
    let exports = job.site.exports();
    std::fs::rename(moved(&exports), &exports).unwrap();
    let done = job.run_ok();
    job.assert_exported_once("after mounting again", &done);
}

#[test]
fn an_output_directory_removed_before_publication_gets_all_rows_once_recreated() {
    let (mut job, done) =
        run_disturbed_at_third_page(|exports| std::fs::remove_dir_all(exports).unwrap());
    done.says("mkdir -m 700");
    let refused = job.assert_next_run_refused("mkdir -m 700");
    follow_advice(&refused, "mkdir");
    let done = job.run_ok();
    job.assert_exported_once("a new directory", &done);
}

#[test]
fn a_file_replacing_the_output_directory_is_kept_and_the_advice_works() {
    let (mut job, done) = run_disturbed_at_third_page(|exports| {
        std::fs::remove_dir_all(exports).unwrap();
        std::fs::write(exports, "somebody's").unwrap();
    });
    done.says("no longer a directory");
    let refused = job.assert_next_run_refused("no longer a directory");
    let exports = job.site.exports();
    assert_eq!(std::fs::read_to_string(&exports).unwrap(), "somebody's");
    follow_advice(&refused, "mv");
    follow_advice(&refused, "mkdir");
    let done = job.run_ok();
    job.assert_exported_once("after mv and mkdir", &done);
    let aside = exports.with_extension("old");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), "somebody's");
}

#[test]
fn a_file_replacing_the_output_directory_is_detected_before_the_token_is_spent() {
    for exported_before in [false, true] {
        let mut job = Job::new(OutputKind::Directory);
        let exports = job.site.exports();
        if exported_before {
            job.add_subscribers(1);
            job.run_ok();
            std::fs::rename(&exports, moved(&exports)).unwrap();
        }
        job.add_subscribers(3);
        job.site.forget_requests();
        std::fs::write(&exports, "somebody's").unwrap();
        let done = job.run();
        assert_nothing_requested(&job.site, &done, 73, "a file");
        assert_eq!(std::fs::read_to_string(&exports).unwrap(), "somebody's");
        std::fs::remove_file(&exports).unwrap();
        if exported_before {
            std::fs::rename(moved(&exports), &exports).unwrap();
        }
        let done = job.run_ok();
        job.assert_exported_once("without that file", &done);
    }
}

/// Docker makes a directory of a bind mount whose source does not exist; a typing error or a restored backup does it too.
#[test]
fn a_directory_in_the_place_of_a_file_has_its_advice_in_every_command() {
    for name in [
        "token.json",
        "lock",
        "token.json.lock",
        "token.json.next",
        "token.json.candidate",
        "token.json.authorizing",
        "token.json.requests",
        "ledger-1234567.sqlite3",
    ] {
        for command in [
            &["run"][..],
            &["run", "--dry-run"],
            &["lists"],
            &["forget", "--list", "6000001"],
            &["authorize", "--print-url"],
            &["authorize", "--code", "a-code"],
            &["revoke"],
        ] {
            let what = format!("{name}, {command:?}");
            let mut job = Job::new(OutputKind::Directory);
            job.add_subscribers(2);
            job.run_ok();
            let there = job.site.state_dir().join(name);
            let aside = job.site.path("aside");
            let existed = std::fs::rename(&there, &aside).is_ok();
            std::fs::create_dir(&there).unwrap();
            set_mode(&there, 0o700);
            let done = job.site.finish(job.site.command(command));
            if done.code != 0 {
                done.case(&what).says("\n  safe: ").says("\n  next: ");
            }
            if name == "token.json" {
                done.case(&what).exits(74).says("is a directory");
            }
            let forgot = command[0] == "forget" && done.code == 0;
            if command[0] == "revoke" || forgot {
                continue;
            }
            assert!(there.is_dir(), "{what}: {done}");
            std::fs::remove_dir(&there).unwrap();
            if existed {
                std::fs::rename(&aside, &there).unwrap();
            }
            let done = job.run_ok();
            job.assert_exported_once(&what, &done);
        }
    }
}
