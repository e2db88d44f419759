//! N1 across commands: an `authorize` that failed or was killed, then repeated or followed by another command. At
//! every point each refresh token that AWeber accepts is on disk.

use crate::support::authorization::{assert_connected, authorize, unauthorized};
use crate::support::browser::code_at;
use crate::support::token::refresh_token_in;
use crate::support::{Done, Site, files_below, set_mode};
use aweber_sandbox::{ClientKind, Fault, FaultKind, Rotation, Settings};
use serde_json::json;
use std::path::Path;

/// Asserts that every refresh token that AWeber accepts is in a file of the state directory.
#[track_caller]
fn assert_no_token_lost(site: &Site, done: &Done) {
    for token in site.sandbox.with(|world| world.live_refresh_tokens()) {
        let contains_it =
            |file: &Path| String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains(&token);
        let held = files_below(&site.state_dir())
            .iter()
            .any(|file| contains_it(file));
        assert!(held, "a live refresh token is in no file: {done}");
    }
}

/// Writes another program's credentials without a live access token, so that the account lookup spends the refresh
/// token.
fn write_credentials(site: &Site) {
    let tokens = site.sandbox.with(|world| world.grant(site.client_id()));
    let credentials = json!({"client_id": site.client_id(), "refresh_token": tokens.refresh_token});
    std::fs::write(site.path("credentials.json"), credentials.to_string()).unwrap();
}

fn import(site: &Site) -> Done {
    site.finish(site.command(&["authorize", "--import", "credentials.json"]))
}

fn accounts_fail(site: &Site) {
    site.sandbox.with(|world| {
        world.fault(
            Fault::on("/1.0/accounts")
                .always()
                .answer(FaultKind::html(503)),
        );
    });
}

#[test]
fn an_import_that_failed_after_its_refresh_is_finished_by_the_same_command() {
    let site = unauthorized(ClientKind::Public);
    write_credentials(&site);
    accounts_fail(&site);
    let failed = import(&site);
    failed.exits(69);
    assert_no_token_lost(&site, &failed);

    let failed = import(&site);
    failed.exits(69);
    assert_no_token_lost(&site, &failed);

    site.sandbox.with(|world| world.clear_faults());
    assert_connected(&site, &import(&site));
}

#[test]
fn an_import_killed_while_storing_tokens_is_finished_by_the_same_command() {
    for suffix in [".candidate", ".candidate.next", ".candidate.next.tmp"] {
        let site = unauthorized(ClientKind::Public);
        write_credentials(&site);
        accounts_fail(&site);
        import(&site).exits(69);
        site.sandbox.with(|world| world.clear_faults());
        // As after a kill before a rename.
        if suffix != ".candidate" {
            std::fs::rename(site.beside_token(".candidate"), site.beside_token(suffix)).unwrap();
        }
        let done = import(&site);
        assert_connected(&site, &done.case(&suffix));
    }
}

/// A job without tokens, with a server that revokes everything when an old refresh token is sent.
fn unforgiven() -> Site {
    let rotation = Rotation::FamilyKill;
    let settings = Settings {
        rotation,
        ..Settings::default()
    };
    let site = Site::unauthorized(ClientKind::Public, settings);
    write_credentials(&site);
    site
}

#[test]
fn a_file_that_was_imported_before_is_not_sent_to_aweber_again() {
    for runs in [0, 1] {
        let site = unforgiven();
        import(&site).exits(0);
        (0..runs).for_each(|_| drop(site.run_ok(&[])));
        let requests = site.requests();
        let done = import(&site);
        done.exits(0).prints("Imported before");
        assert_eq!(site.requests(), requests, "{done}");
        assert!(site.token_is_live(), "{done}");

        // The other program was authorized anew.
        write_credentials(&site);
        assert_connected(&site, &import(&site));
    }
}

#[test]
fn an_import_that_an_account_on_hold_has_interrupted_does_not_send_the_token_of_the_file_again() {
    let site = unforgiven();
    let suspended = FaultKind::envelope_a(403, "ForbiddenError", "Account Temporarily Suspended");
    let fault = Fault::on("/1.0/accounts").always().answer(suspended);
    site.sandbox.with(|world| world.fault(fault));
    for _ in 0..2 {
        let done = import(&site);
        done.exits(78);
        assert_eq!(site.token_requests(), 1, "{done}");
        assert_no_token_lost(&site, &done);
    }
    site.sandbox.with(|world| world.clear_faults());
    assert_connected(&site, &import(&site));
}

