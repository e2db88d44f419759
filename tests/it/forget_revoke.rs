//! The commands forget, which makes the next run export again, and revoke, which ends the tokens.

use crate::commands::{command, exported, stdout_of};
use crate::support::token::unreachable_url;
use crate::support::{Site, files_below, sorted, subscribed};
use aweber_sandbox::{ClientKind, Fault, FaultKind, NewSubscriber, Settings};

#[test]
fn forgotten_subscriptions_are_exported_again_and_no_others() {
    for by_name in [false, true] {
        let site = Site::new();
        let (news, tips) = site.sandbox.with(|world| {
            let lists = (world.add_list("News"), world.add_list("Tips"));
            world.add_subscribers(lists.0, 3);
            world.add_subscribers(lists.1, 2);
            lists
        });
        site.run_ok(&[]);
        site.forget_requests();
        let id = tips.to_string();
        let name = if by_name { "Tips" } else { &id };
        let printed = stdout_of(&site, &["forget", "--list", name]);
        assert_eq!(
            printed,
            format!(
                "Forgotten: 2 subscriptions of list {tips}; the next run exports them again.\n"
            )
        );
        assert_eq!(
            site.requests() > 0,
            by_name,
            "an id that the ledger knows needs no network"
        );
        site.run_ok(&[]);
        let once = subscribed(&site, &[news, tips]);
        let again = subscribed(&site, &[tips]);
        assert_eq!(site.emails(), sorted(once.into_iter().chain(again)));
        assert_eq!(site.files().len(), 2);
        site.run_ok(&["--full"]);
        assert_eq!(site.files().len(), 2);
    }
}

#[test]
fn forget_since_a_day_forgets_subscriptions_from_that_day_on() {
    let site = Site::new();
    let list = site.sandbox.with(|world| {
        let list = world.add_list("News");
        for (day, who) in [(40, "old"), (12, "before"), (3, "after"), (1, "new")] {
            let at = world.ago(std::time::Duration::from_secs(day * 86_400));
            let new = NewSubscriber::new(format!("{who}@example.com"));
            world.add_subscriber(list, new.subscribed_at(at));
        }
        list.to_string()
    });
    site.run_ok(&[]);
    let day = site.sandbox.with(|world| {
        world
            .ago(std::time::Duration::from_secs(8 * 86_400))
            .date_naive()
            .to_string()
    });
    let printed = stdout_of(&site, &["forget", "--list", &list, "--since", &day]);
    assert!(
        printed.starts_with("Forgotten: 2 subscriptions of list "),
        "{printed}"
    );
    site.run_ok(&[]);
    let again: Vec<String> = crate::support::read_csv(&site.files()[1])
        .into_iter()
        .map(|row| row["email"].clone())
        .collect();
    assert_eq!(again, ["after@example.com", "new@example.com"]);
    command(&site, &["forget", "--list", &list, "--since", "yesterday"])
        .exits(2)
        .says("not a day");
}

#[test]
fn forget_refuses_an_unknown_list_or_an_unfinished_batch() {
    let (site, ..) = exported();
    for list in ["4711", "No such list"] {
        command(&site, &["forget", "--list", list])
            .exits(78)
            .says_safe("nothing was forgotten");
    }
    let site = Site::new();
    let list = site.add_list(250).to_string();
    let held = site.hold_on("status=subscribed", &[], 3);
    site.stop(held, rustix::process::Signal::TERM);
    command(&site, &["forget", "--list", &list])
        .exits(75)
        .says("nothing was forgotten");
    site.run_ok(&[]);
    assert_eq!(site.emails().len(), 250);
}

/// Asserts that no file in the site's directory contains a token or a client secret.
fn assert_no_secret_left(site: &Site) {
    for file in files_below(&site.path("")) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        for secret in site.sandbox.with(|world| world.secrets()) {
            assert!(!text.contains(&secret), "{}", file.display());
        }
    }
}

#[test]
fn revoke_ends_the_tokens_of_both_client_kinds_and_leaves_no_secret() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = Site::with(kind, Settings::default());
        site.add_list(2);
        site.run_ok(&[]);
        for beside in [".rescued", ".rescued.2", ".candidate", ".next"] {
            std::fs::write(site.beside_token(beside), site.token_bytes()).unwrap();
        }
        let printed = stdout_of(&site, &["revoke"]);
        assert!(
            printed.contains("no longer accepts these tokens"),
            "{printed}"
        );
        assert!(printed.contains("labs.aweber.com/apps"), "{printed}");
        site.sandbox.with(|world| {
            assert!(
                world.live_refresh_tokens().is_empty() && world.live_access_tokens().is_empty()
            );
        });
        assert!(!site.token_file().exists());
        assert_no_secret_left(&site);
        assert_eq!(site.rows().len(), 2, "the exports stay");
        site.run(&[]).exits(78).says("aweber-sync authorize");
        site.authorize_anew();
        site.run_ok(&[]);
        assert_eq!(site.rows().len(), 2, "the ledger stays");
    }
}

#[test]
fn a_failed_revoke_keeps_everything() {
    let refused = FaultKind::envelope_b(401, "invalid_client", "who are you");
    for (fault, code) in [
        (refused, 78),
        (FaultKind::status(503), 69),
        (FaultKind::rate_limit(), 69),
    ] {
        let (site, ..) = exported();
        let before = site.token_bytes();
        site.sandbox
            .with(|world| world.fault(Fault::on("/oauth2/revoke").always().answer(fault)));
        command(&site, &["revoke"])
            .exits(code)
            .says_safe("the token file was left")
            .says("next: ");
        assert_eq!(site.token_bytes(), before);
        site.sandbox.with(|world| world.clear_faults());
        site.run_ok(&[]);
        stdout_of(&site, &["revoke"]);
    }
    let (site, ..) = exported();
    let mut unreachable = site.command(&["revoke"]);
    unreachable.env("AWEBER_AUTH_URL", unreachable_url());
    site.finish(unreachable).exits(69);
    assert!(site.token_is_live());
    std::fs::remove_file(site.token_file()).unwrap();
    command(&site, &["revoke"]).exits(78);
}

#[test]
fn forgetting_from_a_day_on_keeps_older_rows_whose_time_has_no_offset() {
    let site = Site::new();
    let list = site.add_list(2);
    let without_offset = aweber_sandbox::FaultKind::replace(|mut page| {
        if let Some(first) = page["entries"].get_mut(0) {
            first["subscribed_at"] = "2020-10-01T00:00:00".into();
        }
        page
    });
    site.sandbox.with(|world| {
        world.fault(
            aweber_sandbox::Fault::on("/subscribers")
                .always()
                .answer(without_offset),
        );
    });
    site.run_ok(&[]);
    assert_eq!(site.emails().len(), 2);
    let list = list.to_string();
    let said = stdout_of(&site, &["forget", "--list", &list, "--since", "2020-11-20"]);
    assert!(said.contains("1 subscription"), "{said}");
    site.run_ok(&["--full"]);
    assert_eq!(site.emails().len(), 3, "the old one is not exported again");
}
