//! A sandbox AWeber: a real HTTP server on loopback that behaves as AWeber's API and its OAuth 2 and OAuth 1.0a endpoints
//! do.
//!
//! It has state instead of scripted answers: an account, lists, subscribers, clients, tokens. Tests change that state
//! (`sandbox.with(|world| world.delete(list, id))`), run a client against the two URLs and inspect the state again.
//! It is written from the API reference, not from what a particular client sends. Where the reference leaves a
//! behaviour open, [`Settings`] has an option for each reading. It is test support and not shipped.
//!
//! ```
//! use aweber_sandbox::{Fault, FaultKind, NewSubscriber, Sandbox};
//!
//! let sandbox = Sandbox::start();
//! let tokens = sandbox.with(|world| {
//!     let list = world.add_list("Newsletter");
//!     world.add_subscriber(list, NewSubscriber::new("ann@example.com").name("Ann"));
//!     world.fault(Fault::on("/subscribers").times(2).answer(FaultKind::html(502)));
//!     world.before("ws.start=100", 1, move |world| world.remove_list(list));
//!     world.grant("public-client")
//! });
//! // Run a client against sandbox.api_url() and sandbox.auth_url() with these tokens, then:
//! sandbox.with(|world| {
//!     assert_eq!(world.count("/subscribers"), 0);
//!     assert!(world.is_live_refresh_token(&tokens.refresh_token));
//! });
//! ```

mod account;
mod answer;
mod api;
mod authorize;
mod body;
mod clock;
mod collection;
mod connection;
mod control;
mod eastern;
mod edge_cases;
mod faults;
mod fields;
mod find;
mod grants;
mod list;
mod new_subscriber;
mod oauth;
mod oauth1;
mod rate;
mod record;
mod request;
mod resources;
mod respond;
mod routes;
mod server;
mod settings;
mod signature;
mod subscriber;
mod subscriptions;
mod tokens;
mod world;

pub use account::{Account, AccountState};
pub use clock::Clock;
pub use faults::{Fault, FaultBuilder, FaultKind};
pub use list::{CustomField, List};
pub use new_subscriber::NewSubscriber;
pub use oauth1::{Consumer, SignedTokens};
pub use rate::RateLimit;
pub use record::{Authorization, Origin, Recorded};
pub use server::Sandbox;
pub use settings::{Envelope, LargerPage, Missing, Rotation, Settings, TimeForm, TotalSize};
pub use subscriber::{Resubscribe, Status, Subscriber};
pub use tokens::{Client, ClientKind, EXPORT_SCOPES, Tokens};
pub use world::World;
