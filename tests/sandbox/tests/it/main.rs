//! Tests of the sandbox over HTTP, with a client that shares no code with it.

mod assumptions;
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
