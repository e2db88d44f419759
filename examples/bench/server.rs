//! The AWeber of the bench, a process of its own that lives as long as its standard input. Tokens, account and lists
//! are the sandbox's. Pages of subscribers would make the sandbox the thing that is measured, so they are put together
//! here from one entry that the sandbox has written: in each copy only the id and the times differ.
//!
//! It speaks in lines of JSON: how to connect at first, then an answer to each line that it reads.

use crate::Result;
use aweber_sandbox::{NewSubscriber, RateLimit, Sandbox, Settings};
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many lists the subscribers are spread over.
pub(crate) const LISTS: u64 = 5;

/// What is replaced in the sandbox's entry: all digits of the id, and the time.
const ID: u64 = 123_456_789;
const AT: &str = "2024-05-06T07:08:09";

/// A server started by the bench.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    hello: Value,
}

impl Server {
    /// Starts one; `what` says what it serves.
    pub(crate) fn start(what: &Value) -> Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(what.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut server = Server {
            child,
            input,
            output,
            hello: Value::Null,
        };
        server.hello = server.read()?;
        Ok(server)
    }

    /// A text that it said at first.
    pub(crate) fn text(&self, key: &str) -> Result<String> {
        let text = self.hello[key].as_str();
        Ok(text
            .ok_or_else(|| format!("the server named no {key}"))?
            .to_owned())
    }

    /// The ids of its lists.
    pub(crate) fn lists(&self) -> Vec<u64> {
        let lists = self.hello["lists"].as_array();
        lists
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .collect()
    }

    /// Asks it something.
    pub(crate) fn ask(&mut self, line: &str) -> Result<Value> {
        writeln!(self.input, "{line}")?;
        self.read()
    }

