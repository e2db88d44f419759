//! An export at AWeber's rate limit: how much of the limit it uses, and how long it waits after another client has
//! exhausted it.

use crate::Result;
use crate::program::Program;
use crate::server::{LISTS, Server};
use aweber_sandbox::{Authorization, Sandbox};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// AWeber's limit.
const PER_MINUTE: u64 = 120;

/// When another client exhausts the limit.
const NEIGHBOUR_AFTER: Duration = Duration::from_secs(20);

/// Exports for this many minutes and prints the share of the limit that was used.
pub(crate) fn at_the_limit(
    binary: &Path,
    minutes: u64,
    latency_ms: u64,
    neighbour: bool,
) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    // More than the export can read in that time.
    let subscribers = LISTS * 100 * PER_MINUTE * (minutes + 1);
    let mut server = Server::start(
        &json!({"subscribers": subscribers, "latency_ms": latency_ms, "rate_limit": true}),
    )?;
    let program = Program::connect(binary, &mut server, scratch.path())?;
    let mut command = program.command(&["run", "-q"]);
    command
        .env("AWEBER_SYNC_REQUESTS_PER_MINUTE", PER_MINUTE.to_string())
        .env("AWEBER_SYNC_MAX_DURATION", format!("{minutes}m"))
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut refused_neighbour = false;
    if neighbour {
        std::thread::sleep(NEIGHBOUR_AFTER);
        refused_neighbour = exhaust_limit(&server)?;
    }
    let code = child.wait()?.code();
    let log = server.command("log")?;
    let answered: Vec<u64> = times(&log, true);
    let refused: Vec<u64> = times(&log, false);
    let allowed = PER_MINUTE * minutes;
    let used = 100.0 * answered.len() as f64 / allowed as f64;
    println!(
        "{minutes} min at {PER_MINUTE} requests a minute, {latency_ms} ms an answer; exit code {code:?} (75: time limit reached)"
    );
    println!(
        "requests answered: {} of {allowed} ({used:.1} %)",
        answered.len()
    );
    println!(
        "rate limit errors of the export: {}; of the other client: {refused_neighbour}",
        refused.len()
    );
    for at in &refused {
        if let Some(next) = answered.iter().find(|answer| *answer > at) {
            println!(
                "wait after a rate limit error: {:.1} s",
                (next - at) as f64 / 1000.0
            );
        }
    }
    Ok(())
}

fn times(log: &Value, answered: bool) -> Vec<u64> {
    let of = |request: &Value| request["ms"].as_u64();
    let requests = log.as_array().into_iter().flatten();
    let wanted =
        requests.filter(|request| request["ours"] == true && request["answered"] == answered);
    wanted.filter_map(of).collect()
}

/// In the server process: the time of each API request and whether it was answered.
pub(crate) fn log(sandbox: &Sandbox) -> Value {
    sandbox.with(|world| {
        let first = world.requests.first().map(|request| request.at);
        let requests = world.api_requests().into_iter().map(|request| {
            let since = first.map_or(Duration::ZERO, |first| request.at.duration_since(first));
            json!({
                "ms": since.as_millis() as u64,
                // None: the export cancelled it at its time limit.
                "answered": request.status.map(|status| status < 400),
                "ours": matches!(&request.authorization, Authorization::Bearer(_))
                    && request.user_agent.as_deref().is_some_and(|agent| agent.starts_with("aweber-sync/")),
            })
        });
        Value::Array(requests.collect())
    })
}

/// Sends requests as another client until the limit is reached; returns whether one was rejected.
fn exhaust_limit(server: &Server) -> Result<bool> {
    let host = server.text("api")?.replace("http://", "");
    let token = server.text("other_token")?;
    let send = || -> Result<String> {
        let mut stream = TcpStream::connect(&host)?;
        let head = "GET /1.0/accounts HTTP/1.1\r\nUser-Agent: neighbour\r\nConnection: close";
        write!(
            stream,
            "{head}\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    std::thread::scope(|scope| {
        // In parallel, so that all of them fall into one window.
        let requests: Vec<_> = (0..PER_MINUTE)
            .map(|_| scope.spawn(|| send().unwrap_or_default()))
            .collect();
        let answers = requests
            .into_iter()
            .map(|one| one.join().unwrap_or_default());
        Ok(answers
            .into_iter()
            .any(|answer| answer.contains("Rate Limit")))
    })
}
