//! Plays a sequence of steps in the sandbox and in the model, with the real binary.

use crate::model::{Key, Kind, Model, Scope};
use crate::support::Site;
use crate::support::interrupt::KILLED;
use aweber_sandbox::{
    ClientKind, Clock, Fault, FaultKind, NewSubscriber, Resubscribe, Settings, Status, Subscriber,
    World,
};
use chrono::{DateTime, TimeDelta, Utc};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A change of the lists or a run. `which` subscriber: modulo the number of those that the change applies to.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Add(usize, u8),
    AddUnconfirmed(usize),
    Confirm(u8),
    Unsubscribe(u8),
    /// `true`: with a new `subscribed_at`.
    Resubscribe(u8, bool),
    /// To the other list; `true`: `subscribed_at` is kept.
    Move(u8, bool),
    Delete(u8),
    /// A subscriber with a `subscribed_at` so many days ago.
    Import(usize, u16),
    /// So many days pass.
    Days(u8),
    /// A late confirmation: an unconfirmed subscriber, a run, so many days, another subscriber, a run; then the first
    /// one confirms.
    Late(usize, u8),
    Run(Run),
    /// A full run that is stopped, a subscriber with a `subscribed_at` so many days ago, a full run.
    FullStopped {
        nth: u32,
        list: usize,
        days: u16,
    },
    /// A list is forgotten, from so many days ago on or completely.
    Forget(usize, Option<u8>),
    /// The second run has nothing to export.
    RunTwice,
}

/// A run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// A bit for each list.
    pub(crate) lists: u8,
    /// A list that is not wanted is excluded; otherwise the other one is named.
    pub(crate) by_exclusion: bool,
    pub(crate) full: bool,
    pub(crate) kinds: &'static [Kind],
    /// `--since` so many days ago.
    pub(crate) since: Option<u8>,
    pub(crate) disturbance: Disturbance,
}

/// Both kinds of events.
pub(crate) const BOTH: &[Kind] = &[Kind::Arrival, Kind::Departure];

/// Over all lists, undisturbed.
const PLAIN: Run = Run {
    lists: 0b11,
    by_exclusion: false,
    full: false,
    kinds: BOTH,
    since: None,
    disturbance: Disturbance::None,
};

/// As [`PLAIN`], with `--full`.
const FULL: Run = Run {
    full: true,
    ..PLAIN
};

/// What disturbs a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disturbance {
    None,
    /// Killed while it waits for the answer to its nth request.
    Killed {
        nth: u32,
        work_done: bool,
    },
    /// Told to stop while it waits for the answer to its nth request to the API.
    Stopped(u32),
    /// AWeber carries out the nth request, and the connection is reset before the answer.
    AnswerLost(u32),
    /// AWeber issues new tokens, and the connection is reset before the answer.
    RefreshLost,
    /// The access token expires before the nth request.
    TokenExpires(u32),
}

/// How a run ends that was told to stop.
const STOPPED: i32 = 128 + 15;

/// How long AWeber's confirmation link works.
const LINK: TimeDelta = TimeDelta::days(30);

/// Plays them on a new site, then a run and a full run over all lists.
pub(crate) fn play(steps: &[Step]) {
    let mut player = Player::new();
    for step in steps {
        player.pass(TimeDelta::minutes(7));
        player.step(step);
    }
    player.pass(TimeDelta::minutes(7));
    player.run(PLAIN);
    player.run(FULL);
}

struct Player {
    site: Site,
    lists: [u64; 2],
    now: DateTime<Utc>,
    model: Model,
    /// A kill or a lost answer may have lost the refresh token, the only excuse for exit code 77.
    token_at_risk: bool,
}

/// The event that a subscriber's state comes from.
fn key(list: u64, one: &Subscriber) -> Key {
    let (at, kind) = match (one.status, one.unsubscribed_at) {
        (Status::Unsubscribed, Some(left)) => (left, Kind::Departure),
        _ => (one.subscribed_at, Kind::Arrival),
    };
    let at = at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    (list, one.id, at, kind)
}

impl Player {
    fn new() -> Player {
        let now: DateTime<Utc> = "2026-03-10T11:58:00Z".parse().unwrap();
        let settings = Settings {
            clock: Clock::Fixed(now),
            ..Settings::default()
        };
        let site = Site::with(ClientKind::Public, settings);
        let lists = ["News", "Offers"].map(|name| site.list(name));
        Player {
            site,
            lists,
            now,
            model: Model::default(),
            token_at_risk: false,
        }
    }

