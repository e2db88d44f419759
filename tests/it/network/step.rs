//! The requests of a run, and the worlds in which it makes them.

use crate::support::Site;
use crate::support::calendar::{add_readers, at, reader, sign_up};
use crate::support::token::{refresh_token_in, unix_now};
use aweber_sandbox::{ClientKind, Clock, Fault, FaultBuilder, Rotation, Settings, World};
use chrono::TimeDelta;
use std::time::Duration;

use super::table::TokenPolicy;

/// A request of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Refresh,
    RefreshAgain,
    /// `/1.0/accounts`: the account of the tokens.
    Account,
    Lists,
    /// The second page of 101 lists.
    LaterLists,
    /// First export: the unconfirmed subscribers.
    Unconfirmed,
    /// First export: the three pages of subscribed readers.
    FirstPage,
    MiddlePage,
    LastPage,
    /// The same with answers so slow that pages are prefetched.
    MiddleAhead,
    LastAhead,
    /// First export: the number of subscribed readers.
    Count,
    /// Later run: subscribers since the last run.
    Recent,
    /// Later run: those still unconfirmed.
    StillUnconfirmed,
    /// Later run: one that is no longer unconfirmed.
    One,
    /// First export of unsubscriptions.
    Left,
    /// Later run: unsubscriptions since the last run.
    RecentlyLeft,
}

use Step::*;

pub(super) const TOKEN: &[Step] = &[Refresh, RefreshAgain];
pub(super) const ACCOUNT: &[Step] = &[Account];
pub(super) const LISTS: &[Step] = &[Lists, LaterLists];
pub(super) const PAGES: &[Step] = &[
    Unconfirmed,
    FirstPage,
    MiddlePage,
    LastPage,
    Recent,
    StillUnconfirmed,
    Left,
    RecentlyLeft,
];
pub(super) const AHEAD: &[Step] = &[MiddleAhead, LastAhead];
pub(super) const COUNT: &[Step] = &[Count];
pub(super) const ONE: &[Step] = &[One];
/// Collections.
pub(super) const PAGED: &[Step] = &[
    Account,
    Lists,
    LaterLists,
    Unconfirmed,
    FirstPage,
    MiddlePage,
    LastPage,
    Recent,
    StillUnconfirmed,
    Left,
    RecentlyLeft,
];
/// Everything except tokens.
pub(super) const API: &[Step] = &[
    Account,
    Lists,
    LaterLists,
    Unconfirmed,
    FirstPage,
    MiddlePage,
    LastPage,
    Count,
    Recent,
    StillUnconfirmed,
    One,
    Left,
    RecentlyLeft,
];
pub(super) const ALL: &[Step] = &[
    Refresh,
    RefreshAgain,
    Account,
    Lists,
    LaterLists,
    Unconfirmed,
    FirstPage,
    MiddlePage,
    LastPage,
    Count,
    Recent,
    StillUnconfirmed,
    One,
    Left,
    RecentlyLeft,
];

/// On the first list: three pages, each starting with the last row of the previous one.
const NEWS: i32 = 205;
const OFFERS: i32 = 3;

/// A latency at which pages are prefetched.
pub(super) const SLOW_ANSWER: Duration = Duration::from_millis(700);

/// The account id after a switch.
pub(super) const ANOTHER_ACCOUNT: u64 = 7_654_321;

/// A sandbox in which a run makes the request.
pub(super) struct Scenario {
    pub(super) site: Site,
    pub(super) news: u64,
    pub(super) offers: u64,
    /// Unconfirmed at first, confirmed before a later run.
    pub(super) early: u64,
    /// Unconfirmed until after the run with the fault.
    pub(super) late: u64,
    account: u64,
}

