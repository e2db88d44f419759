//! The judgement of one assumption about AWeber. It holds only words of this program and numbers, no text from AWeber, so
//! a report made of judgements cannot contain personal data.

use std::fmt;

/// A part of what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(&'static str),
    Count(u64),
    Number(i64),
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(Vec<Part>);

impl<const N: usize> From<[Part; N]> for Seen {
    fn from(parts: [Part; N]) -> Seen {
        Seen(parts.to_vec())
    }
}

impl From<&'static str> for Seen {
    fn from(text: &'static str) -> Seen {
        Seen(vec![Part::Text(text)])
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Count(count) => write!(f, "{count}"),
            Part::Number(number) => write!(f, "{number:+}"),
        })
    }
}

/// What it means for the exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    AsExpected,
    /// Nothing on this account shows it.
    Unseen,
    /// Different, without effect on this program.
    Fine(&'static str),
    /// Different: it costs more requests.
    Costs(&'static str),
    /// Different: rows may be missing, doubled or incomplete.
    Risk(&'static str),
}

impl Effect {
    /// The word in the report and in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Effect::AsExpected => "as_expected",
            Effect::Unseen => "not_seen",
            Effect::Fine(_) => "fine",
            Effect::Costs(_) => "more_requests",
            Effect::Risk(_) => "rows_at_risk",
        }
    }

    /// What the program does about it.
    pub(super) fn explanation(self) -> &'static str {
        match self {
            Effect::AsExpected | Effect::Unseen => "",
            Effect::Fine(text) | Effect::Costs(text) | Effect::Risk(text) => text,
        }
    }

    /// Whether AWeber differs from the expectation.
    pub(super) fn is_odd(self) -> bool {
        !matches!(self, Effect::AsExpected | Effect::Unseen)
    }
}

/// One assumption, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) id: &'static str,
    pub(super) expected: &'static str,
    pub(super) seen: Seen,
    pub(super) effect: Effect,
}

/// One assumption before it is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assumption {
    pub(super) id: &'static str,
    pub(super) expected: &'static str,
}

impl Assumption {
    pub(super) fn holds(self, seen: impl Into<Seen>) -> Judgement {
        self.judged(seen, Effect::AsExpected)
    }

    pub(super) fn unseen(self, why: impl Into<Seen>) -> Judgement {
        self.judged(why, Effect::Unseen)
    }

    pub(super) fn is_fine(self, seen: impl Into<Seen>, explanation: &'static str) -> Judgement {
        self.judged(seen, Effect::Fine(explanation))
    }

    pub(super) fn costs(self, seen: impl Into<Seen>, explanation: &'static str) -> Judgement {
        self.judged(seen, Effect::Costs(explanation))
    }

    pub(super) fn risks(self, seen: impl Into<Seen>, explanation: &'static str) -> Judgement {
        self.judged(seen, Effect::Risk(explanation))
    }

    fn judged(self, seen: impl Into<Seen>, effect: Effect) -> Judgement {
        Judgement {
            id: self.id,
            expected: self.expected,
            seen: seen.into(),
            effect,
        }
    }
}
