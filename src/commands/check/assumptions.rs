//! The assumptions about AWeber: one pure function each, from what was seen to a judgement.

mod answers;
mod days;
mod fields;
mod pages;

pub(super) use self::days::days_to_ask;

use super::facts::Facts;
use super::judgement::Judgement;

/// Judges all of them, in the order of the result.
pub(super) fn judge(facts: &Facts) -> Vec<Judgement> {
    vec![
        pages::page_size(facts),
        pages::page_limit(facts),
        pages::order(facts),
        pages::sort_key(facts),
        pages::next_link(facts),
        pages::total_size(facts),
        pages::count(facts),
        pages::count_truth(facts),
        days::subscribed_after(facts),
        days::unsubscribed_after(facts),
        days::unsubscribed_order(facts),
        answers::status_filter(facts),
        fields::subscribed_at(facts),
        fields::verified_at(facts),
        fields::needed(facts),
        fields::missing(facts),
        fields::types(facts),
        fields::unknown(facts),
        fields::statuses(facts),
        answers::vanished(facts),
        answers::limit_headers(facts),
        answers::refresh(facts),
    ]
}
