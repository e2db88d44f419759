//! A minimal HTTP client: one connection per request, which reads the whole answer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use aweber_sandbox::Sandbox;
use serde_json::Value;

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// `type` of envelope A or `error` of envelope B.
    pub fn error(&self) -> String {
        let body = self.json();
        let error = &body["error"];
        error
            .as_str()
            .or(error["type"].as_str())
            .unwrap_or_else(|| panic!("no error: {body}"))
            .to_owned()
    }

    /// `message` of envelope A or `error_description` of envelope B.
    pub fn message(&self) -> String {
        let body = self.json();
        let text = body["error"]["message"]
            .as_str()
            .or(body["error_description"].as_str());
        text.unwrap_or_else(|| panic!("no message: {body}"))
            .to_owned()
    }

    /// Status and error code: `401 invalid_token`.
    pub fn failure(&self) -> String {
        format!("{} {}", self.status, self.error())
    }

    /// Status, error code and message: `401 invalid_client: Unknown client`.
    pub fn failure_with_message(&self) -> String {
        format!("{}: {}", self.failure(), self.message())
    }

    /// The ids of a page's entries.
    pub fn ids(&self) -> Vec<u64> {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["id"].as_u64().unwrap())
            .collect()
    }
}

/// Sends a request to an absolute URL on loopback.
pub fn try_send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Reply> {
    let rest = url.strip_prefix("http://").expect("plain http");
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes, method != "HEAD")
}

pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    try_send(method, url, headers, body).unwrap_or_else(|error| panic!("{method} {url}: {error}"))
}

fn parse(bytes: &[u8], has_body: bool) -> io::Result<Reply> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| {
        io::Error::other(format!("no end of the headers in {} bytes", bytes.len()))
    })?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut reply = Reply {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = unchunked(&reply.body)?;
    }
    let expected = reply
        .header("content-length")
        .map(|length| length.parse::<usize>().unwrap());
    match expected {
        Some(length) if has_body && reply.body.len() != length => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{} of {length} bytes", reply.body.len()),
        )),
        _ => Ok(reply),
    }
}

fn unchunked(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the chunked body ends early");
    loop {
        let line = rest
            .windows(2)
            .position(|two| two == b"\r\n")
            .ok_or_else(cut)?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = rest.get(line + 2..).ok_or_else(cut)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(..size).ok_or_else(cut)?);
        rest = rest.get(size + 2..).ok_or_else(cut)?;
    }
}

/// A client with an access token.
pub struct Reader<'a> {
    pub sandbox: &'a Sandbox,
    pub token: String,
}

impl<'a> Reader<'a> {
    pub fn new(sandbox: &'a Sandbox) -> Reader<'a> {
        let token = sandbox.with(|world| world.grant("public-client").access_token);
        Reader { sandbox, token }
    }

    /// Gets a path below `/1.0`, or an absolute URL.
    pub fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let all: Vec<(&str, &str)> = [("Authorization", bearer.as_str())]
            .into_iter()
            .chain(headers.iter().copied())
            .collect();
        send("GET", &self.url(path), &all, "")
    }

    pub fn try_get(&self, path: &str) -> io::Result<Reply> {
        try_send(
            "GET",
            &self.url(path),
            &[("Authorization", &format!("Bearer {}", self.token))],
            "",
        )
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/1.0{path}", self.sandbox.api_url())
        }
    }
}

/// Posts a form to the OAuth origin.
pub fn post_form(
    sandbox: &Sandbox,
    path: &str,
    headers: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Reply {
    let body = query(fields);
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let all: Vec<(&str, &str)> = [kind].into_iter().chain(headers.iter().copied()).collect();
    send(
        "POST",
        &format!("{}{path}", sandbox.auth_url()),
        &all,
        &body,
    )
}

/// `Authorization: Basic …`
pub fn basic(id: &str, secret: &str) -> String {
    use base64::Engine;
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"))
    )
}

pub fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// A sandbox with one list of `rows` subscribers, the path of the list's subscribers, and their ids.
pub fn with_rows(rows: usize) -> (Sandbox, String, Vec<u64>) {
    let sandbox = Sandbox::start();
    let (list, ids) = sandbox.with(|world| {
        let list = world.add_list("News");
        (list, world.add_subscribers(list, rows))
    });
    let path = format!("/accounts/1234567/lists/{list}/subscribers");
    (sandbox, path, ids)
}
