//! What to do about an answer of the API: the table of AWeber API, section 5, as one pure function.

use crate::envelope::Problem;
use crate::error::Kind;

/// The scopes this job asks for and needs.
pub(crate) const SCOPES: &str = "account.read list.read subscriber.read";

/// The reaction to a status and body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// A success: read the body.
    Read,
    /// The credential was rejected; it says whether renewing helps.
    Unauthorized,
    /// Wait out the rate limit, then repeat.
    WaitForRateLimit,
    /// A passing fault: repeat with growing waits.
    Repeat,
    /// What was asked for does not exist (any more).
    NotFound,
    /// Asking again is of no use. The code to end with, and what a person can do.
    GiveUp(Kind, &'static str),
}

/// Sorts an answer.
pub(crate) fn reaction(status: u16, problem: &Problem) -> Reaction {
    let authorize = "aweber-sync authorize";
    match status {
        200..=299 => Reaction::Read,
        400 if problem.kind == "MissingOAuthParametersError"
            || problem.says("missing oauth parameters") =>
        {
            Reaction::GiveUp(
                Kind::Config,
                "AWeber did not see our Authorization header: look for a proxy that removes it",
            )
        }
        401 if problem.says("invalid account") => Reaction::GiveUp(
            Kind::NeedsHuman,
            "log in at AWeber: the account is closed, or the token file names another one (aweber-sync authorize)",
        ),
        401 if problem.says("invalid request") || problem.says("consumer key") => Reaction::GiveUp(
            Kind::Config,
            "check the client id at labs.aweber.com/apps, then aweber-sync authorize",
        ),
        401 => Reaction::Unauthorized,
        429 => Reaction::WaitForRateLimit,
        403 if problem.says("rate limit") => Reaction::WaitForRateLimit,
        403 if problem.says("at this time") => Reaction::Repeat,
        403 if problem.says("suspended") || problem.says("on hold") => Reaction::GiveUp(
            Kind::Config,
            "write to AWeber's support: the account is suspended",
        ),
        // No envelope: from a gateway, not from AWeber. No subscriber is forgotten and no user sent to `authorize` for it.
        403 | 404 if *problem == Problem::default() => Reaction::Repeat,
        403 => Reaction::GiveUp(Kind::NeedsHuman, authorize),
        404 => Reaction::NotFound,
        410 => Reaction::GiveUp(
            Kind::Config,
            "write to AWeber's support: the integration is blocked",
        ),
        408 | 425 | 500..=599 | 300..=399 => Reaction::Repeat,
        _ => Reaction::GiveUp(
            Kind::Unavailable,
            "nothing, if the next run succeeds; if it does not, report it with the line above",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn every_row_of_the_table_has_its_reaction() {
        use Reaction::*;
        let give_up = |exit| GiveUp(exit, "");
        for (status, kind, message, expected) in [
            (200, "", "", Read),
            (
                400,
                "WebServiceError",
                "Maximum for \"ws.size\" parameter is 100.",
                give_up(Kind::Unavailable),
            ),
            (400, "BadRequestError", "", give_up(Kind::Unavailable)),
            (
                400,
                "MissingOAuthParametersError",
                "Missing oauth parameters: …",
                give_up(Kind::Config),
            ),
            (
                400,
                "invalid_request",
                "Missing oauth parameters: …",
                give_up(Kind::Config),
            ),
            (
                401,
                "invalid_token",
                "The access token is invalid or has expired",
                Unauthorized,
            ),
            (401, "UnauthorizedError", "Invalid Token", Unauthorized),
            (
                401,
                "UnauthorizedError",
                "Invalid Account",
                give_up(Kind::NeedsHuman),
            ),
            (
                401,
                "UnauthorizedError",
                "Consumer key is invalid.",
                give_up(Kind::Config),
            ),
            (
                401,
                "UnauthorizedError",
                "Invalid Request",
                give_up(Kind::Config),
            ),
            (401, "", "", Unauthorized),
            (403, "ForbiddenError", "Rate Limit Error", WaitForRateLimit),
            (
                403,
                "ForbiddenError",
                "RATE LIMIT exceeded",
                WaitForRateLimit,
            ),
            (
                403,
                "ForbiddenError",
                "This account is not accepting requests at this time",
                Repeat,
            ),
            (
                403,
                "ForbiddenError",
                "Your request cannot be processed at this time",
                Repeat,
            ),
            (
                403,
                "ForbiddenError",
                "Account Temporarily Suspended",
                give_up(Kind::Config),
            ),
            (
                403,
                "ForbiddenError",
                "missing permission",
                give_up(Kind::NeedsHuman),
            ),
            (403, "", "", Repeat),
            (404, "NotFoundError", "", NotFound),
            (404, "", "", Repeat),
            (405, "MethodNotAllowedError", "", give_up(Kind::Unavailable)),
            (409, "", "", give_up(Kind::Unavailable)),
            (410, "BlockedError", "", give_up(Kind::Config)),
            (
                415,
                "InvalidContentTypeError",
                "",
                give_up(Kind::Unavailable),
            ),
            (429, "", "", WaitForRateLimit),
            (500, "InternalServerError", "", Repeat),
            (502, "", "", Repeat),
            (503, "ServiceUnavailableError", "API Unavailable", Repeat),
            (302, "", "", Repeat),
        ] {
            let problem = Problem {
                kind: kind.into(),
                message: message.into(),
            };
            let got = match reaction(status, &problem) {
                GiveUp(exit, advice) => {
                    assert!(!advice.is_empty());
                    GiveUp(exit, "")
                }
                other => other,
            };
            assert_eq!(got, expected, "{status} {kind} {message}");
        }
    }
}