impl Scenario {
    /// The world for this step.
    pub(super) fn new(step: Step, policy: TokenPolicy) -> Scenario {
        let noon = at("2026-03-10T12:00:00Z");
        let settings = Settings {
            clock: Clock::Fixed(noon),
            rotation: match policy {
                TokenPolicy::KeepsBoth => Rotation::Tolerated,
                TokenPolicy::KeepsAccess | TokenPolicy::RevokesBoth => Rotation::DeadAtOnce,
            },
            refresh_kills_access: policy == TokenPolicy::RevokesBoth,
            rate_limit: None,
            ..Settings::default()
        };
        let site = Site::in_memory(ClientKind::Public, settings);
        site.authorize_anew();
        if policy == TokenPolicy::KeepsAccess {
            // Before the first answer only the local clock is known.
            let mut file = site.tokens();
            file["expires_at"] = (unix_now() + 7000).into();
            site.write_token_file(&file);
        }
        let (news, offers) = (site.list("News"), site.list("Offers"));
        let sign_ups = noon - TimeDelta::days(5);
        let early = site.add(news, sign_up("early@example.com", sign_ups));
        let late = site.add(news, sign_up("late@example.com", sign_ups));
        site.sandbox.with(|w| {
            add_readers(w, news, NEWS, noon, TimeDelta::hours(1));
            add_readers(w, offers, OFFERS, noon, TimeDelta::hours(1));
        });
        for name in ["left1", "left2", "left3"] {
            let gone = reader(&format!("{name}@example.com"), noon - TimeDelta::days(300));
            site.add(news, gone.unsubscribed_at(noon, "customer cp"));
        }
        let account = site.sandbox.with(|w| w.account.id);
        let scenario = Scenario {
            site,
            news,
            offers,
            early,
            late,
            account,
        };
        scenario.prepare(step);
        scenario.site.forget_requests();
        scenario
    }

    fn prepare(&self, step: Step) {
        let site = &self.site;
        match step {
            Account => {
                let mut file = site.tokens();
                file.as_object_mut().unwrap().remove("account_id").unwrap();
                site.write_token_file(&file);
            }
            RefreshAgain => site.sandbox.with(|w| {
                let page = format!("{}/subscribers?{FIND_QUERY}&status=subscribed", self.news);
                w.before(&page, 2, World::expire_access_tokens);
            }),
            LaterLists => site.sandbox.with(|w| {
                for i in 2..101 {
                    w.add_list(&format!("List {i}"));
                }
            }),
            Recent | StillUnconfirmed | One | RecentlyLeft => {
                let arguments = self.arguments(step);
                site.run_ok(
                    &arguments[1..]
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>(),
                );
                let later = at("2026-03-13T12:00:00Z");
                site.set_now(later);
                for list in [self.news, self.offers] {
                    site.add(list, reader(&format!("new{list}@example.com"), later));
                }
                site.sandbox.with(|w| w.confirm(self.news, self.early));
                let long_ago = later - TimeDelta::days(300);
                let gone = reader("left4@example.com", long_ago);
                site.add(self.news, gone.unsubscribed_at(later, "unsubscribe link"));
            }
            MiddleAhead | LastAhead => site.sandbox.with(|w| w.settings.latency = SLOW_ANSWER),
            _ => {}
        }
    }

    pub(super) fn arguments(&self, step: Step) -> Vec<String> {
        match step {
            // The 99 other lists only make the second page.
            LaterLists => vec![
                "run".to_owned(),
                format!("--list={}", self.news),
                format!("--list={}", self.offers),
            ],
            Left | RecentlyLeft => ["run", "--status", "subscribed,unsubscribed"]
                .map(str::to_owned)
                .into(),
            _ => vec!["run".to_owned()],
        }
    }

