//! The same pages by others: curl, which does nothing with them; the parser alone; the `aweber` command; and a script
//! in the manner of AWeber's own sample.

use crate::measure::{self, Measured};
use crate::server::Server;
use crate::{Options, Result};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

/// Measures those that are there.
pub(crate) fn all(
    server: &mut Server,
    subscribers: u64,
    options: &Options,
    scratch: &Path,
) -> Result<Vec<Measured>> {
    let mut found = vec![];
    found.extend(curl(server, subscribers, options, scratch)?);
    found.push(parser(server, subscribers, options)?);
    found.extend(aweber_cli(server, subscribers, options, scratch)?);
    found.extend(python(server, subscribers, options, scratch)?);
    Ok(found)
}

fn is_there(program: &Path) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn collection(server: &Server, list: u64) -> Result<String> {
    let (api, account) = (server.text("api")?, server.text("account")?);
    Ok(format!(
        "{api}/1.0/accounts/{account}/lists/{list}/subscribers"
    ))
}

/// One curl for all pages of all lists, over one connection.
fn curl(
    server: &mut Server,
    subscribers: u64,
    options: &Options,
    scratch: &Path,
) -> Result<Option<Measured>> {
    if !is_there(Path::new("curl")) {
        return Ok(None);
    }
    let lists = server.lists();
    let mut config = format!(
        "header = \"Authorization: Bearer {}\"\n",
        server.text("other_token")?
    );
    for list in &lists {
        let collection = collection(server, *list)?;
        for start in (0..subscribers / lists.len() as u64).step_by(100) {
            config += &format!(
                "url = \"{collection}?ws.start={start}&ws.size=100\"\noutput = /dev/null\n"
            );
        }
    }
    let file = scratch.join("curl.config");
    std::fs::write(&file, config)?;
    let mut measured = Measured::new("curl, pages thrown away");
    for _ in 0..options.runs {
        server.requests()?;
        let mut command = Command::new("curl");
        command.args(["--silent", "--fail", "--config"]).arg(&file);
        measured
            .costs
            .push(measure::run(command.stdout(Stdio::null()), 0)?);
        measured.requests = Some(server.requests()?);
    }
    Ok(Some(measured))
}

/// The bench itself as a process that does nothing but read one page of JSON as often as there are pages.
fn parser(server: &mut Server, subscribers: u64, options: &Options) -> Result<Measured> {
    let url = collection(server, server.lists()[0])?;
    let mut measured = Measured::new("serde_json alone, nothing kept");
    for _ in 0..options.runs {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("parse")
            .arg(&url)
            .arg((subscribers / 100).to_string());
        measured.costs.push(measure::run(&mut command, 0)?);
    }
    Ok(measured)
}

/// Reads the page at `url` and parses it so many times.
pub(crate) fn parse(url: Option<&str>, times: Option<&str>) -> Result<()> {
    let url = url
        .and_then(|url| url.strip_prefix("http://"))
        .ok_or("parse what?")?;
    let (host, path) = url.split_once('/').ok_or("no path")?;
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    for _ in 0..times.unwrap_or("1").parse::<u64>()? {
        serde_json::from_str::<serde::de::IgnoredAny>(std::hint::black_box(body))?;
    }
    Ok(())
}

/// `aweber subscribers list`, list by list, as a shell would: the sum is one measurement.
fn aweber_cli(
    server: &mut Server,
    subscribers: u64,
    options: &Options,
    scratch: &Path,
) -> Result<Option<Measured>> {
    let program = &options.aweber_cli;
    if !is_there(program) {
        return Ok(None);
    }
    let file = scratch.join("cli.jsonl");
    let mut measured = Measured::new("the aweber command");
    for _ in 0..options.runs {
        server.requests()?;
        let mut sum = measure::Cost::default();
        let out = std::fs::File::create(&file)?;
        for list in server.lists() {
            let mut command = Command::new(program);
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
        measured.costs.push(sum);
        measured.requests = Some(server.requests()?);
        measured.bytes = Some(std::fs::metadata(&file)?.len());
    }
    let lines = std::fs::read(&file)?
        .iter()
        .filter(|byte| **byte == b'\n')
        .count() as u64;
    if lines != subscribers {
        println!("(the aweber command wrote {lines} lines for {subscribers} subscribers)");
    }
    measured.rows = Some(lines);
    Ok(Some(measured))
}

/// `sample.py`.
fn python(
    server: &mut Server,
    subscribers: u64,
    options: &Options,
    scratch: &Path,
) -> Result<Option<Measured>> {
    let Some(python) = &options.python else {
        return Ok(None);
    };
    let file = scratch.join("sample.csv");
    let mut measured = Measured::new("a Python script");
    for _ in 0..options.runs {
        server.requests()?;
        let mut command = Command::new(python);
        command
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/examples/bench/sample.py"
            ))
            .arg(server.text("api")?)
            .arg(server.text("account")?)
            .arg(&file)
            .args(server.lists().iter().map(u64::to_string))
            .env("ACCESS_TOKEN", server.text("other_token")?);
        measured.costs.push(measure::run(&mut command, 0)?);
        measured.requests = Some(server.requests()?);
    }
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
    Ok(Some(measured))
}
