//! N1 and N5: which token files are refused, and the recovery of one after a kill.

use crate::support::token::{refresh_token_in, unreachable_url};
use crate::support::{Done, Site, set_mode};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The reservation for the next tokens.
const RESERVED: usize = 64 * 1024;

/// Asserts that a run ends with 78 before any request and leaves the token file unchanged.
fn assert_refused(site: &Site) -> Done {
    let before = std::fs::read(site.token_file()).ok();
    let done = site.run(&[]);
    done.exits(78);
    assert_eq!(site.requests(), 0, "{done}");
    assert!(std::fs::read(site.token_file()).ok() == before, "{done}");
    assert!(!site.beside_token(".next").exists(), "{done}");
    done
}

#[test]
fn a_token_file_accessible_to_others_is_refused_with_the_chmod_command() {
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o777] {
        let site = Site::new();
        set_mode(&site.token_file(), mode);
        let done = assert_refused(&site);
        let chmod = format!("chmod 600 '{}'", site.token_file().display());
        done.case(&format_args!("{mode:o}")).says(&chmod);
        let left = std::fs::metadata(site.token_file())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(left & 0o7777, mode);

        set_mode(&site.token_file(), 0o600);
        site.run_ok(&[]);
    }
}

#[test]
fn a_token_file_that_only_its_owner_can_read_is_accepted() {
    let site = Site::new();
    set_mode(&site.token_file(), 0o400);
    site.run_ok(&[]);
    assert!(site.token_is_live());
}

#[test]
fn a_missing_token_file_asks_for_authorize() {
    let site = Site::new();
    std::fs::remove_file(site.token_file()).unwrap();
    assert_refused(&site)
        .says(&site.token_file().to_string_lossy())
        .says_next("aweber-sync authorize");
    assert!(!site.token_file().exists());
}

