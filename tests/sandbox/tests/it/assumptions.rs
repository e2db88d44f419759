//! The settings for what AWeber's documentation leaves open.

use aweber_sandbox::{
    LargerPage, NewSubscriber, Sandbox, Settings, Status, TimeForm, TotalSize, World,
};

use crate::http::Reader;

/// A list of 120 subscribers, one every hour, every tenth unsubscribed.
fn sandbox(settings: Settings) -> (Sandbox, u64) {
    let sandbox = Sandbox::start_with(settings);
    let list = sandbox.with(|world| {
        let list = world.add_list("News");
        for hours in 0..120u64 {
            let at = world.ago(std::time::Duration::from_secs((120 - hours) * 3600));
            let new = NewSubscriber::new(format!("r{hours}@x.example")).subscribed_at(at);
            let new = match hours % 10 {
                0 => new.status(Status::Unsubscribed),
                _ => new,
            };
            world.add_subscriber(list, new);
        }
        list
    });
    (sandbox, list)
}

/// Gets a query of the list's subscribers.
fn get(sandbox: &Sandbox, list: u64, query: &str) -> crate::http::Reply {
    let account = sandbox.with(|world| world.account.id);
    Reader::new(sandbox).get(&format!(
        "/accounts/{account}/lists/{list}/subscribers?{query}"
    ))
}

fn with(change: impl FnOnce(&mut Settings)) -> (Sandbox, u64) {
    let mut settings = Settings::default();
    change(&mut settings);
    sandbox(settings)
}

#[test]
fn larger_pages_are_rejected_cut_or_sent() {
    let (usual, list) = with(|_| {});
    assert_eq!(
        get(&usual, list, "ws.size=101").failure(),
        "400 WebServiceError"
    );
    let (cut, list) = with(|s| (s.largest_page, s.larger_page) = (50, LargerPage::Cut));
    assert_eq!(get(&cut, list, "ws.size=100").ids().len(), 50);
    let (sent, list) = with(|s| s.larger_page = LargerPage::Sent);
    assert_eq!(get(&sent, list, "ws.size=101").ids().len(), 101);
}

#[test]
fn newest_first_ignores_the_order_asked_for() {
    let ids = |newest_first| {
        let (sandbox, list) = with(|s| s.newest_first = newest_first);
        get(
            &sandbox,
            list,
            "ws.op=find&sort_key=subscribed_at&sort_order=asc",
        )
        .ids()
    };
    assert!(ids(false).is_sorted());
    assert!(ids(true).iter().rev().is_sorted());
}

#[test]
fn next_links_may_be_left_out() {
    for omit in [false, true] {
        let (sandbox, list) = with(|s| s.omit_next_links = omit);
        let page = get(&sandbox, list, "ws.size=100").json();
        assert_eq!(page.get("next_collection_link").is_none(), omit);
    }
}

#[test]
fn the_number_of_rows_has_three_forms_and_may_be_wrong() {
    let total = |change: fn(&mut Settings)| {
        let (sandbox, list) = with(change);
        get(&sandbox, list, "ws.size=1").json()["total_size"].clone()
    };
    assert_eq!(total(|_| {}), 120);
    assert_eq!(total(|s| s.total_size = TotalSize::Text), "120");
    assert!(total(|s| s.total_size = TotalSize::Absent).is_null());
    assert_eq!(total(|s| s.count_error = 5), 125);
    let (sandbox, list) = with(|s| s.count_error = -3);
    let shown = get(&sandbox, list, "ws.op=find&ws.show=total_size");
    assert_eq!(shown.text(), "117");
    // Only subscribers are counted wrongly.
    let account = sandbox.with(|world| world.account.id);
    let lists = Reader::new(&sandbox).get(&format!("/accounts/{account}/lists"));
    assert_eq!(lists.json()["total_size"], 1);
}

#[test]
fn filters_may_be_ignored() {
    let query = "ws.op=find&status=unsubscribed&subscribed_after=2099-01-01";
    for (ignored, found) in [
        (vec![], 0),
        (vec!["status"], 0),
        (vec!["subscribed_after"], 12),
        (vec!["status", "subscribed_after"], 100),
    ] {
        let (sandbox, list) = with(|s| s.ignored_parameters = ignored);
        assert_eq!(get(&sandbox, list, query).ids().len(), found);
    }
}

#[test]
fn times_have_three_forms() {
    let now = "2026-03-10T12:00:00Z".parse().unwrap();
    let lengths = [
        (TimeForm::Offset, 25),
        (TimeForm::Utc, 20),
        (TimeForm::NoOffset, 19),
    ];
    for (form, length) in lengths {
        let (sandbox, list) = with(|s| {
            s.time_form = form;
            s.clock = aweber_sandbox::Clock::Fixed(now);
        });
        let entry = &get(&sandbox, list, "ws.size=1").json()["entries"][0];
        assert_eq!(entry["subscribed_at"].as_str().unwrap().len(), length);
    }
}

#[test]
fn a_vanished_id_answers_the_status_of_the_setting() {
    for status in [404, 410, 401] {
        let (sandbox, list) = with(|s| s.vanished_status = status);
        let account = sandbox.with(|world| world.account.id);
        let path = format!("/accounts/{account}/lists/{list}/subscribers/1");
        assert_eq!(Reader::new(&sandbox).get(&path).status, status);
    }
}

#[test]
fn headers_about_the_rate_limit_are_a_setting() {
    for sent in [false, true] {
        let (sandbox, list) = with(|s| s.rate_limit_headers = sent);
        let reply = get(&sandbox, list, "ws.size=1");
        assert_eq!(reply.header("X-RateLimit-Limit").is_some(), sent);
    }
}

#[test]
fn a_slash_at_the_end_of_a_path_is_accepted() {
    let (sandbox, list) = with(|_| {});
    let account = sandbox.with(|world| world.account.id);
    let reader = Reader::new(&sandbox);
    for path in [
        format!("/accounts/{account}/?ws.op=findSubscribers"),
        format!("/accounts/{account}/lists/{list}/subscribers/?ws.op=find"),
    ] {
        assert_eq!(reader.get(&path).ids().len(), 100, "{path}");
    }
}

#[test]
fn linked_collections_answer_403_or_404_and_unknown_paths_401() {
    let (sandbox, list) = with(|_| {});
    let account = sandbox.with(|world| world.account.id);
    let status = |scopes: &[&str], path: &str| {
        let grant = |world: &mut World| world.grant_scopes("public-client", scopes);
        let token = sandbox.with(grant).access_token;
        let reader = Reader {
            sandbox: &sandbox,
            token,
        };
        let reply = reader.get(&format!("/accounts/{account}/{path}"));
        assert_eq!(
            reply.status == 401,
            reply.header("www-authenticate").is_some()
        );
        reply.failure()
    };
    let export = aweber_sandbox::EXPORT_SCOPES;
    let campaigns = format!("lists/{list}/campaigns");
    assert_eq!(status(&export, &campaigns), "403 ForbiddenError");
    assert_eq!(status(&["email.read"], &campaigns), "404 NotFoundError");
    assert_eq!(status(&export, "integrations"), "404 NotFoundError");
    let unknown = format!("lists/{list}/subscriber");
    assert_eq!(status(&export, &unknown), "401 UnauthorizedError");
}
