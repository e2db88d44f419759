//! The sandbox seen from outside: over the wire, by a client that knows nothing of its code.

mod auth;
mod authorize;
mod connections;
mod control;
mod faults;
mod fields;
mod finds;
mod http;
mod oauth;
mod pages;
mod rate;
mod refresh;
mod speed;
