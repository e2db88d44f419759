//! Pages: window parameters, links, order, counts.

use aweber_sandbox::{NewSubscriber, Resubscribe, Sandbox, Settings};
use serde_json::Value;

use crate::http::{Reader, with_rows};

#[test]
fn window_parameters_have_limits() {
    let (sandbox, path, ids) = with_rows(105);
    let reader = Reader::new(&sandbox);
    let table = [
        ("ws.size=101", "Maximum for \"ws.size\" parameter is 100."),
        ("ws.size=0", "Minimum for \"ws.size\" parameter is 1."),
        ("ws.size=-1", "Minimum for \"ws.size\" parameter is 1."),
        ("ws.start=-1", "Minimum for \"ws.start\" parameter is 0."),
        ("ws.start=x", "\"ws.start\" parameter must be an integer."),
        ("ws.size=", "\"ws.size\" parameter must be an integer."),
        (
            "sort_order=up",
            "\"sort_order\" parameter must be one of asc, desc.",
        ),
        (
            "ws.op=find&sort_key=email",
            "\"sort_key\" parameter must be one of subscribed_at, unsubscribed_at.",
        ),
    ];
    for (query, message) in table {
        let reply = reader.get(&format!("{path}?{query}"));
        let error = format!("400 WebServiceError: {message}");
        assert_eq!(reply.failure_with_message(), error);
    }
    assert_eq!(reader.get(&path).ids(), ids[..100]);
    assert_eq!(
        reader.get(&format!("{path}?ws.start=100")).ids(),
        ids[100..]
    );
    assert_eq!(
        reader.get(&format!("{path}?ws.start=3&ws.size=2")).ids(),
        ids[3..5]
    );
    let second = reader.get(&format!("{path}?ws.start=1&ws.size=2")).json();
    let prev = second["prev_collection_link"].as_str().unwrap();
    assert!(prev.ends_with("?ws.start=0&ws.size=2"), "{prev}");
    let beyond = reader.get(&format!("{path}?ws.start=1000"));
    assert!(beyond.ids().is_empty() && beyond.json().get("next_collection_link").is_none());
    assert_eq!(beyond.json()["start"], 1000);
}

#[test]
fn next_and_prev_links_keep_the_query() {
    let (sandbox, path, ids) = with_rows(25);
    let reader = Reader::new(&sandbox);
    for question in [
        "ws.size=10",
        "ws.size=10&sort_order=desc",
        "ws.op=find&status=subscribed&ws.size=10&tags_not_in=%5B%22a+b%22%5D",
    ] {
        let mut pages = vec![reader.get(&format!("{path}?{question}")).json()];
        while let Some(next) = pages.last().unwrap()["next_collection_link"].as_str() {
            assert!(
                next.starts_with(&format!("{}/1.0{path}?", sandbox.api_url())),
                "{next}"
            );
            pages.push(reader.get(next).json());
        }
        let starts: Vec<u64> = pages
            .iter()
            .map(|page| page["start"].as_u64().unwrap())
            .collect();
        assert_eq!(starts, [0, 10, 20]);
        let mut seen: Vec<u64> = pages
            .iter()
            .flat_map(|page| page["entries"].as_array().unwrap())
            .map(|entry| entry["id"].as_u64().unwrap())
            .collect();
        if question.contains("desc") {
            seen.reverse();
        }
        assert_eq!(seen, ids);
        assert!(
            pages[0].get("prev_collection_link").is_none()
                && pages[2].get("next_collection_link").is_none()
        );
        let back = reader
            .get(pages[2]["prev_collection_link"].as_str().unwrap())
            .json();
        assert_eq!(back["entries"], pages[1]["entries"]);
    }
}

