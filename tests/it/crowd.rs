//! N4 in numbers: twenty runs started together, round after round.

use crate::support::killing::{Held, KILLED, wait_until};
use crate::support::story::{Outlet, Story};
use aweber_sandbox::{Fault, FaultKind};

/// How many are started together.
const CROWD: usize = 20;

/// How many rounds of those that leave at once.
const ROUNDS: usize = 50;

/// How many rounds of those that wait for their turn.
const QUEUES: usize = 3;

fn together(story: &Story, arguments: &[&str]) -> Vec<Held> {
    (0..CROWD)
        .map(|_| story.site.start(story.site.command(arguments)))
        .collect()
}

/// Each round one run takes the lock and is held at its request for the lists; the others leave, `status` answers, and
/// the holder is killed: no stale lock may meet the next round.
#[test]
fn of_twenty_runs_started_together_one_works_and_nineteen_leave_fifty_times() {
    let mut story = Story::new(Outlet::Directory);
    story.more(1);
    story.run_ok();
    for round in 0..ROUNDS {
        story.more(1);
        let files = story.site.files();
        story.site.forget_requests();
        story.site.sandbox.with(|world| {
            let never = FaultKind::Never { work_done: false };
            world.fault(Fault::on("/lists").answer(never));
        });
        let mut runs = together(&story, &["run"]);
        wait_until("all but one have left and that one is at work", || {
            let left = runs
                .iter_mut()
                .map(|run| usize::from(run.is_running()))
                .sum::<usize>();
            let lists = story.site.sandbox.with(|world| world.count("/lists"));
            assert!(left > 0, "round {round}: nobody works");
            left == 1 && lists == 1
        });
        // A refresh and the lists: the others asked nothing.
        assert_eq!(story.site.requests(), 2, "round {round}");
        assert_eq!(story.site.files(), files, "round {round}");
        story.site.finish(story.site.command(&["status"])).exits(0);
        let working = runs.iter_mut().position(Held::is_running).unwrap();
        story.site.kill(runs.swap_remove(working)).exits(KILLED);
        for run in runs {
            story.site.end(run).exits(75);
        }
        let done = story.run_ok();
        story.assert_everybody_once(&format!("round {round}"), &done);
        assert!(story.site.token_is_live(), "round {round}");
    }
}

#[test]
fn twenty_runs_that_wait_take_turns_and_spend_one_token_each() {
    let story = Story::new(Outlet::Directory);
    for round in 0..QUEUES {
        story.more(2);
        let before = story.site.tokens()["generation"].as_u64().unwrap();
        let mut last = None;
        for run in together(&story, &["run", "--lock-wait", "60s"]) {
            let done = story.site.end(run);
            done.exits(0);
            last = Some(done);
        }
        story.assert_everybody_once(&format!("round {round}"), &last.unwrap());
        let after = story.site.tokens()["generation"].as_u64().unwrap();
        assert_eq!(after - before, CROWD as u64);
        assert!(story.site.token_is_live());
    }
}
