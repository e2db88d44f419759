//! The requests that a run makes, and the worlds in which it makes them.

use crate::support::Site;
use crate::support::calendar::{add_readers, at, reader, sign_up};
use crate::support::token::{refresh_token_in, unix_now};
use aweber_sandbox::{ClientKind, Clock, Fault, FaultBuilder, Rotation, Settings, World};
use chrono::TimeDelta;
use std::time::Duration;

use super::table::TokenPolicy;

/// A request that a run makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The refresh on start.
    Refresh,
    /// The refresh after a 401 in the middle of a list.
    RefreshAgain,
    /// `/1.0/accounts`: whose tokens these are.
    Account,
    /// The first page of the account's lists.
    Lists,
    /// The second page of 101 lists.
    LaterLists,
    /// Of a first export: the unconfirmed.
    Unconfirmed,
    /// Of a first export: the pages of those subscribed, three of them.
    FirstPage,
    MiddlePage,
    LastPage,
    /// The same, on a way so long that they are asked for ahead of the answer before.
    MiddleAhead,
    LastAhead,
    /// Of a first export: how many there are.
    Count,
    /// Of a later run: everybody since the last one.
    Recent,
    /// Of a later run: who is still unconfirmed.
    StillUnconfirmed,
    /// Of a later run: one who no longer is.
    One,
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
];
/// Everything but tokens.
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
];
/// Everything.
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
];

/// On the first list: three pages, each beginning with the last row of the one before.
const NEWS: i32 = 205;
const OFFERS: i32 = 3;

/// How long an answer takes on a way that is worth asking ahead.
pub(super) const SLOW_ANSWER: Duration = Duration::from_millis(700);

/// The account's other number, should it be switched.
pub(super) const ANOTHER_ACCOUNT: u64 = 7_654_321;

/// A sandbox in which a run makes the request.
pub(super) struct Scenario {
    pub(super) site: Site,
    pub(super) news: u64,
    pub(super) offers: u64,
    /// Unconfirmed, and confirmed by the time of a later run.
    pub(super) early: u64,
    /// Unconfirmed until after the run that meets the fault.
    pub(super) late: u64,
    account: u64,
}

impl Scenario {
    /// The world for that place.
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
            // By the local clock, the only one there is before the first answer.
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
            Recent | StillUnconfirmed | One => {
                site.run_ok(&[]);
                let later = at("2026-03-13T12:00:00Z");
                site.set_now(later);
                for list in [self.news, self.offers] {
                    site.add(list, reader(&format!("new{list}@example.com"), later));
                }
                site.sandbox.with(|w| w.confirm(self.news, self.early));
            }
            MiddleAhead | LastAhead => site.sandbox.with(|w| w.settings.latency = SLOW_ANSWER),
            _ => {}
        }
    }

    /// The arguments of the run.
    pub(super) fn arguments(&self, step: Step) -> Vec<String> {
        match step {
            // The 99 others are only there to make two pages.
            LaterLists => vec![
                "run".to_owned(),
                format!("--list={}", self.news),
                format!("--list={}", self.offers),
            ],
            _ => vec!["run".to_owned()],
        }
    }

    /// The request in that place: the text that only its address holds, and how many others hold it before.
    fn address(&self, step: Step) -> (String, u32) {
        let people = format!("/lists/{}/subscribers", self.news);
        let find = |rest: &str| (format!("{people}?{FIND_QUERY}&{rest}"), 0);
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
        }
    }

    /// A fault there.
    pub(super) fn fault(&self, step: Step) -> FaultBuilder {
        let (text, skip) = self.address(step);
        match step {
            Account => Fault::on_path(text),
            _ => Fault::on(text).skip(skip),
        }
    }

    /// A change of the world just before that request.
    pub(super) fn change(&self, step: Step, change: fn(&mut World)) {
        let (text, skip) = self.address(step);
        self.site
            .sandbox
            .with(|w| w.before(&text, skip + 1, change));
    }

    /// The network is well again, and whoever has not confirmed so far does so now.
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

    /// Whether the refresh token on disk is one that AWeber accepts.
    pub(super) fn token_is_live(&self) -> bool {
        let token = refresh_token_in(&self.site.token_file());
        token.is_some_and(|token| self.site.sandbox.with(|w| w.is_live_refresh_token(&token)))
    }
}

/// How every find begins.
const FIND_QUERY: &str = "ws.op=find&sort_key=subscribed_at&sort_order=asc";

impl Step {
    /// Whether it concerns the first list alone.
    pub(super) fn is_of_one_list(self) -> bool {
        !matches!(self, Refresh | RefreshAgain | Account | Lists | LaterLists)
    }

    /// Whether it is the token endpoint.
    pub(super) fn is_refresh(self) -> bool {
        matches!(self, Refresh | RefreshAgain)
    }

    /// The endpoint: what is asked for there in the same way in several places.
    pub(super) fn endpoint(self) -> usize {
        let same: [&[Step]; 7] = [TOKEN, ACCOUNT, LISTS, PAGES, AHEAD, COUNT, ONE];
        same.iter().position(|same| same.contains(&self)).unwrap()
    }

    /// Whether the server takes its time.
    pub(super) fn is_slow(self) -> bool {
        AHEAD.contains(&self)
    }

    /// Whether the access token is dead by then.
    pub(super) fn refreshed_because_refused(self) -> bool {
        self == RefreshAgain
    }

    /// Whether tokens are refreshed once more in an undisturbed run.
    pub(super) fn refreshes(self) -> usize {
        1 + usize::from(self == RefreshAgain)
    }
}