#[test]
fn links_match_the_documentation() {
    let (sandbox, path, _) = with_rows(201);
    let page = Reader::new(&sandbox)
        .get(&format!("{path}?ws.start=100"))
        .json();
    let link = |start: u32| {
        Value::from(format!(
            "{}/1.0{path}?ws.start={start}&ws.size=100",
            sandbox.api_url()
        ))
    };
    assert_eq!(
        (&page["total_size"], &page["start"]),
        (&201.into(), &100.into())
    );
    assert_eq!(
        (&page["next_collection_link"], &page["prev_collection_link"]),
        (&link(200), &link(0))
    );
    assert_eq!(
        page["self_link"],
        format!("{}/1.0{path}", sandbox.api_url())
    );
}

#[test]
fn finds_link_to_their_total_size() {
    let (sandbox, path, _) = with_rows(205);
    let reader = Reader::new(&sandbox);
    for find in [
        format!("{path}?ws.op=find&status=subscribed"),
        "/accounts/1234567?ws.op=findSubscribers".to_owned(),
    ] {
        let page = reader.get(&find).json();
        assert!(page.get("total_size").is_none());
        let count = reader.get(page["total_size_link"].as_str().unwrap());
        assert_eq!(count.text(), "205");
    }
    assert_eq!(
        reader.get(&format!("{path}?ws.show=total_size")).text(),
        "205"
    );
    assert_eq!(
        reader
            .get(&format!(
                "{path}?ws.op=find&ws.show=total_size&status=unconfirmed"
            ))
            .text(),
        "0"
    );
    sandbox.with(|world| world.settings.show_total_as_object = true);
    assert_eq!(
        reader
            .get(&format!("{path}?ws.op=find&ws.show=total_size"))
            .text(),
        "{\"total_size\":205}"
    );
}

#[test]
fn links_deviate_as_configured() {
    let (sandbox, path, _) = with_rows(15);
    let reader = Reader::new(&sandbox);
    let next = |path: &str| reader.get(path).json().get("next_collection_link").cloned();
    let host = sandbox.api_url()["http://".len()..].to_owned();
    let page = format!("{path}?ws.size=10");
    let rest = format!("/1.0{path}?ws.start=10&ws.size=10");
    sandbox.with(|world| world.settings.old_http_links = true);
    assert_eq!(next(&page), Some(format!("https://{host}{rest}").into()));
    sandbox.with(|world| world.settings.link_origin = Some("https://elsewhere.example".to_owned()));
    assert_eq!(
        next(&page),
        Some(format!("http://elsewhere.example{rest}").into())
    );
    sandbox.with(|world| world.settings.relative_links = true);
    assert_eq!(next(&page), Some(rest.into()));
    sandbox.with(|world| world.settings.null_links = true);
    assert_eq!(next(&path), Some(Value::Null));
}

