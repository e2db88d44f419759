//! Any answer of the network: every endpoint times every fault, once, twice and for ever, as data in the tables of
//! [`statuses`], [`bodies`], [`lies`] and [`stalls`]. [`table`] says what a row means, [`place`] which requests there
//! are, [`trial`] what is looked at: the exit code, the message, the tokens spent, where tokens went, memory, and that
//! the next run on a network that is well again has brought everybody, once.
//!
//! Every fault is tried at every endpoint, in each place in one of its ways (once, twice, for ever; by a server that
//! forgives a repeated refresh or one that does not), and in another way in the next place. `NETWORK_CASES=all cargo test
//! --test it network` tries all ways in all places; `NETWORK_ONLY=words` those cases whose names contain the words.

mod ahead;
mod bodies;
mod connections;
mod lies;
mod place;
mod statuses;
mod table;
mod trial;

use table::try_all;

#[test]
fn every_status_in_every_place_has_its_exit_code_and_advice() {
    try_all(statuses::in_both_envelopes());
}

#[test]
fn every_status_of_a_gateway_has_its_exit_code_and_advice() {
    try_all(statuses::of_gateways());
}

#[test]
fn every_body_in_every_place_has_its_exit_code_and_advice() {
    try_all(bodies::table());
}

#[test]
fn every_token_answer_is_used_or_kept() {
    try_all(bodies::of_tokens());
}

#[test]
fn every_lie_about_pages_has_its_exit_code_and_advice() {
    try_all(lies::table());
}

#[test]
fn every_fault_of_a_page_asked_for_ahead_has_its_exit_code_and_advice() {
    try_all(ahead::table());
}

#[test]
fn every_broken_connection_has_its_exit_code_and_advice() {
    try_all(connections::broken());
}

#[test]
fn every_connection_that_stalls_is_given_up_in_time() {
    try_all(connections::stalled());
}
