//! Any answer of the network: every endpoint times every fault, once, twice and for ever, as data in the tables of
//! [`statuses`], [`bodies`], [`lies`] and [`stalls`]. [`table`] says what a row means, [`place`] which requests there
//! are, [`trial`] what is looked at: the exit code, the message, the tokens spent, where tokens went, memory, and that
//! the next run on a network that is well again has brought everybody, once.
//!
//! Every fault is tried at every endpoint, in each place in one of its ways (once, twice, for ever; by a server that
//! forgives a repeated refresh or one that does not), and in another way in the next place. `NETWORK_CASES=all cargo test
//! --test it network` tries all ways in all places; `NETWORK_ONLY=words` those cases whose names contain the words.

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