#[test]
fn a_broken_token_file_is_left_unchanged() {
    let site = Site::new();
    let whole = site.token_bytes();
    let no_refresh_token = json!({"version": 1, "client_id": "public-client", "access_token": "x"});
    for broken in [
        Vec::new(),
        b"\n".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        [whole.as_slice(), b"}"].concat(),
        [b"\0".repeat(whole.len())].concat(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\xff\xfe{}".to_vec(),
        no_refresh_token.to_string().into_bytes(),
    ] {
        std::fs::write(site.token_file(), &broken).unwrap();
        assert_refused(&site)
            .says("cannot be used as a token file")
            .says("aweber-sync authorize");
    }
    std::fs::write(site.token_file(), whole).unwrap();
    site.run_ok(&[]);
}

#[test]
fn a_token_file_of_a_newer_version_is_refused() {
    let site = Site::new();
    let mut file = site.tokens();
    file["version"] = json!(3);
    site.write_token_file(&file);
    assert_refused(&site).says("newer aweber-sync");
}

#[test]
fn tokens_of_a_client_other_than_the_configured_one_are_not_sent() {
    let site = Site::new();
    let before = site.token_bytes();
    let mut command = site.command(&["run"]);
    command.env("AWEBER_CLIENT_ID", "confidential-client");
    site.finish(command)
        .exits(78)
        .says("public-client")
        .says("confidential-client");
    assert_eq!(site.requests(), 0);
    assert!(site.token_bytes() == before);

    let mut same = site.command(&["run"]);
    same.env("AWEBER_CLIENT_ID", "public-client");
    site.finish(same).exits(0);
}

#[test]
fn a_handwritten_token_file_needs_only_client_id_and_refresh_token() {
    let site = Site::new();
    let list = site.add_list(2);
    let tokens = site.tokens();
    site.write_token_file(&json!({
        "client_id": tokens["client_id"],
        "refresh_token": tokens["refresh_token"],
    }));
    let live_on_disk = site.watch_token_file();
    let done = site.run_ok(&[]);
    assert!(live_on_disk.all().iter().all(|live| *live), "{done}");
    assert_eq!(site.emails(), crate::support::subscribed(&site, &[list]));
    assert_eq!(site.tokens()["account_id"], "1234567");
    assert_eq!(site.token_requests(), 1, "{done}");
}

/// Possible contents of `.next`: a label, the bytes, and whether they must be recovered.
fn next_file_states(
    present: &Value,
    next: &Value,
    older: &Value,
) -> Vec<(&'static str, Vec<u8>, bool)> {
    let text = |value: &Value| format!("{value:#}\n").into_bytes();
    let padded = |bytes: &[u8]| {
        let mut padded = vec![b' '; RESERVED];
        padded[..bytes.len()].copy_from_slice(bytes);
        padded
    };
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    vec![
        ("new tokens in the reservation", padded(&text(next)), true),
        ("new tokens cut to their length", text(next), true),
        (
            "new tokens, most blanks lost",
            [text(next), vec![b' '; 100]].concat(),
            true,
        ),
        ("a reservation", padded(b""), false),
        ("half a reservation", vec![b' '; RESERVED / 2], false),
        ("nothing in it", Vec::new(), false),
        ("a rehearsal", text(present), false),
        ("half a rehearsal", half(text(present)), false),
        ("zeroes of an unclean shutdown", vec![0; 300], false),
        ("older tokens", text(older), false),
    ]
}

fn tokens_with(base: &Value, generation: u64, refresh_token: &str) -> Value {
    let mut file = base.clone();
    file["generation"] = json!(generation);
    file["refresh_token"] = json!(refresh_token);
    file.as_object_mut().unwrap().remove("client_secret");
    file
}

/// A site after a kill, with the given state of `.next`.
fn killed_site(state: usize) -> (Site, &'static str) {
    let site = Site::new();
    let base = site.tokens();
    let live = base["refresh_token"].as_str().unwrap().to_owned();
    let (present, next, older) = (
        tokens_with(&base, 5, &live),
        tokens_with(&base, 6, &live),
        tokens_with(&base, 4, "RT-spent-long-ago"),
    );
    let (what, bytes, is_next) = next_file_states(&present, &next, &older).swap_remove(state);
    let present = if is_next {
        tokens_with(&base, 5, "RT-spent-long-ago")
    } else {
        present
    };
    site.write_token_file(&present);
    std::fs::write(site.beside_token(".next"), bytes).unwrap();
    set_mode(&site.beside_token(".next"), 0o600);
    (site, what)
}

const STATES: usize = 10;

#[test]
fn after_a_kill_at_any_point_of_the_token_write_the_next_run_uses_the_live_token() {
    for state in 0..STATES {
        let (site, what) = killed_site(state);
        let list = site.add_list(2);
        let live_on_disk = site.watch_token_file();
        let done = site.run_ok(&[]);
        assert!(
            live_on_disk.all().iter().all(|live| *live),
            "{what}: {done}"
        );
        assert_eq!(site.token_requests(), 1, "{what}: {done}");
        assert!(!site.beside_token(".next").exists(), "{what}");
        assert!(site.tokens()["generation"].as_u64().unwrap() > 5, "{what}");
        assert_eq!(site.emails(), crate::support::subscribed(&site, &[list]));
    }
}

#[test]
fn a_killed_token_write_is_recovered_without_network() {
    for state in 0..STATES {
        let (site, what) = killed_site(state);
        let mut command = site.command(&["run"]);
        command.env("AWEBER_AUTH_URL", unreachable_url());
        let done = site.finish(command);
        done.case(&what).exits(69);
        assert_eq!(site.requests(), 0);
        assert!(site.token_is_live(), "{what}: {done}");
        assert!(!site.beside_token(".next").exists(), "{what}");
    }
}

#[test]
fn new_tokens_are_recovered_when_the_old_file_is_missing() {
    let (site, _) = killed_site(0);
    std::fs::remove_file(site.token_file()).unwrap();
    site.run_ok(&[]);
    assert!(site.token_is_live());
}

#[test]
fn an_unparsed_answer_of_a_killed_run_is_kept_as_rescued() {
    let site = Site::new();
    let mut bytes = vec![b' '; RESERVED];
    bytes[..22].copy_from_slice(b"<html>what is it</html");
    std::fs::write(site.beside_token(".next"), &bytes).unwrap();
    set_mode(&site.beside_token(".next"), 0o600);
    let done = site.run_ok(&[]);
    let rescued = site.beside_token(".rescued");
    assert!(std::fs::read(&rescued).unwrap() == bytes, "{done}");
    done.says(&rescued.to_string_lossy());
    assert!(site.token_is_live());
}

#[test]
fn a_symlinked_token_file_stays_a_symlink_and_its_target_is_replaced() {
    for absolute in [false, true] {
        let site = Site::new();
        let target = site.path("vault/real.json");
        std::fs::create_dir(site.path("vault")).unwrap();
        std::fs::rename(site.token_file(), &target).unwrap();
        // Two symlinks, the second beside the target.
        std::os::unix::fs::symlink("real.json", site.path("vault/current.json")).unwrap();
        let link = if absolute {
            site.path("vault/current.json")
        } else {
            "../vault/current.json".into()
        };
        std::os::unix::fs::symlink(&link, site.token_file()).unwrap();
        let old = refresh_token_in(&target).unwrap();
        let live_on_disk = site.watch_token_file();
        let done = site.run_ok(&[]);

        assert!(live_on_disk.all().iter().all(|live| *live), "{done}");
        assert_eq!(std::fs::read_link(site.token_file()).unwrap(), link);
        assert_eq!(
            std::fs::read_link(site.path("vault/current.json")).unwrap(),
            Path::new("real.json")
        );
        assert!(target.symlink_metadata().unwrap().is_file());
        assert_ne!(refresh_token_in(&target).unwrap(), old);
        assert!(site.token_is_live());
    }
}