    /// How many requests it got since it was last asked.
    pub(crate) fn requests(&mut self) -> Result<u64> {
        Ok(self.ask("requests")?.as_u64().ok_or("no number")?)
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server itself. `what`: `{"subscribers": N}` for pages put together in advance, or
/// `{"subscribers": N, "latency_ms": N, "rate_limit": true}` for the sandbox as it is.
pub(crate) fn serve(what: Option<&str>) -> Result<()> {
    let what: Value = serde_json::from_str(what.ok_or("serve what?")?)?;
    let subscribers = what["subscribers"]
        .as_u64()
        .ok_or("how many subscribers?")?;
    let limited = what["rate_limit"] == true;
    let front = TcpListener::bind("127.0.0.1:0")?;
    let front_url = format!("http://{}", front.local_addr()?);
    let settings = Settings {
        rate_limit: limited.then(RateLimit::default),
        link_origin: (!limited).then(|| front_url.clone()),
        latency: Duration::from_millis(what["latency_ms"].as_u64().unwrap_or(0)),
        ..Settings::default()
    };
    let sandbox = Sandbox::try_start(settings)?;
    let client = "public-client";
    let (lists, ours, other, account) = sandbox.with(|world| {
        let at = format!("{AT}-04:00")
            .parse::<DateTime<FixedOffset>>()
            .unwrap_or_default();
        let lists: Vec<u64> = (1..=LISTS)
            .map(|n| world.add_list(&format!("List {n}")))
            .collect();
        for list in &lists {
            if limited {
                world.add_subscribers(*list, (subscribers / LISTS) as usize);
            } else {
                world.add_subscriber(*list, typical().subscribed_at(at.to_utc()));
            }
        }
        (
            lists,
            world.grant(client),
            world.grant(client),
            world.account.id,
        )
    });
    let served = Arc::new(AtomicU64::new(0));
    let api = if limited {
        sandbox.api_url()
    } else {
        front_url
    };
    println!(
        "{}",
        json!({
            "api": api, "auth": sandbox.auth_url(), "client_id": client, "account": account.to_string(), "lists": lists,
            "access_token": ours.access_token, "refresh_token": ours.refresh_token, "other_token": other.access_token,
        })
    );
    let mut pages = None;
    if !limited {
        let account_path = format!("/1.0/accounts/{account}");
        let path = format!(
            "{account_path}/lists/{}/subscribers?ws.op=find&sort_key=subscribed_at",
            lists[0]
        );
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {}\r\n",
            other.access_token
        );
        let made = Pages::new(
            &forward(&sandbox.api_url(), &head)?,
            &lists,
            subscribers / LISTS,
            &account_path,
            &api,
        )?;
        let (made, served, upstream) = (Arc::new(made), served.clone(), sandbox.api_url());
        pages = Some(made.clone());
        std::thread::spawn(move || {
            for stream in front.incoming().flatten() {
                let (made, served, upstream) = (made.clone(), served.clone(), upstream.clone());
                std::thread::spawn(move || converse(stream, &made, &served, &upstream));
            }
        });
    }
    for line in std::io::stdin().lines() {
        let line = line?;
        let answer = match line.split_once(' ') {
            _ if line == "requests" => {
                let tokens = sandbox.with(|world| {
                    let count = world.token_requests().len() as u64;
                    world.clear_requests();
                    count
                });
                json!(tokens + served.swap(0, Ordering::SeqCst))
            }
            _ if line == "log" => crate::limit::log(&sandbox),
            Some(("new", each)) => {
                let each: u64 = each.parse()?;
                json!(
                    pages
                        .as_ref()
                        .map(|pages| pages.new.fetch_add(each, Ordering::SeqCst))
                )
            }
            _ if line == "back" => {
                // Whoever was new is gone again.
                json!(
                    pages
                        .as_ref()
                        .map(|pages| pages.new.swap(0, Ordering::SeqCst))
                )
            }
            _ => Value::Null,
        };
        println!("{answer}");
    }
    Ok(())
}

/// Somebody as they are on real lists: a name, a place, two tags, three custom fields.
fn typical() -> NewSubscriber {
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

/// Subscribers of every list, in the order of their ids and times.
struct Pages {
    /// The sandbox's entry, cut at each id and time.
    pieces: Vec<(String, Hole)>,
    paths: HashMap<String, u64>,
    old: u64,
    /// How many have come since the start, on each list.
    new: AtomicU64,
    began: DateTime<Utc>,
    origin: String,
    /// The page made last: five runs and a curl ask for the same ones in the same order.
    made: Mutex<HashMap<String, Arc<Vec<u8>>>>,
}

enum Hole {
    Id,
    At,
    End,
}

/// The most bytes of finished pages that are kept; beyond it they are put together again at each request.
const KEPT: usize = 700 * 1024 * 1024;

impl Pages {
    fn new(page: &[u8], lists: &[u64], old: u64, account: &str, origin: &str) -> Result<Pages> {
        let text = std::str::from_utf8(page)?;
        let (_, body) = text
            .split_once("\r\n\r\n")
            .ok_or("no answer of the sandbox")?;
        let page: HashMap<&str, &serde_json::value::RawValue> = serde_json::from_str(body)?;
        let entries = page.get("entries").ok_or("no entries")?;
        let entries: Vec<&serde_json::value::RawValue> = serde_json::from_str(entries.get())?;
        let mut rest = entries.first().ok_or("no entry")?.get();
        let mut pieces = vec![];
        let id = ID.to_string();
        loop {
            let (at_id, at_time) = (rest.find(&id), rest.find(AT));
            let (place, hole, len) = match (at_id, at_time) {
                (Some(i), Some(t)) if i < t => (i, Hole::Id, id.len()),
                (Some(i), None) => (i, Hole::Id, id.len()),
                (_, Some(t)) => (t, Hole::At, AT.len()),
                (None, None) => break,
            };
            pieces.push((rest[..place].to_owned(), hole));
            rest = &rest[place + len..];
        }
        pieces.push((rest.to_owned(), Hole::End));
        let paths = lists
            .iter()
            .map(|list| (format!("{account}/lists/{list}/subscribers"), *list));
        Ok(Pages {
            pieces,
            paths: paths.collect(),
            old,
            new: AtomicU64::new(0),
            began: Utc::now(),
            origin: origin.to_owned(),
            made: Mutex::default(),
        })
    }

    fn total(&self) -> u64 {
        self.old + self.new.load(Ordering::SeqCst)
    }

    /// When row `i` subscribed: the old ones within three years until 40 days ago, the last of them yesterday, and
    /// today whoever is new.
    fn at(&self, i: u64) -> DateTime<Utc> {
        let seconds = 3 * 365 * 86_400 * (self.old - i.min(self.old)) / self.old;
        if i >= self.old {
            self.began - TimeDelta::minutes(1) + TimeDelta::milliseconds((i - self.old) as i64)
        } else if i + 1 == self.old {
            self.began - TimeDelta::hours(30)
        } else {
            self.began - TimeDelta::days(40) - TimeDelta::seconds(seconds as i64)
        }
    }

    /// The answer to a request for subscribers; none if it is for something else.
    fn answer(&self, target: &str) -> Option<Arc<Vec<u8>>> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let list = *self.paths.get(path)?;
        let total = self.total();
        let key = format!("{total} {target}");
        if let Some(made) = self
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Some(made.clone());
        }
        let parameters: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let parameter = |name: &str| parameters.get(name).map(|value| value.as_ref());
        let first = match (parameter("status"), parameter("subscribed_after")) {
            (Some("unconfirmed"), _) => total,
            (_, None) => 0,
            (_, Some(day)) => {
                let day = format!("{day}T00:00:00Z").parse::<DateTime<Utc>>().ok()?;
                let (mut low, mut high) = (0, total);
                while low < high {
                    let middle = (low + high) / 2;
                    if self.at(middle) < day {
                        low = middle + 1
                    } else {
                        high = middle
                    }
                }
                low
            }
        };
        let found = total - first;
        let body = if parameter("ws.show").is_some() {
            found.to_string()
        } else {
            let start: u64 = parameter("ws.start").unwrap_or("0").parse().ok()?;
            let size: u64 = parameter("ws.size").unwrap_or("100").parse().ok()?;
            let end = (start + size).min(found);
            let mut body = String::from("{\"entries\":[");
            for i in first + start.min(end)..first + end {
                body.push_str(if i == first + start { "" } else { "," });
                self.entry(list, i, &mut body);
            }
            body.push_str(&format!("],\"start\":{start}"));
            if parameter("ws.op").is_none() {
                body.push_str(&format!(",\"total_size\":{found}"));
            }
            if end < found {
                let mut link = url::form_urlencoded::Serializer::new(String::new());
                link.extend_pairs(parameters.iter().filter(|(name, _)| *name != "ws.start"));
                link.append_pair("ws.start", &end.to_string());
                body.push_str(&format!(
                    ",\"next_collection_link\":\"{}{path}?{}\"",
                    self.origin,
                    link.finish()
                ));
            }
            body + "}"
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nDate: {}\r\n\r\n{body}",
            body.len(),
            Utc::now().format("%a, %d %b %Y %H:%M:%S GMT")
        );
        let answer = Arc::new(answer.into_bytes());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if (made.len() + 1) * answer.len().max(1) < KEPT {
            made.insert(key, answer.clone());
        }
        Some(answer)
    }

    fn entry(&self, list: u64, i: u64, out: &mut String) {
        let id = (list % 100 * 10_000_000 + 100_000_000 + i).to_string();
        let at = (self.at(i) - TimeDelta::hours(4))
            .format("%Y-%m-%dT%H:%M:%S")
            .to_string();
        for (piece, hole) in &self.pieces {
            out.push_str(piece);
            out.push_str(match hole {
                Hole::Id => &id,
                Hole::At => &at,
                Hole::End => "",
            });
        }
    }
}

/// One connection, as long as the client keeps it.
fn converse(stream: TcpStream, pages: &Pages, served: &AtomicU64, upstream: &str) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if lines.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        served.fetch_add(1, Ordering::SeqCst);
        let target = head.split(' ').nth(1)?;
        if let Some(answer) = pages.answer(target) {
            stream.write_all(&answer).ok()?;
        } else {
            let answer = forward(upstream, head.trim_end_matches("\r\n")).ok()?;
            stream.write_all(&answer).ok()?;
            return None;
        }
    }
}

/// The answer of the sandbox to a request, which closes the connection.
fn forward(upstream: &str, head: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream.trim_start_matches("http://"))?;
    let head = head.trim_end_matches("\r\n");
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