#[test]
fn a_code_given_after_an_unfinished_authorization_loses_no_token() {
    for (first_fault, second_code) in [
        (FaultKind::html(503), 0),
        (
            FaultKind::envelope_a(403, "ForbiddenError", "Account Temporarily Suspended"),
            78,
        ),
    ] {
        let site = unauthorized(ClientKind::Public);
        let give_code = || {
            let url = site.finish(authorize(&site, &["--print-url"])).stdout;
            site.finish(authorize(&site, &["--code", &code_at(url.trim())]))
        };
        let fault = Fault::on("/1.0/accounts").always().answer(first_fault);
        site.sandbox.with(|world| world.fault(fault));
        let failed = give_code();
        failed.fails();
        if second_code == 0 {
            site.sandbox.with(|world| world.clear_faults());
        }
        let done = give_code();
        done.exits(second_code);
        assert_no_token_lost(&site, &done);
        site.sandbox.with(|world| world.clear_faults());
        if !site.token_file().exists() {
            site.finish(authorize(&site, &[])).exits(0);
        }
        site.run_ok(&[]);
    }
}

#[test]
fn an_import_replaces_dead_tokens_of_an_unfinished_authorization() {
    let site = unauthorized(ClientKind::Public);
    write_credentials(&site);
    accounts_fail(&site);
    import(&site).exits(69);
    site.sandbox.with(|world| {
        world.clear_faults();
        world.revoke_everything();
    });
    write_credentials(&site);
    assert_connected(&site, &import(&site));
}

#[test]
fn revoke_also_revokes_the_tokens_of_an_unfinished_authorization() {
    for with_token_file in [true, false] {
        let site = Site::new();
        if !with_token_file {
            std::fs::remove_file(site.token_file()).unwrap();
            site.sandbox.with(|world| world.revoke_everything());
        }
        write_credentials(&site);
        accounts_fail(&site);
        import(&site).exits(69);
        let done = site.finish(site.command(&["revoke"]));
        done.exits(0).prints("Revoked");
        let live = site.sandbox.with(|world| world.live_refresh_tokens());
        assert_eq!(live, Vec::<String>::new(), "{done}");
        let left = files_below(&site.state_dir());
        let tokens = left.iter().filter_map(|file| refresh_token_in(file));
        assert_eq!(tokens.count(), 0, "{done}");
    }
}

#[test]
fn an_unparsed_answer_left_by_a_kill_is_kept_at_any_length() {
    for left in [
        b"<html>RT-7</html>".to_vec(),
        [&b"<html>RT-7</html>"[..], &[b' '; 64 * 1024]].concat(),
        br#"{"access_token":"AT","refresh_token":{"odd":"RT-7"}}"#.to_vec(),
    ] {
        let site = Site::new();
        let journal = site.beside_token(".next");
        std::fs::write(&journal, &left).unwrap();
        set_mode(&journal, 0o600);
        let done = site.run(&[]);
        done.exits(0).says("could not be parsed");
        let kept = std::fs::read(site.beside_token(".rescued")).unwrap();
        assert!(kept == left, "{done}");
        assert!(!journal.exists(), "{done}");
    }
}

#[test]
fn a_run_with_a_dead_token_uses_newer_tokens_stored_by_another_program() {
    let site = Site::new();
    let list = site.add_list(3);
    let file = site.token_file();
    let client = site.client_id().to_owned();
    // During the refresh: the job's token is dead, and a new authorization is in the file.
    site.sandbox.with(|world| {
        world.before("/oauth2/token", 1, move |world| {
            world.revoke_everything();
            let tokens = world.grant(&client);
            let mut content: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            content["refresh_token"] = json!(tokens.refresh_token);
            content["access_token"] = json!(tokens.access_token);
            std::fs::write(&file, content.to_string()).unwrap();
        });
    });
    let done = site.run(&[]);
    done.exits(0).says("another program stored a new one");
    assert_eq!(site.emails(), crate::support::subscribed(&site, &[list]));
    assert!(site.token_is_live(), "{done}");
}
