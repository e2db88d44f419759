//! Single answers: the status filter, an id that does not exist, headers, and the refresh.

use crate::commands::check::facts::Facts;
use crate::commands::check::judgement::Part::{Count, Text};
use crate::commands::check::judgement::{Assumption, Judgement};
use crate::commands::check::listing::text;

pub(super) fn status_filter(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "status_filter",
        expected: "status=unsubscribed returns no other rows",
    };
    let Some(found) = &facts.unsubscribed else {
        return assumption.unseen("the page could not be read");
    };
    let others = found
        .rows
        .iter()
        .filter(|row| text(row, "status").is_some_and(|status| status != "unsubscribed"));
    match (others.count() as u64, found.len()) {
        (0, 0) => assumption.holds("no rows"),
        (0, rows) => assumption.holds([Count(rows), Text(" rows, all unsubscribed")]),
        (others, rows) => assumption.costs(
            [
                Count(others),
                Text(" of "),
                Count(rows),
                Text(" rows have another status"),
            ],
            "the status of each row is looked at again; a first export reads more pages",
        ),
    }
}

pub(super) fn vanished(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "vanished_id",
        expected: "404 for a subscriber that does not exist",
    };
    match facts.vanished {
        None => assumption.unseen("it could not be asked"),
        Some(404) => assumption.holds("404"),
        Some(401) => assumption.costs(
            "401",
            "each unconfirmed subscriber that vanishes costs a warning and a control request until it is 31 days old",
        ),
        Some(status) => assumption.risks(
            [Text("status "), Count(status.into())],
            "a run ends with an error once an unconfirmed subscriber vanishes: please report this",
        ),
    }
}

pub(super) fn limit_headers(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "limit_headers",
        expected: "no headers about the rate limit",
    };
    match facts.has_limit_headers {
        false => assumption.holds("none"),
        true => assumption.is_fine(
            "answers have some",
            "not used: --requests-per-minute keeps the pace",
        ),
    }
}

pub(super) fn refresh(facts: &Facts) -> Judgement {
    let assumption = Assumption {
        id: "refresh",
        expected: "a refresh returns a new refresh token, and an access token for 7200 s",
    };
    let Some(answer) = facts.refresh else {
        return assumption.unseen("no refresh so far: check --refresh, or a run, shows it");
    };
    let life = [
        Text(if answer.is_new_token {
            "a new token, "
        } else {
            "the same token, "
        }),
        Count(answer.expires_in),
        Text(" s"),
    ];
    match (answer.is_new_token, answer.expires_in) {
        (true, 7200) => assumption.holds(life),
        (false, 7200) => assumption.is_fine(life, "the token is stored again and used as before"),
        (_, 0..600) => assumption.costs(life, "long runs refresh more often"),
        _ => assumption.is_fine(life, "the token is refreshed in time, whatever its life"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::answer::RefreshAnswer;

    #[test]
    fn each_answer_has_its_effect() {
        let refresh = |is_new_token, expires_in| Facts {
            refresh: Some(RefreshAnswer {
                is_new_token,
                expires_in,
            }),
            ..Facts::default()
        };
        for (facts, effect) in [
            (Facts::default(), "not_seen"),
            (refresh(true, 7200), "as_expected"),
            (refresh(false, 7200), "fine"),
            (refresh(true, 3600), "fine"),
            (refresh(false, 60), "more_requests"),
        ] {
            assert_eq!(super::refresh(&facts).effect.word(), effect, "{facts:?}");
        }
        for (status, effect) in [
            (None, "not_seen"),
            (Some(404), "as_expected"),
            (Some(401), "more_requests"),
            (Some(410), "rows_at_risk"),
            (Some(200), "rows_at_risk"),
        ] {
            let facts = Facts {
                vanished: status,
                ..Facts::default()
            };
            assert_eq!(vanished(&facts).effect.word(), effect, "{status:?}");
        }
        for (sent, effect) in [(false, "as_expected"), (true, "fine")] {
            let facts = Facts {
                has_limit_headers: sent,
                ..Facts::default()
            };
            assert_eq!(limit_headers(&facts).effect.word(), effect);
        }
    }
}
