//! The account's lists: fetching all of them, and choosing by id, unique_list_id or name.

use crate::api::session::{Found, Session};
use crate::error::{Error, Kind, Result};
use crate::pages::collection::{Page, Query};
use crate::rows::ListRef;
use crate::json::raw_text;
use crate::subscriber::Status;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// How often a collection of lists that does not add up is read anew.
const ATTEMPTS: u32 = 3;

/// How many lists a message names.
const NAMED: usize = 20;

/// A list as the API describes it.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// Id and name.
    pub(crate) this: ListRef,
    /// AWeber's other name for it, such as `awlist456`.
    pub(crate) unique_list_id: String,
    /// The totals that AWeber keeps; they do not always add up.
    pub(crate) subscribed: u64,
    /// As above.
    pub(crate) unconfirmed: u64,
    /// As above.
    pub(crate) unsubscribed: u64,
}

impl List {
    /// How many subscribers AWeber says it has, of one status or of all.
    pub(crate) fn count(&self, status: Option<Status>) -> u64 {
        match status {
            Some(Status::Subscribed) => self.subscribed,
            Some(Status::Unconfirmed) => self.unconfirmed,
            Some(Status::Unsubscribed) => self.unsubscribed,
            None => {
                let confirmed_once = self.subscribed.saturating_add(self.unsubscribed);
                confirmed_once.saturating_add(self.unconfirmed)
            }
        }
    }
}

/// Path of an account.
pub(crate) fn account_path(account: &str) -> String {
    format!("/1.0/accounts/{account}")
}

/// All lists of an account, in AWeber's order. One request for the first hundred, one for each 99 more.
pub(crate) async fn fetch_lists(session: &mut Session, account: &str) -> Result<Vec<List>> {
    let query = Query {
        path: format!("{}/lists", account_path(account)),
        parameters: vec![],
    };
    for _ in 0..ATTEMPTS {
        if let Some(lists) = fetch_once(session, &query).await? {
            return Ok(lists);
        }
        tracing::info!(
            event = "reading_again",
            "the lists changed while they were read: reading them anew"
        );
    }
    Err(Error::new(
        Kind::Unavailable,
        "AWeber's pages of lists do not hold as many as they say",
    )
    .safe("nothing was exported; no row is lost")
    .next("nothing, if the next run succeeds"))
}

/// `None` if what came does not hang together. As in [`next`](crate::pages::next), a page begins with the last list of
/// the page before: if it does not, one was deleted meanwhile, and another has moved out of sight.
async fn fetch_once(session: &mut Session, query: &Query) -> Result<Option<Vec<List>>> {
    let origin = session.origin().clone();
    let mut lists: Vec<List> = Vec::new();
    loop {
        let read = |body| {
            let page = Page::parse(body, query, &origin)?;
            let lists = page
                .subscribers()
                .map(|list| read_list(list.json(), list.id()));
            Ok((lists.collect::<Vec<_>>(), page.has_next, page.total_size))
        };
        let start = lists.len().saturating_sub(1) as u64;
        let Found::There((page, has_next, total)) = session.get(&query.page(start), read).await?
        else {
            return Err(Error::new(
                Kind::NeedsHuman,
                "AWeber does not know the account of the token file (404)",
            )
            .safe("nothing was exported")
            .next("aweber-sync authorize"));
        };
        let id = |list: Option<&List>| list.map(|list| list.this.id);
        if !lists.is_empty() && id(lists.last()) != id(page.first()) {
            return Ok(None);
        }
        let more: Vec<List> = page
            .into_iter()
            .filter(|list| lists.iter().all(|known| known.this.id != list.this.id))
            .collect();
        let nothing_more = more.is_empty();
        lists.extend(more);
        if !has_next {
            // An empty answer is believed only with a total that says so.
            let complete = match total {
                Some(total) => lists.len() as u64 >= total,
                None => !lists.is_empty(),
            };
            return Ok(complete.then_some(lists));
        }
        if nothing_more {
            return Ok(None);
        }
    }
}

/// What is not asked for is not looked at: no oddity in another field costs the name.
fn read_list(json: &str, id: i64) -> List {
    let map: HashMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    let text = |key: &str| match map.get(key).map(|raw| raw.get()) {
        Some(raw) if !raw.starts_with(['{', '[']) => raw_text(raw).into_owned(),
        _ => String::new(),
    };
    let number = |key: &str| text(key).parse().unwrap_or(0);
    List {
        this: ListRef {
            id,
            name: text("name"),
        },
        unique_list_id: text("unique_list_id"),
        subscribed: number("total_subscribed_subscribers"),
        unconfirmed: number("total_unconfirmed_subscribers"),
        unsubscribed: number("total_unsubscribed_subscribers"),
    }
}

