//! N1 with a token command that fails, hangs, lies, or is killed at any point: no token is lost, and none is spent that
//! could not be replaced.

use crate::support::authorization::authorize;
use crate::support::browser::code_at;
use crate::support::disk::with_failing_calls;
use crate::support::interrupt::{KILLED, has_strace_with_paths, wait_until};
use crate::support::{Done, Site, subscribed};
use aweber_sandbox::{ClientKind, Rotation, Settings};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// A site whose tokens are behind a command, with three subscribers. AWeber revokes the whole family if it is sent a
/// refresh token twice.
pub(crate) fn site_with_command() -> Site {
    let settings = Settings {
        rotation: Rotation::FamilyKill,
        ..Settings::default()
    };
    let site = Site::with(ClientKind::Public, settings);
    site.keep_tokens_by_command();
    site.add_list(3);
    site
}

/// The next run works, and exports what is missing, once.
pub(crate) fn assert_next_run_is_well(site: &Site, what: &str) -> Done {
    let done = site.run(&[]);
    done.case(&what).exits(0);
    assert!(site.token_is_live(), "{what}: {done}");
    assert!(!site.beside_token(".next").exists(), "{what}: {done}");
    assert!(!site.beside_token(".rescued").exists(), "{what}: {done}");
    assert_eq!(site.emails().len(), 3, "{what}: {done}");
    done
}

#[test]
fn a_failing_get_ends_the_run_with_74_before_any_request() {
    for (what, hook, says) in [
        (
            "fails",
            "echo >&2 no route to host; exit 3",
            "`get` ended with exit code 3: no route to host",
        ),
        ("is killed", "kill -9 $$", "`get` ended with exit code 137"),
        (
            "is not found",
            "get() { no-such-program; }",
            "`get` ended with exit code 127",
        ),
        (
            "prints too much",
            "get() { cat /dev/zero; }",
            "more than 1 MiB",
        ),
    ] {
        let site = site_with_command();
        site.hook(hook);
        let done = site.run(&[]);
        done.case(&what)
            .exits(74)
            .says("cannot get the tokens from the store of the token command: ")
            .says(says)
            .says_safe("no request was sent and no token was spent")
            .says_next("repair the token command");
        assert_eq!(site.requests(), 0, "{done}");
        site.hook("");
        assert_next_run_is_well(&site, what);
    }
}

#[test]
fn what_get_prints_must_be_a_token_file() {
    let site = site_with_command();
    site.hook("get() { echo nonsense; }");
    let done = site.run(&[]);
    done.exits(78)
        .says("the store of the token command cannot be used as a token file: it is not a JSON object")
        .says_next("repair what `get` prints; if the tokens in it are lost, move it away ((umask 077 && ")
        .says(&format!(
            "get\" >'{}') && sh -c \"$AWEBER_SYNC_TOKEN_COMMAND erase\"), then aweber-sync authorize",
            site.beside_token(".broken").display()
        ));
    assert_eq!(site.requests(), 0, "{done}");
}

#[test]
fn what_the_command_says_is_shown_without_tokens() {
    let site = site_with_command();
    // As `set -x` and a careless client would.
    site.hook("case $call$n in store1) cat >given; cat given tokens >&2; printf '\\033[2J' >&2; exit 4;; esac");
    let done = site.run(&[]);
    done.exits(74)
        .says("`store` ended with exit code 4: ")
        .says("generation");
    done.does_not_say("\u{1b}");
    // Every output is searched for secrets.
    site.run(&["-vv"]).exits(0);
}

#[test]
fn a_store_that_cannot_store_is_found_before_the_token_is_spent() {
    for (what, hook) in [
        ("fails", "case $call$n in store1) exit 5;; esac"),
        ("is killed", "case $call$n in store1) kill -9 $$;; esac"),
        (
            "destroys what it held and fails",
            "case $call$n in store1) : >tokens; exit 5;; esac",
        ),
        (
            "stores half and is killed",
            "case $call$n in store1) head -c 40 >tokens; kill -9 $$;; esac",
        ),
        (
            "stores and then fails",
            "case $call$n in store1) cat >tokens; exit 5;; esac",
        ),
        (
            "says 0 and loses all",
            "case $call$n in store1) rm tokens; exit 0;; esac",
        ),
    ] {
        let site = site_with_command();
        site.hook(hook);
        let done = site.run(&[]);
        done.case(&what)
            .exits(74)
            .says("cannot store tokens in the store of the token command: `store` ")
            .says_safe("found before the refresh token was spent")
            .says_next("repair the token command");
        assert_eq!(site.token_requests(), 0, "{what}: {done}");
        site.hook("");
        assert_next_run_is_well(&site, what);
    }
}

