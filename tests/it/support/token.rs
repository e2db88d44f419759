//! For tests about tokens: the files beside the token file, and observations at each request.

use super::Site;
use aweber_sandbox::World;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

impl Site {
    /// Adds a list with that many subscribers.
    pub(crate) fn add_list(&self, subscribers: usize) -> u64 {
        self.sandbox.with(|world| {
            let list = world.add_list("News");
            world.add_subscribers(list, subscribers);
            list
        })
    }

    /// A file beside the token file: `.next`, `.rescued`, …
    pub(crate) fn beside_token(&self, suffix: &str) -> PathBuf {
        self.path(&format!("state/token.json{suffix}"))
    }

    pub(crate) fn token_bytes(&self) -> Vec<u8> {
        std::fs::read(self.token_file()).unwrap()
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.sandbox.with(|world| world.token_requests().len())
    }

    pub(crate) fn api_requests(&self) -> usize {
        self.sandbox.with(|world| world.api_requests().len())
    }

    /// Calls `observe` for each request from now on, while AWeber handles it.
    pub(crate) fn at_each_request<T: Send + 'static>(
        &self,
        observe: impl Fn(&mut World) -> T + Send + Sync + 'static,
    ) -> Observed<T> {
        let (seen, observe) = (
            Observed(Arc::new(Mutex::new(Vec::new()))),
            Arc::new(observe),
        );
        for nth in 1..=MAX_REQUESTS {
            let (list, observe) = (seen.0.clone(), observe.clone());
            self.sandbox.with(|world| {
                world.before("http", nth, move |world| {
                    let what = observe(world);
                    list.lock().unwrap().push(what);
                });
            });
        }
        seen
    }

    /// Observes for each request whether the token file contains a live refresh token.
    pub(crate) fn watch_token_file(&self) -> Observed<bool> {
        let file = self.token_file();
        self.at_each_request(move |world| {
            let token = refresh_token_in(&file);
            token.is_some_and(|token| world.is_live_refresh_token(&token))
        })
    }
}

/// More than any of these tests makes.
const MAX_REQUESTS: u32 = 100;

/// The observations at each request.
pub(crate) struct Observed<T>(Arc<Mutex<Vec<T>>>);

impl<T> Observed<T> {
    /// All observations so far, in order; at least one.
    pub(crate) fn all(&self) -> Vec<T> {
        let seen = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(!seen.is_empty(), "no request was made");
        assert!(seen.len() < MAX_REQUESTS as usize, "raise MAX_REQUESTS");
        seen
    }
}

/// The refresh token in a token file, if valid; with OAuth 1.0a, the access token.
pub(crate) fn refresh_token_in(file: &Path) -> Option<String> {
    let content: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let lasting = match content.get("access_token_secret") {
        Some(_) => content.get("access_token"),
        None => content.get("refresh_token"),
    };
    Some(lasting?.as_str()?.to_owned())
}

/// Unix seconds.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// An address where nothing listens. A free port could become another test's sandbox.
pub(crate) fn unreachable_url() -> String {
    "http://127.0.0.1:1".to_owned()
}
