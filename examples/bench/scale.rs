//! What many lists and a large ledger cost: a first export, idle runs with and without a check of the whole ledger, a run
//! with new subscribers, and `status`.

use crate::measure::{self, Measured};
use crate::program::{Build, Program};
use crate::server::Server;
use crate::{Options, Result, table};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Lists, and subscribers on all of them together.
const SHAPES: [(u64, u64); 3] = [(50, 10_000), (1_000, 100_000), (5, 5_000_000)];

/// The lists and the subscribers whose counts `--check` compares with limits.
const CHECKED: (u64, u64) = (50, 100_000);

/// Most calls of fsync in an idle run, whatever the number of lists.
const MOST_FSYNCS: u64 = 14;

/// Most reads of the ledger in an idle run, which has 600 pages.
const MOST_READS: u64 = 150;

/// Measures all shapes and prints a table for each.
pub(crate) fn measure(builds: &[Build], options: &Options) -> Result<Value> {
    let mut shapes = vec![];
    for (lists, subscribers) in SHAPES {
        let mut rows = vec![];
        for build in builds {
            rows.extend(Shape::measure(build, lists, subscribers, options.runs)?);
        }
        table::print(
            &format!("{subscribers} subscribers on {lists} lists"),
            &rows,
        );
        let measured = table::json(&rows);
        shapes.push(json!({"lists": lists, "subscribers": subscribers, "measured": measured}));
    }
    Ok(Value::Array(shapes))
}

/// Fails if an idle run of 50 lists exceeds a limit that does not depend on the machine.
pub(crate) fn check(build: &Build) -> Result<()> {
    let (lists, subscribers) = CHECKED;
    let scratch = tempfile::tempdir()?;
    let mut server = Server::start(&json!({"subscribers": subscribers, "lists": lists}))?;
    let program = Program::connect(&build.binary, &mut server, scratch.path())?;
    let run = program.command(&["run", "-q"]);
    measure::run(&mut program.command(&["run", "-q"]), 0)?;
    server.requests()?;
    measure::run(&mut program.command(&["run", "-q"]), 0)?;
    let requests = server.requests()?;
    let calls = measure::calls(&run, scratch.path())?;
    let counted = match calls {
        Some(calls) => format!(
            "{} fsyncs, {} reads of the ledger",
            calls.fsyncs, calls.ledger_reads
        ),
        None => "no calls counted without strace".to_owned(),
    };
    println!("\nidle run of {lists} lists: {requests} requests, {counted}");
    // The refresh, the page of lists, and one for each list.
    if requests > 1 + 1 + lists {
        return Err(format!("an idle run of {lists} lists sent {requests} requests").into());
    }
    if calls.is_some_and(|calls| calls.fsyncs > MOST_FSYNCS || calls.ledger_reads > MOST_READS) {
        return Err(format!("too many calls in an idle run of {lists} lists: {counted}").into());
    }
    Ok(())
}

/// One build with one number of lists and subscribers.
struct Shape<'a> {
    program: Program<'a>,
    server: Server,
    runs: usize,
    suffix: &'a str,
}

impl Shape<'_> {
    fn measure(build: &Build, lists: u64, subscribers: u64, runs: usize) -> Result<Vec<Measured>> {
        let scratch = tempfile::tempdir()?;
        let mut server = Server::start(&json!({"subscribers": subscribers, "lists": lists}))?;
        let mut shape = Shape {
            program: Program::connect(&build.binary, &mut server, scratch.path())?,
            server,
            runs,
            suffix: &build.suffix,
        };
        let mut first = shape.repeat("first export", 1, &["run", "-q"], |_| Ok(()))?;
        let (rows, bytes) = shape.program.published()?;
        (first.rows, first.bytes) = (Some(rows), Some(bytes));
        let ledger = shape.ledger()?;
        let mut idle = shape.repeat("nothing new", runs, &["run", "-q"], |_| Ok(()))?;
        let calls = measure::calls(&shape.program.command(&["run", "-q"]), scratch.path())?;
        idle.fsyncs = calls.map(|calls| calls.fsyncs);
        let mark = ledger.with_extension("sqlite3.checked");
        let whole = shape.repeat(
            "nothing new, all of the ledger checked",
            runs,
            &["run", "-q"],
            |_| {
                match std::fs::remove_file(&mark) {
                    // An older build notes nothing and checks always.
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
                    _ => Ok(()),
                }
            },
        )?;
        let each = (30 / lists).max(1);
        let what = format!("{} new ones", each * lists);
        let new = shape.repeat(&what, runs, &["run", "-q"], |server| {
            server.command(&format!("add {each}")).map(drop)
        })?;
        let mut status = shape.repeat("status", runs, &["status"], |_| Ok(()))?;
        status.requests = None;
        let bytes = ledger.metadata()?.len();
        println!("\nledger of {subscribers} subscribers on {lists} lists: {bytes} bytes");
        Ok(vec![first, idle, whole, new, status])
    }

    /// Measures a command several times, each after `prepare`, with the requests of the last time.
    fn repeat(
        &mut self,
        what: &str,
        runs: usize,
        command: &[&str],
        mut prepare: impl FnMut(&mut Server) -> Result<()>,
    ) -> Result<Measured> {
        let mut measured = Measured::new(format!("{what}{}", self.suffix));
        for _ in 0..runs.min(self.runs) {
            prepare(&mut self.server)?;
            self.server.requests()?;
            let mut command = self.program.command(command);
            measured
                .costs
                .push(measure::run(command.stdout(Stdio::null()), 0)?);
            measured.requests = Some(self.server.requests()?);
        }
        Ok(measured)
    }

    fn ledger(&self) -> Result<PathBuf> {
        let entries = std::fs::read_dir(self.program.state())?;
        let mut paths = entries.flatten().map(|entry| entry.path());
        let is_ledger = |path: &Path| path.extension().is_some_and(|end| end == "sqlite3");
        Ok(paths.find(|path| is_ledger(path)).ok_or("no ledger")?)
    }
}