#[test]
fn a_full_disk_under_the_journal_leaves_the_store_as_it_is() {
    if !has_strace_with_paths() {
        return;
    }
    for nth in 1..=3 {
        let site = site_with_command();
        let fails = format!("pwrite64:error=ENOSPC:when={nth}+");
        let journal = site.beside_token(".next");
        let run = with_failing_calls(&site.command(&["run"]), &[&journal], &[&fails]);
        let done = site.finish(run);
        if nth < 3 {
            done.case(&nth).exits(74).says_safe("found before");
            assert!(site.token_is_live(), "{nth}: {done}");
        }
        assert_next_run_is_well(&site, &nth.to_string());
    }
}

#[test]
fn a_store_that_fails_after_the_refresh_is_tried_again_at_the_end_of_the_run() {
    for hook in [
        "case $call$n in store2) exit 5;; esac",
        "case $call$n in store2) kill -9 $$;; esac",
        "case $call$n in store2) cat >tokens; exit 5;; esac",
        "case $call$n in store2) head -c 40 >tokens; exit 5;; esac",
        "case $call$n in store2) exit 0;; esac",
    ] {
        let site = site_with_command();
        site.hook(hook);
        let done = site.run(&[]);
        done.case(&hook)
            .exits(0)
            .says("the token command cannot store the new tokens: `store` ");
        assert_eq!(
            site.calls().iter().filter(|call| *call == "store").count(),
            3
        );
        assert!(site.token_is_live(), "{hook}: {done}");
        site.hook("");
        assert_next_run_is_well(&site, hook).is_silent();
    }
}

#[test]
fn a_store_that_goes_on_failing_leaves_the_tokens_in_the_journal_and_the_rows_published() {
    let site = site_with_command();
    site.hook("case $call$n in store1) ;; store*) exit 5;; esac");
    let done = site.run(&[]);
    done.exits(74)
        .says("cannot finish storing the tokens in the store of the token command")
        .says_safe("the tokens are in ")
        .says_next("repair the token command");
    assert_eq!(site.emails().len(), 3, "{done}");
    assert!(site.beside_token(".next").exists());
    assert!(!site.token_is_live(), "the store has the spent token");

    // Still broken: the journal is not replaced, and its token not spent.
    site.hook("case $call in store) exit 5;; esac");
    let before = std::fs::read(site.beside_token(".next")).unwrap();
    let requests = site.token_requests();
    site.run(&[]).exits(74);
    assert_eq!(site.token_requests(), requests);
    assert!(std::fs::read(site.beside_token(".next")).unwrap() == before);

    site.hook("");
    let done = assert_next_run_is_well(&site, "repaired");
    done.says("finished that");
}

#[test]
fn a_second_refresh_does_not_replace_a_journal_that_could_not_be_stored() {
    let site = site_with_command();
    let list = site.add_list(150);
    site.sandbox.with(|world| {
        world.before(
            "/subscribers",
            3,
            aweber_sandbox::World::expire_access_tokens,
        )
    });
    site.hook("case $call$n in store2) exit 5;; esac");
    site.run(&[]).exits(0);
    assert!(site.token_is_live());
    assert_eq!(site.tokens()["generation"], 3);

    site.hook("case $call$n in store1) ;; store*) exit 5;; esac");
    site.sandbox.with(|world| {
        world.before(
            "/subscribers",
            1,
            aweber_sandbox::World::expire_access_tokens,
        )
    });
    site.run(&[]).exits(74).says("the tokens are in ");
    site.hook("");
    site.run(&[]).exits(0);
    assert!(site.token_is_live());
    assert!(
        subscribed(&site, &[list])
            .iter()
            .all(|one| site.emails().contains(one))
    );
}

#[test]
fn a_hanging_command_is_killed_with_its_children_after_30_seconds() {
    let site = site_with_command();
    site.hook("echo $$ >>pids; (echo waiting; exec sleep 300) & echo $! >>pids; sleep 300");
    let began = Instant::now();
    let run = site.start(site.command(&["run"]));
    let status = site.finish(site.command(&["status"]));
    assert!(began.elapsed() < Duration::from_secs(8), "monitoring waits");
    status
        .exits(0)
        .prints("not healthy: cannot get the tokens from the store of the token command: `get` did not end within 5 s");
    let done = site.end(run);
    done.exits(74).says("`get` did not end within 30 s");
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(29) && took < Duration::from_secs(35),
        "{took:?}"
    );
    assert_eq!(site.requests(), 0);
    assert_all_end(&site, 4);
}

/// The processes that a hook has noted in `pids` end.
fn assert_all_end(site: &Site, count: usize) {
    let pids = std::fs::read_to_string(site.vault("pids")).unwrap();
    assert_eq!(pids.lines().count(), count, "{pids}");
    for pid in pids.lines() {
        // A zombie that its new parent has not waited for has ended too.
        let status = format!("/proc/{pid}/stat");
        wait_until("the command's processes end", || {
            std::fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z "))
        });
    }
}

