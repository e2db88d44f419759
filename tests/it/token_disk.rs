//! N1 on disks that cannot store the next token: detected before the refresh token is spent. Needs root, for mounts
//! in a namespace.

use crate::support::process::in_mount_namespace;
use crate::support::{Done, Site, subscribed};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};

/// `aweber-sync run` with the token file in its own directory: `vault/token.json`.
fn site_with_vault() -> (Site, Command) {
    let site = Site::new();
    std::fs::create_dir(site.path("vault")).unwrap();
    std::fs::rename(site.token_file(), site.path("vault/token.json")).unwrap();
    let mut command = site.command(&["run"]);
    command.env("AWEBER_SYNC_TOKEN_FILE", site.path("vault/token.json"));
    (site, command)
}

/// Asserts that the run ended with 74 before any request.
fn assert_nothing_spent(site: &Site, done: &Done, what: &str) {
    done.case(&what).exits(74).says("next: ");
    assert_eq!(site.requests(), 0, "{what}: {done}");
}

#[test]
fn a_bind_mounted_token_file_is_detected_before_the_token_is_spent() {
    let site = Site::new();
    let command = site.command(&["run"]);
    // Docker's `-v ./token.json:/state/token.json`.
    std::fs::rename(site.token_file(), site.path("host.json")).unwrap();
    std::fs::write(site.token_file(), "").unwrap();
    let script = "mount --bind host.json state/token.json && exec \"$@\"";
    let Some(command) = in_mount_namespace(script, &command) else {
        return;
    };
    let before = std::fs::read(site.path("host.json")).unwrap();
    let done = site.finish(command);
    assert_nothing_spent(&site, &done, "bind mount");
    done.says("mount the directory of the token file")
        .says("untouched and still works");
    assert!(std::fs::read(site.path("host.json")).unwrap() == before);
    assert!(!site.beside_token(".next").exists(), "{done}");

    std::fs::rename(site.path("host.json"), site.token_file()).unwrap();
    site.run_ok(&[]);
}

#[test]
fn a_read_only_directory_is_detected_before_the_token_is_spent() {
    for directory in ["vault", "state", "."] {
        let (site, command) = site_with_vault();
        std::fs::write(site.path("vault/token.json.lock"), "").unwrap();
        let mut script = format!("mount --bind {directory} {directory} && ");
        write!(
            script,
            "mount -o remount,bind,ro {directory} && cd . && exec \"$@\""
        )
        .unwrap();
        let Some(command) = in_mount_namespace(&script, &command) else {
            return;
        };
        let before = std::fs::read(site.path("vault/token.json")).unwrap();
        let done = site.finish(command);
        assert_nothing_spent(&site, &done, directory);
        done.case(&directory).says("writable");
        assert!(std::fs::read(site.path("vault/token.json")).unwrap() == before);
    }
}

/// A run with the token file on a small disk with this many free pages of 4 KiB, and the token file after it.
fn run_on_small_disk(free_pages: u32) -> Option<(Site, Done, Value)> {
    let (site, command) = site_with_vault();
    // 1 MiB in total; the filler leaves the free pages.
    let script = format!(
        "cp vault/token.json kept.json && mount -t tmpfs -o size=1m,mode=0700 tmpfs vault && \
         cp -p kept.json vault/token.json && : >vault/token.json.lock && cat /dev/zero >vault/filler 2>/dev/null; \
         size=$(stat -c %s vault/filler) && truncate -s $((size - {free_pages} * 4096)) vault/filler && \
         \"$@\"; code=$?; cp vault/token.json after.json; ls vault >names; exit $code"
    );
    let done = site.finish(in_mount_namespace(&script, &command)?);
    let after = std::fs::read(site.path("after.json")).unwrap();
    let after = serde_json::from_slice(&after).unwrap();
    Some((site, done, after))
}

