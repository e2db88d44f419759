//! Every status that AWeber documents, in both error envelopes, and those of gateways, without JSON.

use super::step::{ACCOUNT, ALL, API, COUNT, LISTS, ONE, PAGES, TOKEN};
use super::table::Outcome::{Ends, Missing, RateLimited, Refreshes, Retries, Succeeds};
use super::table::{Outcomes, Row, foreign_host, row};
use aweber_sandbox::FaultKind;

/// Permanent; for tokens: the request does not match the client.
const REFUSED: Outcomes = &[(TOKEN, Ends(78)), (API, Ends(69))];

/// Permanent, or solved by a new access token.
const UNAUTHORIZED: Outcomes = &[(TOKEN, Ends(78)), (API, Refreshes)];

/// AWeber reports that it does not exist: for the account and its lists because of the token, for a subscriber
/// because it was deleted.
const NOT_FOUND: Outcomes = &[
    (TOKEN, Ends(78)),
    (ACCOUNT, Ends(77)),
    (LISTS, Ends(77)),
    (PAGES, Ends(69)),
    (COUNT, Ends(69)),
    (ONE, Missing),
];

/// Status, `type` in envelope A, `error` in envelope B, the message in both, and the outcomes.
type Status = (u16, &'static str, &'static str, &'static str, Outcomes);

/// Section 5 of AWeber's API, and section 1 for the tokens.
#[rustfmt::skip]
const STATUSES: &[Status] = &[
    (400, "WebServiceError", "invalid_request", "Maximum for \"ws.size\" parameter is 100.", REFUSED),
    (400, "BadRequestError", "invalid_request", "Request does not have OAuth credentials.", REFUSED),
    (400, "MissingOAuthParametersError", "invalid_request", "Missing oauth parameters: oauth_consumer_key, oauth_nonce", &[(ALL, Ends(78))]),
    (400, "BadRequestError", "unauthorized_client", "The client may not do that", REFUSED),
    (401, "UnauthorizedError", "invalid_token", "The access token is invalid or has expired", UNAUTHORIZED),
    (401, "UnauthorizedError", "invalid_token", "Invalid Token", UNAUTHORIZED),
    (401, "UnauthorizedError", "invalid_client", "Invalid client credentials", UNAUTHORIZED),
    (401, "UnauthorizedError", "unauthorized", "Unauthorized", UNAUTHORIZED),
    (401, "UnauthorizedError", "unauthorized", "Invalid Account", &[(ALL, Ends(77))]),
    (401, "UnauthorizedError", "invalid_request", "Invalid Request", &[(ALL, Ends(78))]),
    (401, "UnauthorizedError", "invalid_request", "Consumer key is invalid.", &[(ALL, Ends(78))]),
    (403, "ForbiddenError", "forbidden", "Rate Limit Error", &[(ALL, RateLimited)]),
    (403, "ForbiddenError", "forbidden", "RATE LIMIT exceeded", &[(ALL, RateLimited)]),
    (403, "ForbiddenError", "forbidden", "This account is not accepting requests at this time", &[(ALL, Retries)]),
    (403, "ForbiddenError", "forbidden", "Your request cannot be processed at this time", &[(ALL, Retries)]),
    (403, "ForbiddenError", "forbidden", "Account Temporarily Suspended", &[(ALL, Ends(78))]),
    (403, "ForbiddenError", "forbidden", "Your account is on hold", &[(ALL, Ends(78))]),
    (403, "ForbiddenError", "insufficient_scope", "Method requires access to: subscriber.read", &[(TOKEN, Ends(78)), (API, Ends(77))]),
    (404, "NotFoundError", "not_found", "Object not found", NOT_FOUND),
    (404, "ListNotFoundError", "not_found", "List not found", NOT_FOUND),
    (404, "SubListNotFoundError", "not_found", "No such subscriber", NOT_FOUND),
    (405, "MethodNotAllowedError", "method_not_allowed", "Method not allowed", REFUSED),
    (409, "ConflictError", "conflict", "Conflict", REFUSED),
    (410, "BlockedError", "blocked", "This integration is blocked", &[(ALL, Ends(78))]),
    (415, "InvalidContentTypeError", "invalid_content_type", "Unsupported content type", REFUSED),
    (429, "TooManyRequestsError", "slow_down", "Too many requests", &[(ALL, RateLimited)]),
    (500, "InternalServerError", "server_error", "Something went wrong", &[(ALL, Retries)]),
    (503, "ServiceUnavailableError", "temporarily_unavailable", "API Unavailable", &[(ALL, Retries)]),
    (503, "ServiceUnavailableError", "temporarily_unavailable", "Failed to communicate with endpoint", &[(ALL, Retries)]),
];

pub(super) fn in_both_envelopes() -> Vec<Row> {
    let both = |(status, kind, error, message, outcomes): &Status| {
        let a = FaultKind::envelope_a(*status, kind, message);
        let b = FaultKind::envelope_b(*status, error, message);
        let name = |envelope| format!("{status} {message} in envelope {envelope}");
        [
            row(&name("A"), a, &status.to_string(), outcomes)
                .twice()
                .sampled(),
            row(&name("B"), b, &status.to_string(), outcomes)
                .twice()
                .sampled(),
        ]
    };
    let dead = FaultKind::envelope_b(400, "invalid_grant", "The refresh token is invalid");
    let bare = FaultKind::Status {
        status: 400,
        body: r#"{"error":"invalid_grant"}"#.to_owned(),
        content_type: "application/json".to_owned(),
    };
    let dead_or_alive: Outcomes = &[(TOKEN, Ends(77)), (API, Ends(69))];
    let mut rows: Vec<Row> = STATUSES.iter().flat_map(both).collect();
    rows.push(row("400 invalid_grant", dead, "400", dead_or_alive));
    rows.push(row("400 invalid_grant, bare", bare, "400", dead_or_alive));
    rows
}

/// An answer without an envelope is not from AWeber: it must not lead to `authorize` or count as a deletion.
pub(super) fn of_gateways() -> Vec<Row> {
    const PASSES: Outcomes = &[(ALL, Retries)];
    const NO_USE: Outcomes = &[(TOKEN, Retries), (API, Ends(69))];
    const DENIED: Outcomes = &[(TOKEN, Ends(78)), (API, Refreshes)];
    let mut rows = Vec::new();
    for (status, outcomes) in [
        (400, NO_USE),
        (401, DENIED),
        (403, PASSES),
        (404, PASSES),
        (405, NO_USE),
        (408, PASSES),
        (413, NO_USE),
        (425, PASSES),
        (429, &[(ALL, RateLimited)]),
        (500, PASSES),
        (502, PASSES),
        (503, PASSES),
        (504, PASSES),
        (520, PASSES),
    ] {
        let says = status.to_string();
        let html = FaultKind::html(status);
        rows.push(
            row(&format!("{status} in HTML"), html, &says, outcomes)
                .twice()
                .sampled(),
        );
        let empty = FaultKind::status(status);
        rows.push(row(&format!("{status} empty"), empty, &says, outcomes).sampled());
    }
    for status in [300, 301, 302, 303, 307, 308] {
        let kind = FaultKind::Redirect {
            status,
            location: format!("{}/1.0/accounts", foreign_host().api_url()),
        };
        rows.push(row(
            &format!("{status} to another host"),
            kind,
            &status.to_string(),
            PASSES,
        ));
    }
    rows.push(row("304", FaultKind::status(304), "304", PASSES));
    // Successes without a body.
    for status in [200, 201, 202, 204] {
        let empty = FaultKind::status(status);
        rows.push(row(&format!("{status} empty"), empty, "answer", PASSES).sampled());
    }
    rows.push(
        row("200 in HTML", FaultKind::html(200), "answer", PASSES)
            .twice()
            .sampled(),
    );
    rows.push(row(
        "wrong content type",
        FaultKind::WrongContentType,
        "",
        &[(ALL, Succeeds)],
    ));
    rows
}
