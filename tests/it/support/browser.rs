//! The customer's browser: opens the authorization URL, allows access, and returns what AWeber shows.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Returns the whole answer to a GET of a URL of the sandbox.
pub(crate) fn open(url: &str) -> String {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap_or_else(|| panic!("not a URL of the sandbox: {url}"));
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The code shown on the authorization page.
pub(crate) fn code_at(url: &str) -> String {
    let page = open(url);
    let shown = page
        .split_once("id=\"code\">")
        .and_then(|(_, rest)| rest.split_once('<'));
    shown
        .unwrap_or_else(|| panic!("no code in {page}"))
        .0
        .to_owned()
}

/// The redirect target if the app is registered with its own redirect URI.
pub(crate) fn redirect_from(url: &str) -> String {
    let answer = open(url);
    let location = answer
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    location
        .unwrap_or_else(|| panic!("no redirect in {answer}"))
        .to_owned()
}

/// A query parameter, not decoded.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")))
        .map(str::to_owned)
}
