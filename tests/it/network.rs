//! All answers of the network: every fault at every endpoint, once, twice and permanently, as data in the tables of
//! [`statuses`], [`bodies`], [`inconsistent`], [`prefetch`] and [`connections`]. [`table`] defines a row, [`step`]
//! the requests of a run; [`driver`] checks the exit code, the message, the tokens spent, the hosts contacted, the
//! memory, and that the next run without the fault has exported all subscribers once.
//!
//! Each fault is tried in one step; with `TESTS=all`, as in CI, in every step in one variant (once, twice, permanently;
//! with a server that accepts a repeated refresh or not), and the variants alternate between steps. `NETWORK_CASES=all
//! cargo test --test it network` tries all variants in all steps; `NETWORK_ONLY=words` the cases whose names contain the
//! words.

mod bodies;
mod connections;
mod driver;
mod inconsistent;
mod prefetch;
mod statuses;
mod step;
mod table;

use table::run_all;

#[test]
fn every_status_has_its_exit_code_and_advice() {
    run_all(statuses::in_both_envelopes());
}

#[test]
fn every_gateway_status_has_its_exit_code_and_advice() {
    run_all(statuses::of_gateways());
}

#[test]
fn every_body_has_its_exit_code_and_advice() {
    run_all(bodies::table());
}

#[test]
fn every_token_answer_is_used_or_kept() {
    run_all(bodies::of_tokens());
}

#[test]
fn every_inconsistent_page_has_its_exit_code_and_advice() {
    run_all(inconsistent::table());
}

#[test]
fn every_fault_of_a_prefetched_page_has_its_exit_code_and_advice() {
    run_all(prefetch::table());
}

#[test]
fn every_broken_connection_has_its_exit_code_and_advice() {
    run_all(connections::broken());
}

#[test]
fn every_stalled_connection_times_out() {
    run_all(connections::stalled());
}
