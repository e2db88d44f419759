//! The server process. Tokens, account and lists are those of the sandbox. The sandbox would be too slow for the
//! pages of subscribers, so [`Pages`] renders them from one entry of the sandbox.
//!
//! It prints one line of JSON with the connection details, then answers each command line from standard input with a
//! line of JSON, and ends with its standard input.

use crate::pages::{ID, Pages, TIME};
use crate::server::LISTS;
use crate::{Result, limit};
use aweber_sandbox::{NewSubscriber, RateLimit, Sandbox, Settings, Tokens, World};
use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const CLIENT: &str = "public-client";

/// Runs the server. The options are `{"subscribers": N}` for pages rendered in advance, or
/// `{"subscribers": N, "latency_ms": N, "rate_limit": true}` for the plain sandbox; and `"lists": N`.
pub(crate) fn serve(options: Option<&str>) -> Result<()> {
    let options: Value = serde_json::from_str(options.ok_or("serve: missing options")?)?;
    let subscribers = options["subscribers"]
        .as_u64()
        .ok_or("serve: missing number of subscribers")?;
    let limited = options["rate_limit"] == true;
    let number = options["lists"].as_u64().unwrap_or(LISTS);
    let each = subscribers / number;
    let front = TcpListener::bind("127.0.0.1:0")?;
    let front_url = format!("http://{}", front.local_addr()?);
    let sandbox = Sandbox::try_start(Settings {
        rate_limit: limited.then(RateLimit::default),
        link_origin: (!limited).then(|| front_url.clone()),
        latency: Duration::from_millis(options["latency_ms"].as_u64().unwrap_or(0)),
        ..Settings::default()
    })?;
    let lists = sandbox.with(|world| add_lists(world, number, each, limited));
    let (account, other) = sandbox.with(|world| (world.account.id, world.grant(CLIENT)));
    let (api, pages) = if limited {
        (sandbox.api_url(), None)
    } else {
        let account_path = format!("/1.0/accounts/{account}");
        let page = first_page(
            &sandbox,
            &format!("{account_path}/lists/{}", lists[0]),
            &other,
        )?;
        let paths = lists
            .iter()
            .map(|list| (format!("{account_path}/lists/{list}/subscribers"), *list));
        let pages = Pages::new(&page, paths.collect(), each, front_url.clone())?;
        let pages = Arc::new(pages);
        accept_connections(front, pages.clone(), sandbox.api_url());
        (front_url, Some(pages))
    };
    println!(
        "{}",
        json!({
            "api": api, "auth": sandbox.auth_url(), "client_id": CLIENT, "account": account.to_string(),
            "lists": lists, "other_token": other.access_token,
        })
    );
    for line in std::io::stdin().lines() {
        println!("{}", answer_command(&line?, &sandbox, pages.as_deref())?);
    }
    Ok(())
}

/// Adds the lists, either with all subscribers or with the one that [`Pages`] copies.
fn add_lists(world: &mut World, number: u64, each: u64, with_subscribers: bool) -> Vec<u64> {
    let time = format!("{TIME}-04:00")
        .parse::<DateTime<FixedOffset>>()
        .unwrap_or_default();
    let lists = (1..=number).map(|n| {
        let list = world.add_list(&format!("List {n}"));
        if with_subscribers {
            world.add_subscribers(list, each as usize);
        } else {
            world.add_subscriber(list, typical_subscriber().subscribed_at(time.to_utc()));
        }
        list
    });
    lists.collect()
}

/// A subscriber as on real lists: a name, a location, two tags, three custom fields.
fn typical_subscriber() -> NewSubscriber {
    NewSubscriber::new(format!("reader{ID}@example.com"))
        .id(ID)
        .name(format!("Reader {ID}"))
        .tags(["customer", "spring sale"])
        .custom("Company", "Example & Sons")
        .custom("Plan", "yearly")
        .custom("Size", "42")
        .with("city", "Chalfont")
        .with("region", "PA")
        .with("country", "United States")
        .with("postal_code", "18914")
        .with("ad_tracking", "newsletter footer")
        .with("misc_notes", "met at the fair, wants the \"long\" version")
}

fn answer_command(line: &str, sandbox: &Sandbox, pages: Option<&Pages>) -> Result<Value> {
    Ok(match (line.split_once(' '), pages) {
        (None, _) if line == "log" => limit::log(sandbox),
        (None, _) if line == "grant" => {
            let tokens = sandbox.with(|world| world.grant(CLIENT));
            json!({"access_token": tokens.access_token, "refresh_token": tokens.refresh_token})
        }
        (None, Some(pages)) if line == "requests" => {
            let token_requests = sandbox.with(|world| {
                let count = world.token_requests().len() as u64;
                world.clear_requests();
                count
            });
            json!(token_requests + pages.requests.swap(0, Ordering::SeqCst))
        }
        (Some(("add", each)), Some(pages)) => {
            json!(pages.added.fetch_add(each.parse()?, Ordering::SeqCst))
        }
        (None, Some(pages)) if line == "remove-added" => {
            json!(pages.added.swap(0, Ordering::SeqCst))
        }
        _ => return Err(format!("serve: unknown command {line}").into()),
    })
}

/// The sandbox's answer to a find of the one subscriber on a list.
fn first_page(sandbox: &Sandbox, list_path: &str, tokens: &Tokens) -> Result<Vec<u8>> {
    let target = format!("{list_path}/subscribers?ws.op=find&sort_key=subscribed_at");
    let bearer = format!("Authorization: Bearer {}", tokens.access_token);
    let head = format!("GET {target} HTTP/1.1\r\nHost: sandbox\r\n{bearer}\r\n");
    forward(&sandbox.api_url(), &head)
}

fn accept_connections(listener: TcpListener, pages: Arc<Pages>, sandbox_url: String) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (pages, sandbox_url) = (pages.clone(), sandbox_url.clone());
            std::thread::spawn(move || serve_connection(stream, &pages, &sandbox_url));
        }
    });
}

/// Answers requests until the client closes the connection or a request had to be forwarded.
fn serve_connection(mut stream: TcpStream, pages: &Pages, sandbox_url: &str) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if lines.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        pages.requests.fetch_add(1, Ordering::SeqCst);
        let target = head.split(' ').nth(1)?;
        if let Some(answer) = pages.answer(target) {
            stream.write_all(&answer).ok()?;
        } else {
            let answer = forward(sandbox_url, &head).ok()?;
            stream.write_all(&answer).ok()?;
            return None;
        }
    }
}

/// Sends a request head to the sandbox and returns the whole answer.
fn forward(sandbox_url: &str, head: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(sandbox_url.trim_start_matches("http://"))?;
    let head = head.trim_end_matches("\r\n");
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