    fn pass(&mut self, time: TimeDelta) {
        self.now += time;
        self.site.set_now(self.now);
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each kind of step")]
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Add(list, count) => (0..count).for_each(|_| self.add(list, Status::Subscribed)),
            Step::AddUnconfirmed(list) => self.add(list, Status::Unconfirmed),
            Step::Import(list, days) => {
                let then = self.now - TimeDelta::days(days.into());
                self.site.add(
                    self.lists[list],
                    NewSubscriber::new("imported@example.com").subscribed_at(then),
                );
            }
            Step::Confirm(which) => self.change(which, Status::Unconfirmed, |world, list, one| {
                world.confirm(list, one.id);
                let in_time = world.now() - one.subscribed_at < LINK;
                Vec::from_iter(in_time.then_some((list, one.id)))
            }),
            Step::Unsubscribe(which) => {
                self.change(which, Status::Subscribed, |world, list, one| {
                    world.unsubscribe(list, one.id);
                    vec![(list, one.id)]
                })
            }
            Step::Resubscribe(which, new_time) => {
                self.change(which, Status::Unsubscribed, |world, list, one| {
                    let how = if new_time {
                        Resubscribe::NewTime
                    } else {
                        Resubscribe::KeepTime
                    };
                    world.resubscribe(list, one.id, how);
                    Vec::from_iter(new_time.then_some((list, one.id)))
                })
            }
            Step::Move(which, keep_time) => {
                let lists = self.lists;
                self.change(which, Status::Subscribed, |world, list, one| {
                    let other = lists[usize::from(list == lists[0])];
                    let id = world.move_to(list, one.id, other, keep_time);
                    let mut events = vec![(list, one.id)];
                    events.extend((!keep_time).then_some((other, id)));
                    events
                });
            }
            Step::Delete(which) => self.change(which, Status::Subscribed, |world, list, one| {
                world.delete(list, one.id);
                Vec::new()
            }),
            Step::Days(days) => self.pass(TimeDelta::days(days.into())),
            Step::Late(list, days) => {
                for part in [
                    Step::AddUnconfirmed(list),
                    Step::Days(days),
                    Step::Add(list, 1),
                ] {
                    self.pass(TimeDelta::minutes(7));
                    self.step(&part);
                    if !matches!(part, Step::Days(_)) {
                        self.run(PLAIN);
                    }
                }
                // With few unconfirmed subscribers, one of these is the one added above.
                self.step(&Step::Confirm(u8::MAX));
                self.step(&Step::Confirm(0));
            }
            Step::Run(run) => self.run(run),
            Step::FullStopped { nth, list, days } => {
                self.run(Run {
                    disturbance: Disturbance::Stopped(nth),
                    ..FULL
                });
                self.step(&Step::Import(list, days));
                self.run(FULL);
            }
            Step::Forget(list, days) => self.forget(self.lists[list], days),
            Step::RunTwice => {
                self.run(PLAIN);
                let before = self.site.contents_of_exports();
                self.run(PLAIN);
                assert!(
                    self.site.contents_of_exports() == before,
                    "an idle run has changed a file"
                );
            }
        }
    }

    fn add(&mut self, list: usize, status: Status) {
        let list = self.lists[list];
        let new = NewSubscriber::new("subscriber@example.com")
            .status(status)
            .subscribed_at(self.now);
        let id = self.site.add(list, new);
        let key = self
            .site
            .sandbox
            .with(|world| key(list, world.subscriber(list, id).unwrap()));
        // The model only expects subscriptions that are confirmed.
        self.model.add(key);
    }

    /// Changes a subscriber with that status; `change` returns list and id of those to whom something happens by it.
    fn change(
        &mut self,
        which: u8,
        status: Status,
        change: impl FnOnce(&mut World, u64, &Subscriber) -> Vec<(u64, u64)>,
    ) {
        let lists = self.lists;
        let new = self.site.sandbox.with(|world| {
            let of = |list: u64| {
                world
                    .subscribers(list)
                    .map(move |one| (list, one.clone()))
                    .collect::<Vec<_>>()
            };
            let mut all: Vec<_> = lists.into_iter().flat_map(of).collect();
            all.retain(|(_, one)| one.status == status);
            if all.is_empty() {
                return Vec::new();
            }
            let (list, one) = &all[usize::from(which) % all.len()];
            let changed = change(world, *list, one).into_iter();
            let keys = changed.map(|(list, id)| key(list, world.subscriber(list, id).unwrap()));
            keys.collect()
        });
        for key in new {
            self.model.add(key);
        }
    }

    /// What is true now and may be exported.
    fn present(&self) -> BTreeSet<Key> {
        self.site.sandbox.with(|world| {
            let of = |list: u64| world.subscribers(list).map(move |one| (list, one));
            let all = self.lists.into_iter().flat_map(of);
            let present = all.filter(|(_, one)| one.status != Status::Unconfirmed);
            present.map(|(list, one)| key(list, one)).collect()
        })
    }

    fn run(&mut self, run: Run) {
        let is_chosen = |bit: &usize| run.lists >> bit & 1 == 1;
        let (chosen, others): (Vec<usize>, Vec<usize>) = (0..2).partition(is_chosen);
        let ids = |bits: &[usize]| {
            bits.iter()
                .map(|bit| self.lists[*bit])
                .collect::<Vec<u64>>()
        };
        let (chosen, others) = (ids(&chosen), ids(&others));
        let since = run.since.map(|days| self.days_ago(days));
        let mut arguments = vec!["run".to_owned()];
        match run.by_exclusion {
            true => arguments.extend(others.iter().map(|list| format!("--exclude-list={list}"))),
            false if others.is_empty() => {}
            false => arguments.extend(chosen.iter().map(|list| format!("--list={list}"))),
        }
        let statuses = run.kinds.iter().map(|kind| match kind {
            Kind::Arrival => "subscribed",
            Kind::Departure => "unsubscribed",
        });
        arguments.push(format!(
            "--status={}",
            statuses.collect::<Vec<_>>().join(",")
        ));
        arguments.extend(run.full.then(|| "--full".to_owned()));
        arguments.extend(since.iter().map(|day| format!("--since={day}")));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let present = self.present();
        let scope = Scope {
            lists: &chosen,
            kinds: run.kinds,
        };
        self.model.start_run(scope, since.as_deref(), &present);
        self.order_faults(run.disturbance);
        let code = match run.disturbance {
            Disturbance::Killed { .. } => self.run_and_signal(&arguments, Signal::KILL),
            Disturbance::Stopped(_) => self.run_and_signal(&arguments, Signal::TERM),
            _ => self.site.finish(self.site.command(&arguments)).code,
        };
        self.site.sandbox.with(World::clear_faults);
        self.model.check_published(self.site.keys());
        match code {
            0 => self.model.check_complete(scope, run.full, &present),
            KILLED | STOPPED => {}
            77 if self.token_at_risk => {
                self.token_at_risk = false;
                self.site.authorize_anew();
                self.run(Run {
                    disturbance: Disturbance::None,
                    ..run
                });
            }
            code => panic!("a run ended with {code}"),
        }
    }

    fn forget(&mut self, list: u64, days: Option<u8>) {
        let since = days.map(|days| self.days_ago(days));
        let mut arguments = vec!["forget".to_owned(), format!("--list={list}")];
        arguments.extend(since.iter().map(|day| format!("--since={day}")));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match self.site.finish(self.site.command(&arguments)).code {
            0 => self.model.forget(list, since.as_deref()),
            // A stopped run left a batch, or no run has exported the list.
            75 | 78 => {}
            77 if self.token_at_risk => {
                self.token_at_risk = false;
                self.site.authorize_anew();
            }
            code => panic!("forget ended with {code}"),
        }
    }

    fn days_ago(&self, days: u8) -> String {
        let then = self.now - TimeDelta::days(days.into());
        then.format("%Y-%m-%d").to_string()
    }

    fn order_faults(&mut self, disturbance: Disturbance) {
        self.token_at_risk |= matches!(
            disturbance,
            Disturbance::Killed {
                work_done: true,
                ..
            } | Disturbance::RefreshLost
                | Disturbance::AnswerLost(_)
        );
        self.site.sandbox.with(|world| match disturbance {
            Disturbance::None => {}
            Disturbance::Killed { nth, work_done } => {
                world.fault(
                    Fault::on("http")
                        .skip(nth - 1)
                        .answer(FaultKind::Never { work_done }),
                );
            }
            Disturbance::Stopped(nth) => {
                let never = FaultKind::Never { work_done: false };
                world.fault(Fault::on("/1.0/").skip(nth - 1).answer(never));
            }
            Disturbance::AnswerLost(nth) => {
                world.fault(
                    Fault::on("http")
                        .skip(nth - 1)
                        .times(1)
                        .answer(FaultKind::ResetAfter),
                );
            }
            Disturbance::RefreshLost => {
                world.fault(
                    Fault::on("/oauth2/token")
                        .times(1)
                        .answer(FaultKind::ResetAfter),
                );
            }
            Disturbance::TokenExpires(nth) => {
                world.before("http", nth, World::expire_access_tokens)
            }
        });
    }

    /// A run that gets a signal while it waits for the answer that never comes; it may end before that request.
    fn run_and_signal(&self, arguments: &[&str], signal: Signal) -> i32 {
        let mut held = self.site.start(self.site.command(arguments));
        let end = Instant::now() + Duration::from_secs(4);
        while held.is_running() && !self.site.is_unanswered() {
            assert!(Instant::now() < end, "the run neither ended nor waited");
            std::thread::sleep(Duration::from_millis(1));
        }
        if held.is_running() {
            self.site.stop(held, signal).0.code
        } else {
            self.site.end(held).code
        }
    }
}

impl Site {
    /// Whether the latest request is one that is never answered.
    fn is_unanswered(&self) -> bool {
        self.sandbox.with(|world| {
            world
                .requests
                .last()
                .is_some_and(|last| last.fault && last.status.is_none())
        })
    }

    /// The events published so far, repeats kept.
    fn keys(&self) -> Vec<Key> {
        let number = |text: &String| text.parse().unwrap();
        let rows = self.rows();
        rows.iter()
            .map(|row| {
                let (time, kind) = match row["status"].as_str() {
                    "unsubscribed" => ("unsubscribed_at", Kind::Departure),
                    _ => ("subscribed_at", Kind::Arrival),
                };
                let (list, id) = (number(&row["list_id"]), number(&row["id"]));
                (list, id, row[time].clone(), kind)
            })
            .collect()
    }

    fn contents_of_exports(&self) -> Vec<Vec<u8>> {
        self.files()
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect()
    }
}
