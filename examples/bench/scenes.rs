//! What is measured of the program itself.

use crate::measure::{self, Measured};
use crate::program::Program;
use crate::server::{LISTS, Server};
use crate::{Options, Result, table, yardsticks};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};

/// New subscribers on each list before the incremental run; 30 on all of them.
const NEW_EACH: u64 = 6;

/// How often starting alone is measured: it is short.
const STARTS: usize = 20;

/// The most memory that any run may hold, whatever the size.
const MOST_MEMORY: f64 = 16.0;

/// `--version`, and a run that ends because another one has the lock.
pub(crate) fn cold_start(binary: &Path) -> Result<Vec<Measured>> {
    let scratch = tempfile::tempdir()?;
    let server = Server::start(&json!({"subscribers": LISTS}))?;
    let program = Program::connect(binary, &server, scratch.path())?;
    let mut version = Measured::new("--version");
    let mut locked = Measured::new("run, ends at the lock");
    std::fs::create_dir_all(program.state())?;
    let lock = std::fs::File::create(program.state().join("lock"))?;
    lock.try_lock()?;
    for _ in 0..STARTS {
        let mut command = program.command(&["--version"]);
        version
            .costs
            .push(measure::run(command.stdout(Stdio::null()), 0)?);
        locked.costs.push(measure::run(
            &mut program.command(&["run", "-q", "--log", "error"]),
            75,
        )?);
    }
    Ok(vec![version, locked])
}

/// Everything for one number of subscribers.
pub(crate) fn size(binary: &Path, subscribers: u64, options: &Options) -> Result<Vec<Measured>> {
    let scratch = tempfile::tempdir()?;
    let mut server = Server::start(&json!({"subscribers": subscribers}))?;
    let program = Program::connect(binary, &server, scratch.path())?;
    let mut first = Measured::new("first export");
    let mut few = Measured::new("30 new ones");
    let mut idle = Measured::new("nothing new");
    // The pages are put together now, not while something is measured.
    measure::run(&mut program.command(&["run", "--dry-run", "-q"]), 0)?;
    for _ in 0..options.runs {
        program.begin_anew()?;
        scene(&mut server, &program, &mut first)?;
        scene(&mut server, &program, &mut idle)?;
        server.ask(&format!("new {NEW_EACH}"))?;
        scene(&mut server, &program, &mut few)?;
        server.ask("back")?;
    }
    if options.check {
        check(subscribers, &first, &few, &idle)?;
    }
    first.fsyncs = {
        program.begin_anew()?;
        measure::fsyncs(&program.command(&["run"]), scratch.path())?
    };
    idle.fsyncs = measure::fsyncs(&program.command(&["run"]), scratch.path())?;
    server.ask(&format!("new {NEW_EACH}"))?;
    few.fsyncs = measure::fsyncs(&program.command(&["run"]), scratch.path())?;
    server.ask("back")?;
    let others = yardsticks::all(&mut server, subscribers, options, scratch.path())?;
    Ok([vec![first, few, idle], others].concat())
}

/// One run, measured; what it published comes on top of what was published before.
fn scene(server: &mut Server, program: &Program<'_>, measured: &mut Measured) -> Result<()> {
    let before = program.published()?;
    server.requests()?;
    let mut command: Command = program.command(&["run"]);
    measured.costs.push(measure::run(&mut command, 0)?);
    let after = program.published()?;
    measured.requests = Some(server.requests()?);
    measured.rows = Some(after.0 - before.0);
    measured.bytes = Some(after.1 - before.1);
    Ok(())
}

/// What holds on any machine.
fn check(subscribers: u64, first: &Measured, few: &Measured, idle: &Measured) -> Result<()> {
    let pages = LISTS * (subscribers / LISTS).div_ceil(100);
    let most = (pages as f64 * 1.02) as u64 + 4 * LISTS + 3;
    // The refresh, the page of lists, and each list.
    let least = 1 + 1 + LISTS;
    let claims = [
        (
            first.rows == Some(subscribers),
            "every subscriber is exported once",
        ),
        (
            few.rows == Some(NEW_EACH * LISTS),
            "the new ones are exported, and nobody else",
        ),
        (idle.rows == Some(0), "an idle run exports nobody"),
        (
            first.requests <= Some(most),
            "a first export keeps to its requests",
        ),
        (
            few.requests <= Some(least),
            "a run with a few new ones keeps to its requests",
        ),
        (
            idle.requests <= Some(least),
            "an idle run keeps to its requests",
        ),
    ];
    for (is_so, claim) in claims {
        if !is_so {
            return Err(format!(
                "{subscribers} subscribers: not so: {claim}: {first:?} {few:?} {idle:?}"
            )
            .into());
        }
    }
    for measured in [first, few, idle] {
        let peak = table::spread(measured, |cost| cost.peak as f64 / 1024.0 / 1024.0)[0];
        if peak > MOST_MEMORY {
            return Err(format!("{}: {peak:.1} MiB", measured.what).into());
        }
    }
    Ok(())
}
