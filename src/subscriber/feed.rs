//! The two feeds of a list: arrivals and departures. Each has its own query, its own progress in the ledger, and exports
//! its own kind of event. Everything else is shared.

use super::Status;

/// What a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Feed {
    /// Subscriptions, identified by `subscribed_at`.
    Arrivals,
    /// Unsubscriptions, identified by `unsubscribed_at`.
    Departures,
}

impl Feed {
    /// Both, in the order in which a list is asked for them.
    pub(crate) const ALL: [Feed; 2] = [Feed::Arrivals, Feed::Departures];

    /// The word in the ledger.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Feed::Arrivals => "arrivals",
            Feed::Departures => "departures",
        }
    }

    /// The feed with that word.
    pub(crate) fn from_word(word: &str) -> Option<Feed> {
        Feed::ALL.into_iter().find(|feed| feed.word() == word)
    }

    /// The field whose time identifies an event; also AWeber's name for the order.
    pub(crate) fn time_field(self) -> &'static str {
        match self {
            Feed::Arrivals => "subscribed_at",
            Feed::Departures => "unsubscribed_at",
        }
    }

    /// AWeber's filter for events from a day on.
    pub(crate) fn after_filter(self) -> &'static str {
        match self {
            Feed::Arrivals => "subscribed_after",
            Feed::Departures => "unsubscribed_after",
        }
    }

    /// The status that most of its rows have.
    pub(crate) fn usual_status(self) -> Status {
        match self {
            Feed::Arrivals => Status::Subscribed,
            Feed::Departures => Status::Unsubscribed,
        }
    }

    /// The `wanted` statuses that belong to this feed, sorted, each once. Without any, the feed is not asked for.
    pub(crate) fn statuses(self, wanted: &[Status]) -> Vec<Status> {
        let belongs = |status: &Status| match self {
            Feed::Arrivals => *status != Status::Unsubscribed,
            Feed::Departures => *status == Status::Unsubscribed,
        };
        let mut statuses: Vec<Status> = wanted.iter().copied().filter(belongs).collect();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_belongs_to_one_feed() {
        use Status::*;
        let wanted = [Unsubscribed, Unconfirmed, Subscribed, Unconfirmed];
        let of = |feed: Feed| feed.statuses(&wanted);
        assert_eq!(of(Feed::Arrivals), [Subscribed, Unconfirmed]);
        assert_eq!(of(Feed::Departures), [Unsubscribed]);
        assert!(Feed::Departures.statuses(&[Subscribed]).is_empty());
        for feed in Feed::ALL {
            assert_eq!(Feed::from_word(feed.word()), Some(feed));
        }
    }
}