    /// The request of this step: a text in its address, and how many earlier requests also contain it.
    fn address(&self, step: Step) -> (String, u32) {
        let people = format!("/lists/{}/subscribers", self.news);
        let find = |rest: &str| (format!("{people}?{FIND_QUERY}&{rest}"), 0);
        let left = |rest: &str| (format!("{people}?{FIND_LEFT}&{rest}"), 0);
        match step {
            Refresh => ("/oauth2/token".to_owned(), 0),
            RefreshAgain => ("/oauth2/token".to_owned(), 1),
            Account => ("/1.0/accounts".to_owned(), 0),
            Lists => ("/lists?ws.start=0&".to_owned(), 0),
            LaterLists => ("/lists?ws.start=99&".to_owned(), 0),
            Unconfirmed => find("status=unconfirmed&subscribed_after=2026-02-05&ws.start="),
            StillUnconfirmed => find("status=unconfirmed&subscribed_after=2026-03-03&ws.start="),
            FirstPage => find("status=subscribed&ws.start=0&"),
            MiddlePage | MiddleAhead => find("status=subscribed&ws.start=99&"),
            LastPage | LastAhead => find("status=subscribed&ws.start=198&"),
            Count => find("status=subscribed&ws.show=total_size"),
            Recent => find("subscribed_after=2026-03-08&ws.start="),
            One => (format!("{people}/{}", self.early), 0),
            Left => left("status=unsubscribed&ws.start="),
            RecentlyLeft => left("status=unsubscribed&unsubscribed_after=2026-03-08&ws.start="),
        }
    }

    pub(super) fn fault(&self, step: Step) -> FaultBuilder {
        let (text, skip) = self.address(step);
        match step {
            Account => Fault::on_path(text),
            _ => Fault::on(text).skip(skip),
        }
    }

    /// Changes the world just before that request.
    pub(super) fn change(&self, step: Step, change: fn(&mut World)) {
        let (text, skip) = self.address(step);
        self.site
            .sandbox
            .with(|w| w.before(&text, skip + 1, change));
    }

    /// Removes all faults and confirms the remaining sign-ups.
    pub(super) fn recover(&self) {
        self.site.sandbox.with(|w| {
            w.clear_faults();
            w.settings.latency = Duration::ZERO;
            w.account.id = self.account;
            if w.list(self.news).is_some() {
                w.confirm(self.news, self.late);
                w.confirm(self.news, self.early);
            }
        });
        self.site.forget_requests();
    }

    /// Whether AWeber accepts the refresh token on disk.
    pub(super) fn token_is_live(&self) -> bool {
        let token = refresh_token_in(&self.site.token_file());
        token.is_some_and(|token| self.site.sandbox.with(|w| w.is_live_refresh_token(&token)))
    }
}

/// The start of every other find query.
const FIND_QUERY: &str = "ws.op=find&sort_key=subscribed_at&sort_order=asc";

/// The start of every find query for unsubscriptions.
const FIND_LEFT: &str = "ws.op=find&sort_key=unsubscribed_at&sort_order=asc";

impl Step {
    /// Whether unsubscriptions are exported too.
    pub(super) fn wants_departures(self) -> bool {
        matches!(self, Left | RecentlyLeft)
    }

    /// Whether it concerns only the first list.
    pub(super) fn is_of_one_list(self) -> bool {
        !matches!(self, Refresh | RefreshAgain | Account | Lists | LaterLists)
    }

    pub(super) fn is_refresh(self) -> bool {
        matches!(self, Refresh | RefreshAgain)
    }

    /// The endpoint; several steps may share one.
    pub(super) fn endpoint(self) -> usize {
        let same: [&[Step]; 7] = [TOKEN, ACCOUNT, LISTS, PAGES, AHEAD, COUNT, ONE];
        same.iter().position(|same| same.contains(&self)).unwrap()
    }

    pub(super) fn is_slow(self) -> bool {
        AHEAD.contains(&self)
    }

    /// Whether the access token has expired by then.
    pub(super) fn refreshed_because_refused(self) -> bool {
        self == RefreshAgain
    }

    /// The number of refreshes in a run without faults.
    pub(super) fn refreshes(self) -> usize {
        1 + usize::from(self == RefreshAgain)
    }
}