/// Those of `all` that are wanted: every one if `wanted` is empty, less those excluded.
///
/// Errors: 78 for a name that is unknown or means several lists, before anything is exported.
pub(crate) fn select(all: Vec<List>, wanted: &[String], excluded: &[String]) -> Result<Vec<List>> {
    let chosen = ids("--list", &all, wanted)?;
    let unwanted = ids("--exclude-list", &all, excluded)?;
    Ok(all
        .into_iter()
        .filter(|list| chosen.is_empty() || chosen.contains(&list.this.id))
        .filter(|list| !unwanted.contains(&list.this.id))
        .collect())
}

fn ids(option: &str, all: &[List], names: &[String]) -> Result<Vec<i64>> {
    names
        .iter()
        .map(|name| id_of(option, all, name.trim()))
        .collect()
}

fn id_of(option: &str, all: &[List], name: &str) -> Result<i64> {
    if name.is_empty() {
        return Err(not_one(
            format!("{option} names no list"),
            &all.iter().collect::<Vec<_>>(),
        ));
    }
    let by_id = all
        .iter()
        .filter(|list| list.this.id.to_string() == name)
        .collect::<Vec<_>>();
    let by_unique = all
        .iter()
        .filter(|list| list.unique_list_id == name)
        .collect::<Vec<_>>();
    let by_name = all
        .iter()
        .filter(|list| list.this.name == name)
        .collect::<Vec<_>>();
    let found = [by_id, by_unique, by_name]
        .into_iter()
        .find(|found| !found.is_empty());
    match found.as_deref() {
        Some([list]) => Ok(list.this.id),
        Some(several) => Err(not_one(
            format!("{option} {name:?} means {} lists", several.len()),
            several,
        )),
        None => Err(not_one(
            format!("{option} {name:?}: the account has no such list"),
            &all.iter().collect::<Vec<_>>(),
        )),
    }
}

fn not_one(what: String, lists: &[&List]) -> Error {
    let mut names: Vec<String> = lists
        .iter()
        .take(NAMED)
        .map(|list| format!("{} ({})", list.this.id, list.this.name))
        .collect();
    if lists.len() > NAMED {
        names.push("…".to_owned());
    }
    Error::config(what)
        .safe("nothing was exported")
        .next(format!("give the id of one of: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_name_whatever_stands_beside_it() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for beside in ["7", r#""\ud83d""#, &deep, r#"{"name":"other"}"#] {
            let json = format!(
                r#"{{"id":7,"name":"N\u00e9ws","new":{beside},"total_subscribed_subscribers":"12","unique_list_id":null}}"#
            );
            let list = read_list(&json, 7);
            let read = (list.this.name.as_str(), list.unique_list_id.as_str());
            assert_eq!((read, list.subscribed), (("Néws", ""), 12), "{beside:.20}");
        }
    }

    fn account() -> Vec<List> {
        [
            (1, "News", "awlist1"),
            (2, "Offers", "awlist2"),
            (3, "News", "7"),
            (7, "2", "awlist7"),
        ]
        .into_iter()
        .map(|(id, name, unique)| List {
            this: ListRef {
                id,
                name: name.into(),
            },
            unique_list_id: unique.into(),
            subscribed: 0,
            unconfirmed: 0,
            unsubscribed: 0,
        })
        .collect()
    }

    fn chosen(wanted: &[&str], excluded: &[&str]) -> Result<Vec<i64>> {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let lists = select(account(), &owned(wanted), &owned(excluded))?;
        Ok(lists.into_iter().map(|list| list.this.id).collect())
    }

    #[test]
    fn an_id_comes_before_a_unique_list_id_before_a_name() {
        for (wanted, ids) in [
            ("2", vec![2]),
            ("7", vec![7]),
            ("awlist7", vec![7]),
            ("Offers", vec![2]),
            (" 1 ", vec![1]),
        ] {
            assert_eq!(chosen(&[wanted], &[]).unwrap(), ids, "{wanted}");
        }
        assert_eq!(chosen(&[], &[]).unwrap(), [1, 2, 3, 7]);
        assert_eq!(chosen(&[], &["Offers", "7"]).unwrap(), [1, 3]);
        assert_eq!(chosen(&["1", "2"], &["2"]).unwrap(), [1]);
    }

    #[test]
    fn unknown_and_ambiguous_names_are_configuration_errors() {
        for (wanted, excluded) in [
            ("news", ""),
            ("News", ""),
            ("99", ""),
            ("1", "News"),
            ("1", "x"),
        ] {
            let excluded: &[&str] = if excluded.is_empty() {
                &[]
            } else {
                &[excluded]
            };
            let error = chosen(&[wanted], excluded).unwrap_err();
            assert_eq!(error.kind(), Kind::Config, "{wanted}");
            assert!(error.to_string().contains("1 (News)"), "{error}");
        }
    }
}
