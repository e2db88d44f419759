//! Exports at AWeber's rate limit: how much of it they use at a latency, and how often they shut out another client of
//! the account.

use crate::Result;
use crate::program::{Build, Program};
use crate::server::{LISTS, Server};
use aweber_sandbox::{Authorization, Sandbox};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// AWeber's limit, requests a minute.
const LIMIT: u64 = 120;

/// One export under the limit.
struct Export<'a> {
    build: &'a Build,
    minutes: u64,
    latency_ms: u64,
    /// Requests a minute of another client of the account.
    neighbour: u64,
}

/// What became of it.
struct Outcome {
    code: Option<i32>,
    answered: u64,
    refused: u64,
    neighbour: Neighbour,
}

/// What another client of the account met.
#[derive(Default)]
struct Neighbour {
    sent: u64,
    answered: u64,
    /// How often requests began to be refused.
    shut_out: u64,
}

/// Runs the exports of all builds at all latencies and beside all neighbours (0: none) at the same time, and prints a line
/// each.
pub(crate) fn at_the_limit(
    builds: &[Build],
    minutes: u64,
    latencies: &[u64],
    neighbours: &[u64],
) -> Result<()> {
    let mut exports = vec![];
    for build in builds {
        for latency_ms in latencies {
            for neighbour in neighbours {
                exports.push(Export {
                    build,
                    minutes,
                    latency_ms: *latency_ms,
                    neighbour: *neighbour,
                });
            }
        }
    }
    println!(
        "{minutes} minutes each; AWeber's limit: {LIMIT} requests in any 60 s, then none for 60 s"
    );
    println!(
        "{:>9} {:>9} {:>8} {:>7} | {:>9} {:>9} {:>8}",
        "latency", "neighbour", "requests", "refused", "sent", "answered", "shut out"
    );
    let outcomes: Vec<Result<Outcome>> = std::thread::scope(|scope| {
        let running: Vec<_> = exports
            .iter()
            .map(|export| scope.spawn(|| export.run().map_err(|error| error.to_string())))
            .collect();
        let outcomes = running.into_iter().map(|one| match one.join() {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(_) => Err("an export panicked".into()),
        });
        outcomes.collect()
    });
    for (export, outcome) in exports.iter().zip(outcomes) {
        export.print(&outcome?);
    }
    Ok(())
}

impl Export<'_> {
    /// Alone it may use all of the limit, beside a neighbour the program decides.
    fn run(&self) -> Result<Outcome> {
        let scratch = tempfile::tempdir()?;
        // More than the export can read in that time.
        let subscribers = LISTS * 100 * LIMIT * (self.minutes + 1);
        let mut server = Server::start(
            &json!({"subscribers": subscribers, "latency_ms": self.latency_ms, "rate_limit": true}),
        )?;
        let program = Program::connect(&self.build.binary, &mut server, scratch.path())?;
        let mut command = program.command(&["run", "-q"]);
        if self.neighbour == 0 {
            command.env("AWEBER_SYNC_REQUESTS_PER_MINUTE", LIMIT.to_string());
        }
        command
            .env("AWEBER_SYNC_MAX_DURATION", format!("{}m", self.minutes))
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let ended = AtomicBool::new(false);
        // The neighbour is at work already when the export begins.
        let head_start = Duration::from_secs(if self.neighbour > 0 { 60 } else { 0 });
        let (code, neighbour) = std::thread::scope(|scope| {
            let neighbour = scope.spawn(|| Neighbour::run(&server, self.neighbour, &ended));
            std::thread::sleep(head_start);
            let code = command.status().map(|status| status.code());
            ended.store(true, Ordering::SeqCst);
            (code, neighbour.join())
        });
        let neighbour = neighbour.map_err(|_| "the neighbour panicked")?;
        let log = server.command("log")?;
        let count = |answered: bool| {
            let requests = log.as_array().into_iter().flatten();
            let ours = requests.filter(|request| request["ours"] == true);
            ours.filter(|request| request["answered"] == answered)
                .count() as u64
        };
        Ok(Outcome {
            code: code?,
            answered: count(true),
            refused: count(false),
            neighbour: neighbour.map_err(|error| error.to_string())?,
        })
    }

    fn print(&self, outcome: &Outcome) {
        let share = 100.0 * outcome.answered as f64
            / (LIMIT.saturating_sub(self.neighbour) * self.minutes) as f64;
        let neighbour = &outcome.neighbour;
        println!(
            "{:>6} ms {:>9} {:>8} {:>7} | {:>9} {:>9} {:>8}   {share:.1} % of what is left; exit code {:?}{}",
            self.latency_ms,
            self.neighbour,
            outcome.answered,
            outcome.refused,
            neighbour.sent,
            neighbour.answered,
            neighbour.shut_out,
            outcome.code,
            self.build.suffix,
        );
    }
}

impl Neighbour {
    /// Sends requests evenly, whatever the answers are, until the export has ended.
    fn run(server: &Server, per_minute: u64, ended: &AtomicBool) -> std::io::Result<Neighbour> {
        let mut neighbour = Neighbour::default();
        let (host, token) = (server.text("api"), server.text("other_token"));
        let (Ok(host), Ok(token), true) = (host, token, per_minute > 0) else {
            return Ok(neighbour);
        };
        let host = host.replace("http://", "");
        let gap = Duration::from_secs(60) / per_minute as u32;
        let began = Instant::now();
        let mut is_refused = false;
        while !ended.load(Ordering::SeqCst) {
            let answer = ask(&host, &token)?;
            let refused = answer.contains("Rate Limit");
            neighbour.shut_out += u64::from(refused && !is_refused);
            neighbour.answered += u64::from(!refused);
            neighbour.sent += 1;
            is_refused = refused;
            let due = began + gap * neighbour.sent as u32;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        Ok(neighbour)
    }
}

/// A request of another client of the account.
fn ask(host: &str, token: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(host)?;
    let head = "GET /1.0/accounts HTTP/1.1\r\nUser-Agent: neighbour\r\nConnection: close";
    write!(
        stream,
        "{head}\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// In the server process: each API request, whether it was answered, and whether it was ours.
pub(crate) fn log(sandbox: &Sandbox) -> Value {
    sandbox.with(|world| {
        let requests = world.api_requests().into_iter().map(|request| {
            json!({
                // None: the export cancelled it at its time limit.
                "answered": request.status.map(|status| status < 400),
                "ours": matches!(&request.authorization, Authorization::Bearer(_))
                    && request.user_agent.as_deref().is_some_and(|agent| agent.starts_with("aweber-sync/")),
            })
        });
        Value::Array(requests.collect())
    })
}
