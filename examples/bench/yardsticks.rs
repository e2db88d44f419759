//! The same pages read by other programs: curl, which discards them; the JSON parser alone; the `aweber` command; and a
//! script in the manner of AWeber's own sample.

use crate::measure::{self, Cost, Measured};
use crate::server::Server;
use crate::{Options, Result};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

/// Measures the programs that are installed.
pub(crate) fn all(
    server: &mut Server,
    subscribers: u64,
    options: &Options,
    scratch: &Path,
) -> Result<Vec<Measured>> {
    let mut rows = vec![];
    if is_installed(Path::new("curl")) {
        rows.push(curl(server, subscribers, options.runs, scratch)?);
    }
    rows.push(parser(server, subscribers, options.runs)?);
    if is_installed(&options.aweber_cli) {
        rows.push(aweber_cli(server, subscribers, options, scratch)?);
    }
    if let Some(python) = &options.python {
        rows.push(script(
            server,
            subscribers,
            (python, options.runs),
            scratch,
        )?);
    }
    Ok(rows)
}

fn is_installed(program: &Path) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Measures `run` several times, with the requests of the last time.
fn repeat(
    what: &str,
    runs: usize,
    server: &mut Server,
    mut run: impl FnMut(&Server) -> Result<Cost>,
) -> Result<Measured> {
    let mut measured = Measured::new(what);
    for _ in 0..runs {
        server.requests()?;
        measured.costs.push(run(server)?);
        measured.requests = Some(server.requests()?);
    }
    Ok(measured)
}

fn collection_url(server: &Server, list: u64) -> Result<String> {
    let (api, account) = (server.text("api")?, server.text("account")?);
    Ok(format!(
        "{api}/1.0/accounts/{account}/lists/{list}/subscribers"
    ))
}

/// One curl for all pages of all lists, over one connection.
fn curl(server: &mut Server, subscribers: u64, runs: usize, scratch: &Path) -> Result<Measured> {
    let lists = server.lists();
    let token = server.text("other_token")?;
    let mut config = format!("header = \"Authorization: Bearer {token}\"\n");
    for list in &lists {
        let url = collection_url(server, *list)?;
        for start in (0..subscribers / lists.len() as u64).step_by(100) {
            config +=
                &format!("url = \"{url}?ws.start={start}&ws.size=100\"\noutput = /dev/null\n");
        }
    }
    let file = scratch.join("curl.config");
    std::fs::write(&file, config)?;
    repeat("curl, pages thrown away", runs, server, |_| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--fail", "--config"]).arg(&file);
        measure::run(command.stdout(Stdio::null()), 0)
    })
}

fn parser(server: &mut Server, subscribers: u64, runs: usize) -> Result<Measured> {
    let measured = repeat("serde_json alone, nothing kept", runs, server, |server| {
        measure::run(&mut parse_command(server, subscribers)?, 0)
    })?;
    Ok(Measured {
        requests: None,
        ..measured
    })
}

/// The bench itself as a process that only parses one page, as often as there are pages.
pub(crate) fn parse_command(server: &Server, subscribers: u64) -> Result<Command> {
    let url = collection_url(server, server.lists()[0])?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["parse", &url, &(subscribers / 100).to_string()]);
    Ok(command)
}

/// Fetches the page at `url` and parses it this many times.
pub(crate) fn parse(url: Option<&str>, times: Option<&str>) -> Result<()> {
    let url = url
        .and_then(|url| url.strip_prefix("http://"))
        .ok_or("parse: missing URL")?;
    let (host, path) = url.split_once('/').ok_or("parse: no path in the URL")?;
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("parse: no answer")?;
    for _ in 0..times.unwrap_or("1").parse::<u64>()? {
        serde_json::from_str::<serde::de::IgnoredAny>(std::hint::black_box(body))?;
    }
    Ok(())
}

/// `aweber subscribers list` for one list after the other; their sum is one measurement.
fn aweber_cli(
    server: &mut Server,
    subscribers: u64,
    options: &Options,
    scratch: &Path,
) -> Result<Measured> {
    let file = scratch.join("cli.jsonl");
    let mut measured = repeat("the aweber command", options.runs, server, |server| {
        let mut sum = Cost::default();
        let out = File::create(&file)?;
        for list in server.lists() {
            let mut command = Command::new(&options.aweber_cli);
            command
                .args(["subscribers", "list", "--list-id", &list.to_string()])
                .env("AWEBER_API_URL", server.text("api")?)
                .env("AWEBER_AUTH_URL", server.text("auth")?)
                .env("AWEBER_TOKEN", server.text("other_token")?)
                .env("HOME", scratch)
                .stdout(out.try_clone()?);
            let cost = measure::run(&mut command, 0)?;
            sum.wall += cost.wall;
            sum.cpu += cost.cpu;
            sum.peak = sum.peak.max(cost.peak);
        }
        Ok(sum)
    })?;
    // Not read as a whole: the peak of the next processes would begin with the memory of this one.
    let lines = BufReader::new(File::open(&file)?).split(b'\n').count() as u64;
    if lines != subscribers {
        println!("(the aweber command wrote {lines} lines for {subscribers} subscribers)");
    }
    measured.rows = Some(lines);
    measured.bytes = Some(std::fs::metadata(&file)?.len());
    Ok(measured)
}

/// `sample.py`, with the given Python and number of runs.
fn script(
    server: &mut Server,
    subscribers: u64,
    (python, runs): (&Path, usize),
    scratch: &Path,
) -> Result<Measured> {
    let file = scratch.join("sample.csv");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench/sample.py");
    let mut measured = repeat("a Python script", runs, server, |server| {
        let mut command = Command::new(python);
        command
            .arg(sample)
            .arg(server.text("api")?)
            .arg(server.text("account")?)
            .arg(&file)
            .args(server.lists().iter().map(u64::to_string))
            .env("ACCESS_TOKEN", server.text("other_token")?);
        measure::run(&mut command, 0)
    })?;
    let mut rows = 0;
    for record in csv::Reader::from_path(&file)?.byte_records() {
        record?;
        rows += 1;
    }
    if rows != subscribers {
        return Err(format!("the script wrote {rows} rows").into());
    }
    measured.rows = Some(rows);
    measured.bytes = Some(std::fs::metadata(&file)?.len());
    Ok(measured)
}