#[test]
fn lists_are_ordered_by_id_and_found_by_both_names() {
    let sandbox = Sandbox::start();
    sandbox.with(|world| {
        world.add_list_with(30, "News", "awlist30");
        world.add_list_with(10, "Offers", "awlist10");
        world.add_list_with(20, "News", "awlist20");
    });
    let reader = Reader::new(&sandbox);
    let lists = "/accounts/1234567/lists";
    assert_eq!(reader.get(lists).ids(), [10, 20, 30]);
    assert_eq!(
        reader.get(&format!("{lists}?ws.op=find&name=News")).ids(),
        [20, 30]
    );
    assert_eq!(
        reader
            .get(&format!("{lists}?ws.op=find&name=awlist10"))
            .ids(),
        [10]
    );
    assert!(
        reader
            .get(&format!("{lists}?ws.op=find&name=news"))
            .ids()
            .is_empty()
    );
    assert_eq!(
        reader.get(&format!("{lists}?name=Offers")).ids(),
        [10, 20, 30],
        "no find without ws.op"
    );
    let page = reader.get(&format!("{lists}?ws.op=find&name=News&ws.size=1"));
    assert!(
        page.json().get("next_collection_link").is_some()
            && page.json().get("total_size").is_none()
    );
    sandbox.with(|world| world.settings.find_has_next_link = false);
    let page = reader.get(&format!("{lists}?ws.op=find&name=News&ws.size=1"));
    assert!(page.json().get("next_collection_link").is_none());
    assert!(
        reader
            .get(&format!("{lists}?ws.size=1"))
            .json()
            .get("next_collection_link")
            .is_some()
    );
    sandbox.with(|world| {
        world.rename_list(10, "Deals");
        world.remove_list(30);
    });
    let names: Vec<Value> = reader.get(lists).json()["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|list| list["name"].clone())
        .collect();
    assert_eq!(names, ["Deals", "News"]);
}

#[test]
fn a_hook_changes_the_world_between_two_pages() {
    let (sandbox, path, ids) = with_rows(10);
    let reader = Reader::new(&sandbox);
    let list = sandbox.with(|world| world.lists().next().unwrap().id);
    let gone = ids[..3].to_vec();
    sandbox.with(|world| {
        world.before("ws.start=5", 1, move |world| {
            gone.iter().for_each(|id| world.delete(list, *id))
        })
    });
    assert_eq!(reader.get(&format!("{path}?ws.size=5")).ids(), ids[..5]);
    assert_eq!(
        reader.get(&format!("{path}?ws.size=5&ws.start=5")).ids(),
        ids[8..]
    );
    assert_eq!(reader.get(&path).ids(), ids[3..]);
}

#[test]
fn order_is_that_of_addition_or_of_the_sort_key() {
    let sandbox = Sandbox::start_with(Settings {
        access_expires_in: 100_000,
        ..Settings::default()
    });
    sandbox.with(|world| world.set_now("2026-03-10T12:00:00Z".parse().unwrap()));
    let (list, other, ids) = sandbox.with(|world| {
        let (list, other) = (world.add_list("News"), world.add_list("Other"));
        let at = |day: u32| {
            NewSubscriber::new(format!("{day}@x.example"))
                .subscribed_at(format!("2026-03-0{day}T00:00:00Z").parse().unwrap())
        };
        (
            list,
            other,
            [1, 5, 3, 3].map(|day| world.add_subscriber(list, at(day))),
        )
    });
    let reader = Reader::new(&sandbox);
    let path = format!("/accounts/1234567/lists/{list}/subscribers");
    let [a, b, c, d] = ids;
    let ids = |query: &str| reader.get(&format!("{path}{query}")).ids();
    let newest_first = "?ws.op=find&sort_key=subscribed_at&sort_order=desc";
    assert_eq!(ids(""), [a, b, c, d]);
    assert_eq!(ids("?sort_order=desc"), [d, c, b, a]);
    assert_eq!(ids("?ws.op=find"), [a, b, c, d]);
    assert_eq!(ids(newest_first), [b, d, c, a]);
    sandbox.with(|world| {
        world.unsubscribe(list, c);
        world.set_now("2026-03-11T12:00:00Z".parse().unwrap());
        world.unsubscribe(list, a);
    });
    assert_eq!(ids("?ws.op=find&sort_key=unsubscribed_at"), [c, a, b, d]);
    sandbox.with(|world| world.resubscribe(list, c, Resubscribe::KeepTime));
    assert_eq!(ids(""), [a, b, c, d]);
    sandbox.with(|world| world.resubscribe(list, a, Resubscribe::NewTime));
    assert_eq!(ids(""), [b, c, d, a]);
    assert_eq!(ids("?ws.op=find&sort_key=subscribed_at"), [c, d, b, a]);
    let (old, new) = sandbox.with(|world| {
        (
            world.move_to(list, b, other, true),
            world.move_to(list, c, other, false),
        )
    });
    assert_eq!(
        reader.get("/accounts/1234567?ws.op=findSubscribers").ids(),
        [b, c, d, a, old, new]
    );
    let origin = reader.get(&format!("{path}/{b}")).json();
    assert_eq!(
        (&origin["status"], &origin["unsubscribe_method"]),
        (&"unsubscribed".into(), &"api: move".into())
    );
}
