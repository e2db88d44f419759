//! The workloads of the program: start-up, a first export, an idle run, and a run with a few new subscribers.

use crate::measure::{self, Measured};
use crate::program::{Build, Program};
use crate::server::{LISTS, Server};
use crate::{Options, Result, table, yardsticks};
use serde_json::json;
use std::path::Path;
use std::process::Stdio;

/// New subscribers on each list before the incremental run; 30 on all of them.
const NEW_EACH: u64 = 6;

/// Number of measurements of start-up, which is short.
const STARTS: usize = 20;

/// Limit on the memory of any run, whatever the size.
const MOST_MEMORY_MIB: f64 = 16.0;

/// Measures `--version`, and a run that ends because another one holds the lock.
pub(crate) fn start_up(builds: &[Build]) -> Result<Vec<Measured>> {
    let mut server = Server::start(&json!({"subscribers": LISTS}))?;
    let mut rows = vec![];
    for build in builds {
        let scratch = tempfile::tempdir()?;
        let program = Program::connect(&build.binary, &mut server, scratch.path())?;
        let mut version = Measured::new(format!("--version{}", build.suffix));
        let mut locked = Measured::new(format!("run, ends at the lock{}", build.suffix));
        std::fs::create_dir_all(program.state())?;
        let lock = std::fs::File::create(program.state().join("lock"))?;
        lock.try_lock()?;
        for _ in 0..STARTS {
            let mut command = program.command(&["--version"]);
            let cost = measure::run(command.stdout(Stdio::null()), 0)?;
            version.costs.push(cost);
            let mut command = program.command(&["run", "-q", "--log", "error"]);
            locked.costs.push(measure::run(&mut command, 75)?);
        }
        rows.extend([version, locked]);
    }
    Ok(rows)
}

/// Measures all workloads and yardsticks for one number of subscribers.
pub(crate) fn measure_size(
    builds: &[Build],
    subscribers: u64,
    options: &Options,
) -> Result<Vec<Measured>> {
    let scratch = tempfile::tempdir()?;
    let mut server = Server::start(&json!({"subscribers": subscribers}))?;
    let mut all = vec![];
    for (number, build) in builds.iter().enumerate() {
        let directory = scratch.path().join(number.to_string());
        std::fs::create_dir(&directory)?;
        let workloads = Workloads::connect(build, &mut server, &directory)?;
        // Fills the server's cache of pages before anything is measured.
        let mut dry_run = workloads.program.command(&["run", "--dry-run", "-q"]);
        measure::run(&mut dry_run, 0)?;
        all.push(workloads);
    }
    // The builds take turns, so that changes in the load of the machine affect all of them.
    for _ in 0..options.runs {
        for workloads in &mut all {
            workloads.measure(&mut server)?;
        }
    }
    let mut rows = vec![];
    for (number, mut workloads) in all.into_iter().enumerate() {
        if options.check && number == 0 {
            workloads.check(subscribers)?;
        }
        workloads.count_fsyncs(&mut server, scratch.path())?;
        rows.extend([workloads.first, workloads.incremental, workloads.idle]);
    }
    rows.extend(yardsticks::all(
        &mut server,
        subscribers,
        options,
        scratch.path(),
    )?);
    Ok(rows)
}

/// One build and its results.
struct Workloads<'a> {
    program: Program<'a>,
    first: Measured,
    incremental: Measured,
    idle: Measured,
}

impl<'a> Workloads<'a> {
    fn connect(build: &'a Build, server: &mut Server, directory: &Path) -> Result<Workloads<'a>> {
        let named = |what: &str| Measured::new(format!("{what}{}", build.suffix));
        Ok(Workloads {
            program: Program::connect(&build.binary, server, directory)?,
            first: named("first export"),
            incremental: named("30 new ones"),
            idle: named("nothing new"),
        })
    }

    fn measure(&mut self, server: &mut Server) -> Result<()> {
        self.program.reset()?;
        measure_run(server, &self.program, &mut self.first)?;
        measure_run(server, &self.program, &mut self.idle)?;
        server.command(&format!("add {NEW_EACH}"))?;
        measure_run(server, &self.program, &mut self.incremental)?;
        server.command("remove-added")?;
        Ok(())
    }

    fn count_fsyncs(&mut self, server: &mut Server, scratch: &Path) -> Result<()> {
        let run = self.program.command(&["run"]);
        self.program.reset()?;
        let fsyncs =
            || -> Result<_> { Ok(measure::calls(&run, scratch)?.map(|calls| calls.fsyncs)) };
        self.first.fsyncs = fsyncs()?;
        self.idle.fsyncs = fsyncs()?;
        server.command(&format!("add {NEW_EACH}"))?;
        self.incremental.fsyncs = fsyncs()?;
        server.command("remove-added")?;
        Ok(())
    }

    /// Fails if a limit is exceeded that does not depend on the machine.
    fn check(&self, subscribers: u64) -> Result<()> {
        let (first, incremental, idle) = (&self.first, &self.incremental, &self.idle);
        let pages = LISTS * (subscribers / LISTS).div_ceil(100);
        let most_requests = (pages as f64 * 1.02) as u64 + 4 * LISTS + 3;
        // The refresh, the page of lists, and one for each list.
        let fewest_requests = 1 + 1 + LISTS;
        let claims = [
            (
                first.rows == Some(subscribers),
                "the first export exports every subscriber once",
            ),
            (
                incremental.rows == Some(NEW_EACH * LISTS),
                "an incremental run exports exactly the new subscribers",
            ),
            (idle.rows == Some(0), "an idle run exports nothing"),
            (
                first.requests <= Some(most_requests),
                "the first export stays within its request limit",
            ),
            (
                incremental.requests <= Some(fewest_requests),
                "an incremental run stays within its request limit",
            ),
            (
                idle.requests <= Some(fewest_requests),
                "an idle run stays within its request limit",
            ),
        ];
        if let Some((_, claim)) = claims.iter().find(|(holds, _)| !holds) {
            let measured = format!("{first:?} {incremental:?} {idle:?}");
            return Err(format!("{subscribers} subscribers: false: {claim}: {measured}").into());
        }
        for measured in [first, incremental, idle] {
            let peak = table::spread(measured, |cost| cost.peak as f64 / 1024.0 / 1024.0)[0];
            if peak > MOST_MEMORY_MIB {
                return Err(format!("{}: {peak:.1} MiB of memory", measured.what).into());
            }
        }
        Ok(())
    }
}

/// Measures one run and counts what it has added to the published files.
fn measure_run(server: &mut Server, program: &Program<'_>, measured: &mut Measured) -> Result<()> {
    let before = program.published()?;
    server.requests()?;
    let cost = measure::run(&mut program.command(&["run"]), 0)?;
    measured.costs.push(cost);
    let after = program.published()?;
    measured.requests = Some(server.requests()?);
    measured.rows = Some(after.0 - before.0);
    measured.bytes = Some(after.1 - before.1);
    Ok(())
}
