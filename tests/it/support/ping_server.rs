//! A server in the style of Healthchecks that records pings and answers with given statuses.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The secret part of the path.
pub(crate) const PING_KEY: &str = "8f7e-ping-key-51c2";

/// Method, path and body.
pub(crate) type Ping = (String, String, String);

/// The server; it runs until the test process ends.
pub(crate) struct PingServer {
    port: u16,
    pings: Arc<Mutex<Vec<Ping>>>,
}

impl PingServer {
    /// Answers with the given statuses in turn, then with the last one; 0 never answers.
    pub(crate) fn answering(statuses: &[u16]) -> PingServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pings = Arc::new(Mutex::new(Vec::new()));
        let (list, statuses) = (pings.clone(), statuses.to_vec());
        std::thread::spawn(move || {
            let mut unanswered = Vec::new();
            for (n, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&mut stream) else {
                    continue;
                };
                list.lock().unwrap().push(request);
                match statuses[n.min(statuses.len() - 1)] {
                    0 => unanswered.push(stream),
                    status => {
                        let answer = format!(
                            "HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                        );
                        // A client that was stopped does not read it.
                        let _ = stream.write_all(answer.as_bytes());
                    }
                }
            }
        });
        PingServer { port, pings }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{PING_KEY}", self.port)
    }

    /// All pings so far.
    pub(crate) fn pings(&self) -> Vec<Ping> {
        self.pings.lock().unwrap().clone()
    }

    /// The path suffixes of the pings: `/start`, nothing, `/fail`.
    pub(crate) fn path_suffixes(&self) -> Vec<String> {
        let end = |path: &str| {
            path.strip_prefix(&format!("/{PING_KEY}"))
                .unwrap()
                .to_owned()
        };
        self.pings().iter().map(|(_, path, _)| end(path)).collect()
    }
}

/// Reads one request; `None` if the client disconnected before its end.
fn read(stream: &mut TcpStream) -> Option<Ping> {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            });
            if body.len() >= length.unwrap_or(0) {
                let mut words = head.split(' ').map(str::to_owned);
                return Some((words.next()?, words.next()?, body.to_owned()));
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(read @ 1..) => bytes.extend_from_slice(&chunk[..read]),
            _ => return None,
        }
    }
}
