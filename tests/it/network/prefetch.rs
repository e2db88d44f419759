//! Faults of a page requested ahead of the previous answer, and changes of the world between the two.

use super::inconsistent::{remove_list, switch_account, twice};
use super::step::AHEAD;
use super::table::Outcome::{Ends, RateLimited, Refreshes, Retries, Succeeds};
use super::table::{Outcomes, Row, change, foreign_host, row};
use aweber_sandbox::{FaultKind, World};

#[rustfmt::skip]
pub(super) fn table() -> Vec<Row> {
    const PASSES: Outcomes = &[(AHEAD, Retries)];
    const HARMLESS: Outcomes = &[(AHEAD, Succeeds)];
    let redirect = FaultKind::Redirect { status: 302, location: foreign_host().api_url() };
    let dead = FaultKind::envelope_b(401, "invalid_token", "The access token is invalid or has expired");
    let gone = FaultKind::envelope_a(404, "ListNotFoundError", "List not found");
    vec![
        row("500", FaultKind::envelope_a(500, "InternalServerError", "Oops"), "500", PASSES),
        row("502 in HTML", FaultKind::html(502), "502", PASSES),
        row("404 in HTML", FaultKind::html(404), "404", PASSES),
        row("404", gone, "404", &[(AHEAD, Ends(69))]),
        row("401", dead, "401", &[(AHEAD, Refreshes)]).twice(),
        row("rate limit", FaultKind::rate_limit(), "", &[(AHEAD, RateLimited)]),
        row("suspended", FaultKind::envelope_a(403, "ForbiddenError", "Account Temporarily Suspended"), "suspended", &[(AHEAD, Ends(78))]),
        row("302 to another host", redirect, "302", PASSES),
        row("200 in HTML", FaultKind::html(200), "cannot be used", PASSES),
        row("reset before the work", FaultKind::ResetBefore, "the connection broke", PASSES),
        row("reset after the work", FaultKind::ResetAfter, "the connection broke", PASSES),
        row("half a body", FaultKind::HalfBody, "the connection broke", PASSES),
        row("200 MB", FaultKind::HugeBody(200 * 1024 * 1024), "larger than", PASSES),
        row("empty", FaultKind::EmptyPage, "", HARMLESS),
        row("a page of 150", FaultKind::other_page(|start| start, 150), "", HARMLESS),
        row("a page further on", FaultKind::other_page(|start| start + 50, 100), "", HARMLESS),
        row("every entry twice", FaultKind::replace(twice), "", HARMLESS),
        change("the list is deleted", remove_list, "404", &[(AHEAD, Ends(69))]),
        change("the account is another one", switch_account, "Invalid Account", &[(AHEAD, Ends(77))]),
        change("the access token expires", World::expire_access_tokens, "", &[(AHEAD, Refreshes)]),
        change("the tokens are revoked", World::revoke_everything, "authorize", &[(AHEAD, Ends(77))]),
    ]
}
