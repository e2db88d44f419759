//! `check` ends as a run would: a missing scope, a refusal, no answer, an expired token.

use super::{check, odd, telling_list, telling_site};
use crate::support::Site;
use aweber_sandbox::{EXPORT_SCOPES, Fault, FaultKind, Settings};
use std::collections::BTreeMap;

#[test]
fn it_ends_as_a_run_would_and_names_a_missing_scope() {
    for missing in EXPORT_SCOPES {
        for status in [401, 403] {
            let (site, _) = telling_site(Settings::default());
            site.sandbox
                .with(|w| w.settings.require_scope_status = status);
            let scopes = EXPORT_SCOPES.into_iter().filter(|scope| *scope != missing);
            site.authorize_with(&scopes.collect::<Vec<_>>());
            let done = check(&site, &[]).case(&missing);
            done.exits(77)
                .prints("FAILED")
                .prints("authorization lacks the scope");
            done.prints(missing)
                .prints("next: aweber-sync authorize")
                .says_next("aweber-sync authorize");
        }
    }
}

#[test]
fn it_ends_as_a_run_would_when_aweber_refuses() {
    for (status, message, code) in [
        (403, "Rate Limit Error", 75),
        (403, "Account Temporarily Suspended", 78),
        (410, "Blocked", 78),
        (401, "Invalid Account", 77),
        (503, "API Unavailable", 69),
    ] {
        let (site, _) = telling_site(Settings::default());
        let answer = FaultKind::envelope_a(status, "Error", message);
        site.sandbox
            .with(|world| world.fault(Fault::on("/lists?").always().answer(answer)));
        let done = check(&site, &[]).case(&message);
        done.exits(code)
            .prints("FAILED")
            .says(message)
            .prints("\nNEXT\n");
        done.says(&format!("a run would end with exit code {code}: "))
            .says("next: ");
        assert!(site.requests() < 5, "{done}");
    }
    // Once the page of subscribers was read, a failure only leaves the rest untried.
    let (site, _) = telling_site(Settings::default());
    site.sandbox.with(|w| {
        w.fault(
            Fault::on("ws.op=find")
                .always()
                .answer(FaultKind::rate_limit()),
        )
    });
    let done = check(&site, &[]);
    done.exits(0)
        .prints("not everything about AWeber was tried: ")
        .prints("Rate Limit Error");
}

#[test]
fn an_unreachable_aweber_is_a_failure_of_the_connection() {
    let (site, _) = telling_site(Settings::default());
    let mut command = site.command(&["check"]);
    command.env("AWEBER_API_URL", "http://127.0.0.1:1");
    let done = site.finish(command);
    done.exits(69)
        .prints("cannot reach AWeber: no connection")
        .prints("SET-UP");
}

#[test]
fn an_expired_access_token_needs_refresh() {
    for expire in [true, false] {
        let (site, _) = telling_site(Settings::default());
        if expire {
            let mut tokens = site.tokens();
            tokens["expires_at"] = 1.into();
            site.write_token_file(&tokens);
        }
        site.sandbox.with(|world| world.expire_access_tokens());
        let before = site.tokens();
        let done = check(&site, &[]);
        done.exits(0)
            .prints("aweber-sync check --refresh")
            .is_silent();
        assert_eq!(site.tokens(), before);
        let done = check(&site, &["--refresh", "--json"]);
        done.exits(0);
        assert_eq!(odd(&done), BTreeMap::new(), "{done}");
        assert_ne!(site.tokens(), before);
        assert!(site.token_is_live());
    }
}

#[test]
fn tokens_of_oauth1_are_checked_and_have_no_rotation() {
    let site = Site::oauth1(Settings::default());
    site.sandbox.with(telling_list);
    let before = site.tokens();
    for arguments in [&["--json"][..], &["--json", "--refresh"]] {
        let done = check(&site, arguments);
        done.exits(0).prints("OAuth 1.0a: it never expires");
        assert_eq!(odd(&done).len(), 1, "{done}");
        assert_eq!(odd(&done)["refresh"], "not_seen");
    }
    let done = check(&site, &["--probe-rotation", "--yes"]);
    done.exits(2)
        .says("tokens of OAuth 1.0a are never refreshed");
    assert_eq!(site.tokens(), before);
}

#[test]
fn a_failing_aweber_with_many_lists_costs_no_more_than_thirty_requests() {
    let (site, _) = telling_site(Settings::default());
    site.sandbox.with(|world| {
        (0..450).for_each(|n| drop(world.add_list(&format!("List {n}")).to_string()));
        let failing = Fault::on("/oauth2/token").times(4);
        world.fault(failing.answer(FaultKind::status(503)));
    });
    let done = check(&site, &["--refresh"]);
    done.exits(0).prints("451, all exported");
    let requests = site.requests();
    assert!((20..=30).contains(&requests), "{requests}\n{done}");
}
