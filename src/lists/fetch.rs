//! Fetching all lists of an account.

use super::list::List;
use crate::api::session::{Found, Session};
use crate::error::{Error, Kind, Result};
use crate::pages::collection::{Page, Query};

/// How often inconsistent pages are read before giving up.
const ATTEMPTS: u32 = 3;

/// The path of an account.
pub(crate) fn account_path(account: &str) -> String {
    format!("/1.0/accounts/{account}")
}

/// Fetches all lists of an account, in AWeber's order: one request for the first 100, one for every 99 more.
/// `expect_some`: the account is known to have lists, so that an empty answer is not believed.
pub(crate) async fn fetch_lists(
    session: &mut Session,
    account: &str,
    expect_some: bool,
) -> Result<Vec<List>> {
    let query = Query::all(format!("{}/lists", account_path(account)));
    let mut readings = Vec::new();
    for _ in 0..ATTEMPTS {
        let reading = read_all(session, &query).await?;
        if reading.is_believable(expect_some) {
            return Ok(reading.lists);
        }
        tracing::info!(
            event = "reading_again",
            "the lists changed while they were read, or some are missing: reading them again"
        );
        readings.push(reading);
    }
    if let Some(reading) = readings.pop()
        && readings.iter().all(|earlier| earlier.agrees_with(&reading))
    {
        // A wrong count must not keep the lists that are there from being exported.
        tracing::warn!(
            event = "lists_miscounted",
            "AWeber counts {} lists, but its pages hold {}, however often they are read: going on with those",
            reading.total.unwrap_or_default(),
            reading.lists.len()
        );
        return Ok(reading.lists);
    }
    Err(Error::new(
        Kind::Unavailable,
        "cannot read the lists: AWeber's pages hold fewer lists than expected",
    )
    .safe("nothing was exported; no row is lost")
    .next("nothing, if the next run succeeds; else see what aweber-sync lists shows"))
}

/// The lists as read once.
#[derive(Debug)]
struct Reading {
    lists: Vec<List>,
    /// AWeber's count on the last page.
    total: Option<u64>,
    /// The pages fit together, up to one without a next link.
    has_end: bool,
}

impl Reading {
    fn is_believable(&self, expect_some: bool) -> bool {
        let is_counted = match self.total {
            Some(total) => self.lists.len() as u64 >= total,
            None => !self.lists.is_empty(),
        };
        self.has_end && is_counted && !(expect_some && self.lists.is_empty())
    }

    /// Both hold the same lists, some of them, and claim the same number.
    fn agrees_with(&self, other: &Reading) -> bool {
        let ids = |reading: &Reading| {
            let ids = reading.lists.iter().map(|list| list.this.id);
            ids.collect::<Vec<_>>()
        };
        let have_ends = self.has_end && other.has_end && !self.lists.is_empty();
        have_ends && self.total == other.total && ids(self) == ids(other)
    }
}

/// As in [`next`](crate::pages::next), each page must start with the last list of the previous page; otherwise a list was
/// deleted in between and another one has shifted out of view. While lists are missing by AWeber's count, the page after
/// the last one is read too, even without a link to it.
async fn read_all(session: &mut Session, query: &Query) -> Result<Reading> {
    let origin = session.origin().clone();
    let mut lists: Vec<List> = Vec::new();
    loop {
        let read = |body| {
            let page = Page::parse(body, query, &origin)?;
            let lists = page
                .subscribers()
                .map(|list| List::read(list.json(), list.id()));
            Ok((lists.collect::<Vec<_>>(), page.has_next, page.total_size))
        };
        let offset = lists.len().saturating_sub(1) as u64;
        let Found::There((page, has_next, total)) = session.get(&query.page(offset), read).await?
        else {
            return Err(Error::new(
                Kind::NeedsHuman,
                "no such account at AWeber: 404 for the account in the token file",
            )
            .safe("nothing was exported")
            .next("aweber-sync authorize"));
        };
        let id = |list: Option<&List>| list.map(|list| list.this.id);
        let fits = lists.is_empty() || id(lists.last()) == id(page.first());
        let more: Vec<List> = page
            .into_iter()
            .filter(|list| fits && lists.iter().all(|known| known.this.id != list.this.id))
            .collect();
        let nothing_more = more.is_empty();
        lists.extend(more);
        let is_short = total.is_some_and(|total| (lists.len() as u64) < total);
        if !fits || nothing_more || !(has_next || is_short) {
            return Ok(Reading {
                has_end: fits && !has_next,
                lists,
                total,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_value_in_another_field_does_not_hide_the_name() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for beside in ["7", r#""\ud83d""#, &deep, r#"{"name":"other"}"#] {
            let json = format!(
                r#"{{"id":7,"name":"N\u00e9ws","new":{beside},"total_subscribed_subscribers":"12","unique_list_id":null}}"#
            );
            let list = List::read(&json, 7);
            let read = (list.this.name.as_str(), list.unique_list_id.as_str());
            assert_eq!((read, list.subscribed), (("Néws", ""), 12), "{beside:.20}");
        }
    }
}
