//! The state of the sandbox: account, lists, subscribers, tokens, recorded requests. Tests change it while it runs.

use chrono::{DateTime, Duration, Utc};

use crate::account::{Account, AccountState};
use crate::clock::Clock;
use crate::faults::{Fault, Injections};
use crate::list::List;
use crate::oauth1::OAuth1;
use crate::rate::RateMeter;
use crate::record::{Origin, Recorded};
use crate::settings::Settings;
use crate::tokens::{Client, ClientKind, TokenStore};

/// The state of the sandbox. Methods that take the id of a list or a subscriber panic if it does not exist, because that
/// is a mistake in the test. A clone can be put back later, as if nothing had happened since.
#[derive(Clone)]
pub struct World {
    /// How the sandbox behaves.
    pub settings: Settings,
    /// The account.
    pub account: Account,
    /// Additional accounts in `/accounts`, where AWeber documents exactly one.
    pub other_accounts: Vec<Account>,
    /// The state of the account.
    pub account_state: AccountState,
    /// All requests so far, oldest first.
    pub requests: Vec<Recorded>,
    pub(crate) tokens: TokenStore,
    pub(crate) oauth1: OAuth1,
    pub(crate) injections: Injections,
    pub(crate) rate: RateMeter,
    pub(crate) requests_so_far: u64,
    api_url: String,
    auth_url: String,
    pub(crate) lists: Vec<List>,
    pub(crate) next_list_id: u64,
    pub(crate) next_subscriber_id: u64,
    pub(crate) next_custom_field_id: u64,
    additions: u64,
}

impl World {
    pub(crate) fn new(settings: Settings, api_url: String, auth_url: String) -> World {
        let mut world = World {
            settings,
            account: Account::default(),
            other_accounts: Vec::new(),
            account_state: AccountState::Open,
            requests: Vec::new(),
            tokens: TokenStore::default(),
            oauth1: OAuth1::default(),
            injections: Injections::default(),
            rate: RateMeter::default(),
            requests_so_far: 0,
            api_url,
            auth_url,
            lists: Vec::new(),
            next_list_id: 6_000_001,
            next_subscriber_id: 50_000_001,
            next_custom_field_id: 101,
            additions: 0,
        };
        let redirect_uris = [
            "urn:ietf:wg:oauth:2.0:oob".to_owned(),
            "https://localhost".to_owned(),
        ];
        for (id, secret) in [
            ("public-client", None),
            ("confidential-client", Some("obviously-fake-sandbox-secret")),
        ] {
            world.tokens.add_client(Client {
                client_id: id.to_owned(),
                client_secret: secret.map(str::to_owned),
                kind: if secret.is_some() {
                    ClientKind::Confidential
                } else {
                    ClientKind::Public
                },
                redirect_uris: redirect_uris.to_vec(),
            });
        }
        world.add_consumer("oauth1-consumer", "obviously-fake-consumer-secret");
        world
    }

    /// The API origin.
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// The OAuth origin.
    pub fn auth_url(&self) -> &str {
        &self.auth_url
    }

    /// The current time of the sandbox's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.settings.clock.now()
    }

    /// Stops the clock at this time.
    pub fn set_now(&mut self, instant: DateTime<Utc>) {
        self.settings.clock = Clock::Fixed(instant);
    }

    /// The number of the next addition to any list.
    pub(crate) fn next_addition(&mut self) -> u64 {
        self.additions += 1;
        self.additions
    }

    /// The origin in links.
    pub(crate) fn link_origin(&self) -> String {
        if self.settings.relative_links {
            return String::new();
        }
        let origin = self
            .settings
            .link_origin
            .clone()
            .unwrap_or_else(|| self.api_url.clone());
        match (self.settings.old_http_links, origin.split_once("://")) {
            (true, Some(("https", rest))) => format!("http://{rest}"),
            (true, Some((_, rest))) => format!("https://{rest}"),
            _ => origin,
        }
    }
}

/// Recorded requests, faults and hooks.
impl World {
    /// The number of requests whose URL (origin, path and query) contains this text.
    pub fn count(&self, text: &str) -> usize {
        self.requests
            .iter()
            .filter(|request| self.url(request).contains(text))
            .count()
    }

    /// The requests to the API origin.
    pub fn api_requests(&self) -> Vec<&Recorded> {
        self.requests
            .iter()
            .filter(|request| request.origin == Origin::Api)
            .collect()
    }

    /// The token requests, to either origin, those of OAuth 1.0a included.
    pub fn token_requests(&self) -> Vec<&Recorded> {
        self.requests
            .iter()
            .filter(|request| {
                ["/oauth2/token", "/1.0/oauth/access_token"].contains(&request.path.as_str())
            })
            .collect()
    }

    /// Removes the recorded requests.
    pub fn clear_requests(&mut self) {
        self.requests.clear();
    }

    /// Adds a fault.
    pub fn fault(&mut self, fault: Fault) {
        self.injections.add_fault(fault);
    }

    /// Removes all remaining faults.
    pub fn clear_faults(&mut self) {
        self.injections.clear_faults();
    }

    /// Changes the world just before the nth request from now (1 is the next) whose URL contains the text is processed.
    pub fn before(
        &mut self,
        text: &str,
        nth: u32,
        change: impl FnOnce(&mut World) + Clone + Send + 'static,
    ) {
        self.injections.add_hook(text, nth, Box::new(change));
    }

    fn url(&self, request: &Recorded) -> String {
        format!(
            "{}{}",
            self.origin_url(request.origin),
            request.path_and_query
        )
    }

    pub(crate) fn origin_url(&self, origin: Origin) -> &str {
        match origin {
            Origin::Api => &self.api_url,
            Origin::Auth => &self.auth_url,
        }
    }

    /// The sandbox's current time minus a duration, in whole seconds.
    pub fn ago(&self, time: std::time::Duration) -> DateTime<Utc> {
        let instant = self.now() - Duration::from_std(time).expect("a duration that fits");
        DateTime::from_timestamp(instant.timestamp(), 0).expect("an instant of our time")
    }
}
