//! N4 at scale: twenty runs started together, in many rounds.

use crate::support::interrupt::{HeldRun, KILLED, wait_until};
use crate::support::is_whole;
use crate::support::job::{Job, OutputKind};
use aweber_sandbox::{Fault, FaultKind};

const RUNS: usize = 20;

/// Rounds in which the other runs exit at once, and in a sample.
const ROUNDS: usize = 50;
const SAMPLE: usize = 10;

/// Rounds in which all runs wait for the lock.
const WAITING_ROUNDS: usize = 3;

fn start_runs(job: &Job, arguments: &[&str]) -> Vec<HeldRun> {
    (0..RUNS)
        .map(|_| job.site.start(job.site.command(arguments)))
        .collect()
}

/// In each round one run takes the lock and is held at its request for the lists; the others exit, `status` answers,
/// and the holder is killed: the next round must not find a stale lock.
#[test]
fn one_of_twenty_concurrent_runs_works_and_nineteen_exit() {
    let mut job = Job::new(OutputKind::Directory);
    job.add_subscribers(1);
    job.run_ok();
    let rounds = if is_whole() { ROUNDS } else { SAMPLE };
    for round in 0..rounds {
        job.add_subscribers(1);
        let files = job.site.files();
        job.site.forget_requests();
        job.site.sandbox.with(|world| {
            let never = FaultKind::Never { work_done: false };
            world.fault(Fault::on("/lists").answer(never));
        });
        let mut runs = start_runs(&job, &["run"]);
        wait_until("all but one run have exited", || {
            let left = runs
                .iter_mut()
                .map(|run| usize::from(run.is_running()))
                .sum::<usize>();
            let lists = job.site.sandbox.with(|world| world.count("/lists"));
            assert!(left > 0, "round {round}: no run is working");
            left == 1 && lists == 1
        });
        // One refresh and one request for the lists: the others made none.
        assert_eq!(job.site.requests(), 2, "round {round}");
        assert_eq!(job.site.files(), files, "round {round}");
        job.site.finish(job.site.command(&["status"])).exits(0);
        let working = runs.iter_mut().position(HeldRun::is_running).unwrap();
        job.site.kill(runs.swap_remove(working)).exits(KILLED);
        for run in runs {
            job.site.end(run).exits(75);
        }
        let done = job.run_ok();
        job.assert_exported_once(&format!("round {round}"), &done);
        assert!(job.site.token_is_live(), "round {round}");
    }
}

#[test]
fn twenty_waiting_runs_take_turns_and_spend_one_token_each() {
    let job = Job::new(OutputKind::Directory);
    for round in 0..WAITING_ROUNDS {
        job.add_subscribers(2);
        let before = job.site.tokens()["generation"].as_u64().unwrap();
        let mut last = None;
        for run in start_runs(&job, &["run", "--lock-wait", "60s"]) {
            let done = job.site.end(run);
            done.exits(0);
            last = Some(done);
        }
        job.assert_exported_once(&format!("round {round}"), &last.unwrap());
        let after = job.site.tokens()["generation"].as_u64().unwrap();
        assert_eq!(after - before, RUNS as u64);
        assert!(job.site.token_is_live());
    }
}
