//! Counts the instructions of a first export. Unlike times, the counts hardly differ between runs, so they show whether
//! a change made the program faster even on a busy machine.

use crate::measure::wrap;
use crate::program::{Build, Program};
use crate::server::Server;
use crate::{Options, Result, yardsticks};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// Prints and returns the instructions of one first export for each size and build, and of the JSON parser alone.
pub(crate) fn first_exports(builds: &[Build], options: &Options) -> Result<Value> {
    let mut results = vec![];
    println!("\n### instructions of a first export\n");
    println!("| subscribers | program | instructions | per subscriber | counted by |");
    println!("| --- | --- | --- | --- | --- |");
    for subscribers in &options.sizes {
        let mut note = |name: &str, counted: Option<(u64, &str)>| {
            let (cells, tool) = match counted {
                Some((count, tool)) => {
                    let each = count as f64 / *subscribers as f64;
                    (format!("{count} | {each:.0}"), tool)
                }
                None => ("not available | not available".to_owned(), ""),
            };
            println!("| {subscribers} | {name} | {cells} | {tool} |");
            let count = counted.map(|(count, _)| count);
            results.push(json!({
                "subscribers": subscribers, "program": name, "instructions": count, "counted_by": tool,
            }));
        };
        for build in builds {
            let name = format!("aweber-sync{}", build.suffix);
            note(&name, first_export(build, *subscribers)?);
        }
        note("serde_json alone, nothing kept", parser(*subscribers)?);
    }
    Ok(json!({"instructions": results}))
}

fn first_export(build: &Build, subscribers: u64) -> Result<Option<(u64, &'static str)>> {
    let scratch = tempfile::tempdir()?;
    let mut server = Server::start(&json!({"subscribers": subscribers}))?;
    let program = Program::connect(&build.binary, &mut server, scratch.path())?;
    let counted = count(scratch.path(), || {
        program.reset()?;
        Ok(program.command(&["run"]))
    })?;
    let rows = program.published()?.0;
    if counted.is_some() && rows != subscribers {
        return Err(format!("{} exported {rows} rows", build.binary.display()).into());
    }
    Ok(counted)
}

fn parser(subscribers: u64) -> Result<Option<(u64, &'static str)>> {
    let scratch = tempfile::tempdir()?;
    let server = Server::start(&json!({"subscribers": subscribers}))?;
    count(scratch.path(), || {
        yardsticks::parse_command(&server, subscribers)
    })
}

/// The count and the tool that made it; `None` if neither valgrind nor perf can count here.
fn count(
    scratch: &Path,
    command: impl Fn() -> Result<Command>,
) -> Result<Option<(u64, &'static str)>> {
    let file = scratch.join("counts");
    let callgrind = format!("--callgrind-out-file={}", file.display());
    let perf = file.to_string_lossy();
    for (tool, arguments, parse) in [
        (
            "valgrind",
            &["--quiet", "--tool=callgrind", &callgrind][..],
            callgrind_total as fn(&str) -> Option<u64>,
        ),
        (
            "perf",
            &["stat", "-x,", "-e", "instructions:u", "-o", &perf],
            perf_total,
        ),
    ] {
        let mut command = wrap(&command()?, tool, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let output = match command.stderr(Stdio::piped()).output() {
            Ok(output) => output,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("cannot run {command:?}: {error}").into()),
        };
        // Without a count the tool has failed, for example for lack of permission.
        let counts = std::fs::read_to_string(&file).unwrap_or_default();
        let Some(count) = parse(&counts) else {
            continue;
        };
        if !output.status.success() {
            let (status, text) = (output.status, String::from_utf8_lossy(&output.stderr));
            return Err(format!("{command:?} ended with {status}: {text}").into());
        }
        return Ok(Some((count, tool)));
    }
    Ok(None)
}

/// `totals: 123456`
fn callgrind_total(text: &str) -> Option<u64> {
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total?.trim().parse().ok()
}

/// `123456,,instructions:u,...`, or `<not supported>` instead of the number.
fn perf_total(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains(",instructions"));
    line?.split(',').next()?.parse().ok()
}