#[test]
fn a_disk_too_full_for_the_next_token_is_detected_before_the_token_is_spent() {
    let (mut refused, mut succeeded) = (0, 0);
    for free_pages in [0, 1, 2, 8, 15, 16, 17, 18, 40] {
        let Some((site, done, after)) = run_on_small_disk(free_pages) else {
            return;
        };
        let token = after["refresh_token"].as_str().unwrap();
        assert!(
            site.sandbox
                .with(|world| world.is_live_refresh_token(token)),
            "{free_pages} pages: {done}"
        );
        if done.code == 0 {
            assert_eq!(after["generation"], 2, "{free_pages} pages");
            succeeded += 1;
        } else {
            assert_nothing_spent(&site, &done, &format!("{free_pages} pages"));
            done.case(&format_args!("{free_pages} pages"))
                .says("free some disk space");
            assert_eq!(after["generation"], 1, "{free_pages} pages");
            refused += 1;
        }
        // No file is left that would keep the disk full.
        let names = std::fs::read_to_string(site.path("names")).unwrap();
        let log = if done.code == 0 {
            "token.json.requests\n"
        } else {
            ""
        };
        assert_eq!(
            names,
            format!("filler\ntoken.json\ntoken.json.lock\n{log}"),
            "{free_pages} pages"
        );
    }
    assert!(
        refused >= 3 && succeeded >= 1,
        "{refused} refused, {succeeded} succeeded"
    );
}

#[test]
fn a_completely_full_disk_spends_no_token() {
    let site = Site::new();
    let script = "cp state/token.json kept.json && mount -t tmpfs -o size=256k,mode=0700 tmpfs state && \
         cp -p kept.json state/token.json && cat /dev/zero >state/filler 2>/dev/null; exec \"$@\"";
    let Some(command) = in_mount_namespace(script, &site.command(&["run"])) else {
        return;
    };
    let done = site.finish(command);
    assert_nothing_spent(&site, &done, "state directory");
}

/// A run with the token file on its own small disk, which is filled while AWeber handles the nth request that
/// contains `on`.
fn run_on_filling_disk(
    site: &Site,
    command: &Command,
    on: &str,
    nth: u32,
) -> Option<(Done, Value)> {
    let script = "cp vault/token.json kept.json && mount -t tmpfs -o size=1m,mode=0700 tmpfs vault && \
         cp -p kept.json vault/token.json && { \"$@\"; code=$?; cp vault/token.json after.json; exit $code; }";
    let mut command = in_mount_namespace(script, command)?;
    let (send_id, id) = mpsc::channel::<u32>();
    let (full, was_full) = mpsc::channel::<bool>();
    let filler = site.path("vault/filler");
    let id = Arc::new(Mutex::new(id));
    site.sandbox.with(|world| {
        world.before(on, nth, move |_| {
            // The mount namespace of the process.
            let seen = format!(
                "/proc/{}/root{}",
                id.lock().unwrap().recv().unwrap(),
                filler.display()
            );
            let mut filler = std::fs::File::create(seen).unwrap();
            let filled = (0..1000).any(|_| filler.write_all(&[0; 4096]).is_err());
            full.send(filled).unwrap();
        });
    });
    let child = command.spawn().unwrap();
    send_id.send(child.id()).unwrap();
    let done = site.wait(child);
    assert!(was_full.recv().unwrap());
    let after = std::fs::read(site.path("after.json")).unwrap();
    Some((done, serde_json::from_slice(&after).unwrap()))
}

#[test]
fn a_disk_that_fills_up_during_a_refresh_loses_no_token() {
    let (site, command) = site_with_vault();
    let list = site.add_list(3);
    let Some((done, after)) = run_on_filling_disk(&site, &command, "/oauth2/token", 1) else {
        return;
    };
    done.exits(0);
    let token = after["refresh_token"].as_str().unwrap();
    assert!(
        site.sandbox
            .with(|world| world.is_live_refresh_token(token))
    );
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}

#[test]
fn a_disk_that_fills_up_during_a_run_is_detected_before_the_next_token_is_spent() {
    let (site, command) = site_with_vault();
    let list = site.add_list(250);
    site.sandbox
        .with(|world| world.settings.access_dies_after_requests = Some(2));
    let Some((done, after)) = run_on_filling_disk(&site, &command, "/1.0/", 2) else {
        return;
    };
    done.exits(74);
    assert_eq!(site.token_requests(), 1, "{done}");
    done.says("free some disk space");
    let token = after["refresh_token"].as_str().unwrap();
    assert!(
        site.sandbox
            .with(|world| world.is_live_refresh_token(token))
    );

    std::fs::write(site.path("vault/token.json"), after.to_string()).unwrap();
    site.finish(command).exits(0);
    assert_eq!(site.emails(), subscribed(&site, &[list]));
}