#[test]
fn a_signal_ends_a_hanging_command_within_a_second() {
    for (call, requests) in [("get1", 0), ("store1", 0)] {
        let site = site_with_command();
        site.hook(&format!(
            "case $call$n in {call}) echo $$ >pids; sleep 300;; esac"
        ));
        let run = site.start(site.command(&["run"]));
        wait_until("the command hangs", || site.vault("pids").exists());
        let (done, took) = site.stop(run, Signal::TERM);
        done.case(&call).exits(143).says("stopped by SIGTERM");
        assert!(took < Duration::from_millis(1300), "{call}: {took:?}");
        assert_eq!(site.requests(), requests, "{call}");
        assert_all_end(&site, 1);
        site.hook("");
        assert_next_run_is_well(&site, call);
    }
}

#[test]
fn a_store_under_way_outlives_a_signal_and_the_run_then_stops() {
    let site = site_with_command();
    site.hook("case $call$n in store2) echo $$ >pids; sleep 0.3;; esac");
    let run = site.start(site.command(&["run"]));
    wait_until("the command stores", || site.vault("pids").exists());
    let (done, _) = site.stop(run, Signal::TERM);
    done.exits(143).does_not_say("cannot store");
    assert!(site.token_is_live() && !site.beside_token(".next").exists());
    site.hook("");
    assert_next_run_is_well(&site, "stored before the end");
}

#[test]
fn a_run_killed_at_any_call_takes_the_command_with_it_and_loses_no_token() {
    for call in ["get1", "get2", "store1", "get3", "store2", "get4"] {
        let site = site_with_command();
        // Late: without its end it would overwrite what the next run stores.
        site.hook(&format!(
            "case $call$n in {call}) echo $$ >pids; sleep 1; [ $call = get ] || cat >tokens; touch late;; esac"
        ));
        let run = site.start(site.command(&["run"]));
        wait_until("the command is called", || site.vault("pids").exists());
        assert_eq!(site.kill(run).code, KILLED, "{call}");
        site.hook("");
        let done = assert_next_run_is_well(&site, call);
        assert_eq!(
            done.stderr.contains("finished that"),
            ["store2"].contains(&call),
            "{call}: {done}"
        );
        std::thread::sleep(Duration::from_millis(1200));
        assert!(!site.vault("late").exists(), "{call}: the command went on");
        assert!(site.token_is_live(), "{call}");
    }
}

#[test]
fn authorize_killed_or_failing_while_it_stores_is_finished_by_the_next_run() {
    for (what, hook) in [
        (
            "killed",
            "case $call in store) kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat); sleep 1;; esac",
        ),
        ("failing", "case $call in store) exit 5;; esac"),
    ] {
        let site = Site::unauthorized(ClientKind::Public, Settings::default());
        site.keep_tokens_by_command();
        site.add_list(3);
        site.hook(hook);
        let done = site.finish_with_answer(authorize(&site, &[]), code_at);
        done.case(&what)
            .exits(if what == "killed" { KILLED } else { 74 });
        if what == "failing" {
            done.says_safe("the tokens are in ")
                .says_next("repair the token command");
        }
        assert!(site.beside_token(".next").exists() && !site.beside_token(".candidate").exists());
        site.hook("");
        assert_next_run_is_well(&site, what);
    }
}

#[test]
fn authorize_over_a_failing_store_keeps_the_new_tokens_and_is_finished_by_authorize() {
    let site = site_with_command();
    site.hook("case $call in store) exit 5;; esac");
    let candidate = site.beside_token(".candidate");
    site.finish_with_answer(authorize(&site, &[]), code_at)
        .exits(74)
        .says("cannot store tokens in the store of the token command: `store` ")
        .says_safe(&format!(
            "the new tokens are kept in {}",
            candidate.display()
        ))
        .says_next("repair the token command")
        .says("then aweber-sync authorize, which finishes it");
    assert!(candidate.exists());
    site.hook("");
    site.finish(site.command(&["authorize"]))
        .exits(0)
        .prints("Connected: ");
    assert!(!candidate.exists());
    assert_next_run_is_well(&site, "finished");
}

#[test]
fn revoke_erases_and_reports_a_failing_erase() {
    let site = site_with_command();
    site.hook("case $call in erase) exit 6;; esac");
    site.finish(site.command(&["revoke"]))
        .exits(74)
        .says("cannot remove the tokens from the store of the token command: `erase` ended with exit code 6")
        .says_safe("AWeber no longer accepts these tokens")
        .says_next("sh -c \"$AWEBER_SYNC_TOKEN_COMMAND erase\"");
}
