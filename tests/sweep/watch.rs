//! What must be true of refresh tokens after each command, whatever the server does with old ones:
//!
//! - of each authorization the newest token that AWeber accepts is on disk, unless its answer was under way when the
//!   command was killed, or the job has tokens of a later authorization in force;
//! - a token is not sent once the answer with a newer one has been received.

use crate::setup::CREDENTIALS;
use crate::support::Site;
use crate::tokens::{current_token, is_on_disk, stored_tokens, works};
use crate::trace::Trace;
use aweber_sandbox::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long AWeber may take for a request whose sender was killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of a site's tokens.
#[derive(Clone)]
pub(crate) struct Watch {
    /// Issued before the disturbed command.
    before: BTreeSet<String>,
    /// How many token requests there were before it.
    requests_before: usize,
    /// Tokens that were found on disk, with the number of the last request by then.
    received: Vec<(u64, String)>,
    /// Tokens whose answer was under way when the command was killed.
    excused: BTreeSet<String>,
}

impl Watch {
    /// Begins before the disturbed command.
    pub(crate) fn begin(site: &Site) -> Watch {
        let (before, requests_before) = site.sandbox.with(|world| {
            let all = world.refresh_tokens_by_grant().concat();
            (all.into_iter().collect(), world.token_requests().len())
        });
        let mut watch = Watch {
            before,
            requests_before,
            received: Vec::new(),
            excused: BTreeSet::new(),
        };
        watch.note(site);
        watch
    }

    /// Excuses the token for which the disturbed command was waiting when it was killed.
    pub(crate) fn excuse(&mut self, site: &Site, trace: &Trace) {
        let wanted = self.requests_before + trace.token_requests();
        let is_settled = |world: &mut World| {
            let requests = world.token_requests();
            requests.len() >= wanted && requests.iter().all(|request| request.status.is_some())
        };
        let settled = site.sandbox.wait_until(PATIENCE, is_settled);
        assert!(settled, "AWeber has not worked on the token requests");
        let grants = site.sandbox.with(|world| world.refresh_tokens_by_grant());
        let newest = grants.into_iter().filter_map(|mut grant| grant.pop());
        let unseen =
            newest.filter(|token| !self.before.contains(token) && !is_on_disk(site, token));
        self.excused.extend(unseen);
    }

    /// Checks both rules after a command.
    pub(crate) fn check(&mut self, site: &Site) -> Result<(), String> {
        self.note(site);
        self.check_kept(site)?;
        self.check_order(site)
    }

    /// The tokens that AWeber still accepts, and that neither an excuse nor the other program explains.
    pub(crate) fn not_revoked(&self, site: &Site) -> Vec<String> {
        let mut live = site.sandbox.with(|world| world.live_refresh_tokens());
        let others = token_of_other_program(site);
        let is_held = |token: &String| self.received.iter().any(|(_, held)| held == token);
        live.retain(|token| is_held(token) || (Some(token) != others.as_ref()));
        live.retain(|token| !self.excused.contains(token));
        live
    }

    fn note(&mut self, site: &Site) {
        let last = site.sandbox.with(|world| last_number(world));
        let stored = stored_tokens(site);
        self.received
            .extend(stored.into_iter().map(|token| (last, token)));
    }

    fn check_kept(&self, site: &Site) -> Result<(), String> {
        let others = token_of_other_program(site);
        let current = current_token(site);
        let grants = site.sandbox.with(|world| world.refresh_tokens_by_grant());
        let in_force = current.and_then(|token| {
            let is_in = |grant: &Vec<String>| grant.contains(&token);
            grants.iter().position(is_in)
        });
        // Another authorization has replaced those before it.
        for grant in grants.iter().skip(in_force.unwrap_or(0)) {
            let is_kept =
                |token: &String| others.as_ref() == Some(token) || is_on_disk(site, token);
            let mut live = grant.iter().filter(|token| works(site, token)).rev();
            let newest = live.next();
            let is_excused = newest.is_some_and(|token| self.excused.contains(token));
            let needed = if is_excused { live.next() } else { newest };
            if needed.is_some_and(|token| !is_kept(token)) {
                return Err(
                    "the newest refresh token that AWeber accepts is not on disk".to_owned(),
                );
            }
        }
        Ok(())
    }

    fn check_order(&self, site: &Site) -> Result<(), String> {
        site.sandbox.with(|world| {
            let places = Places::of(world);
            let mut held: BTreeMap<usize, usize> = BTreeMap::new();
            let hold = |held: &mut BTreeMap<usize, usize>, token: &str| {
                if let Some((grant, nth)) = places.place(token) {
                    let newest = held.entry(grant).or_default();
                    *newest = nth.max(*newest);
                }
            };
            let mut received = self.received.iter().peekable();
            for request in &world.requests {
                while let Some((_, token)) = received.next_if(|(last, _)| *last < request.number) {
                    hold(&mut held, token);
                }
                let with = request.access_token();
                if let Some(token) = with.and_then(|access| world.refresh_token_with(access)) {
                    hold(&mut held, &token);
                }
                let Some(sent) = request.field("refresh_token") else {
                    continue;
                };
                let Some((grant, nth)) = places.place(sent) else {
                    continue;
                };
                if held.get(&grant).is_some_and(|newest| nth < *newest) {
                    return Err(format!(
                        "request {} sends a refresh token although a newer one had been received",
                        request.number
                    ));
                }
                hold(&mut held, sent);
            }
            Ok(())
        })
    }
}

/// Of which authorization each token is, and which one of it.
struct Places(BTreeMap<String, (usize, usize)>);

impl Places {
    fn of(world: &World) -> Places {
        let mut places = BTreeMap::new();
        for (grant, tokens) in world.refresh_tokens_by_grant().into_iter().enumerate() {
            for (nth, token) in tokens.into_iter().enumerate() {
                places.insert(token, (grant, nth));
            }
        }
        Places(places)
    }

    fn place(&self, token: &str) -> Option<(usize, usize)> {
        self.0.get(token).copied()
    }
}

fn last_number(world: &World) -> u64 {
    world.requests.last().map_or(0, |request| request.number)
}

/// The refresh token in the credentials file that the user imports.
pub(crate) fn token_of_other_program(site: &Site) -> Option<String> {
    let content = std::fs::read(site.path(CREDENTIALS)).ok()?;
    let content: Value = serde_json::from_slice(&content).ok()?;
    Some(content["token"]["refresh_token"].as_str()?.to_owned())
}
