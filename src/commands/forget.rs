//! `aweber-sync forget`: removes a list from the ledger, so that the next run exports it again, or a person.

use super::print;
use crate::config::{self, Base, Paths};
use crate::connect::connect;
use crate::error::{Error, Kind, Result};
use crate::ledger::Ledger;
use crate::ledger::forget::Forgotten;
use crate::lists::{fetch_lists, select};
use crate::locks::Locks;
use crate::report::counted;
use crate::stop::Stop;
use crate::subscriber::feed::Feed;
use crate::token::store::TokenStore;
use chrono::NaiveDate;

/// Removes a list, or its newer part, or a person from the ledger.
pub(crate) async fn forget(config: config::Forget) -> Result<()> {
    let list = match &config.list {
        Some(list) => Some(resolve(&config.base, list).await?),
        None => None,
    };
    let mut stop = Stop::listen(None)?;
    let locks = Locks::take(&config.base.paths, config.base.lock_wait, &mut stop).await?;
    let ledger = open_ledger(&config.base.paths, &locks.store)?;
    match (config.subscriber, list) {
        (Some(subscriber), _) => forget_subscriber(ledger, subscriber, list),
        (None, Some(list)) => forget_list(ledger, list, config.since),
        // The command line asks for one of them.
        (None, None) => Err(Error::new(Kind::Usage, "--list or --subscriber is missing")),
    }
}

fn forget_list(ledger: Option<Ledger>, list: i64, since: Option<NaiveDate>) -> Result<()> {
    let Some(mut ledger) = ledger else {
        return Err(never_exported(list));
    };
    if !ledger.knows_list(list)? {
        return Err(never_exported(list));
    }
    check_no_batch(&ledger, &format!("list {list}"))?;
    let forgotten = ledger.forget(list, since)?;
    ledger.commit()?;
    print(&said(list, since, &forgotten))
}

fn forget_subscriber(ledger: Option<Ledger>, subscriber: i64, list: Option<i64>) -> Result<()> {
    let on = list.map_or_else(String::new, |list| format!(" on list {list}"));
    let forgotten = match ledger {
        Some(mut ledger) => {
            check_no_batch(&ledger, &format!("subscriber {subscriber}"))?;
            ledger.forget_subscriber(subscriber, list)?
        }
        None => 0,
    };
    let what = match forgotten {
        0 => format!("The ledger holds nothing about subscriber {subscriber}{on}.\n"),
        n => format!(
            "Forgotten: subscriber {subscriber}{on}, {}.\n",
            counted(n as u64, "record")
        ),
    };
    print(&format!(
        "{what}If AWeber still has this person on a list, a later run exports them again: delete them there too, and \
         their rows in exported files.\n"
    ))
}

/// Errors: 75 if a stopped run left a batch: what it collected is not final.
fn check_no_batch(ledger: &Ledger, what: &str) -> Result<()> {
    if ledger.waiting_batch()?.is_none() {
        return Ok(());
    }
    Err(Error::new(
        Kind::LockHeld,
        format!("cannot forget {what}: a stopped run left an unpublished batch"),
    )
    .safe("nothing was forgotten")
    .next("aweber-sync run, which publishes the batch, then forget again"))
}

fn said(list: i64, since: Option<NaiveDate>, forgotten: &Forgotten) -> String {
    let from = since.map_or_else(String::new, |day| format!(" from {day} on"));
    let kinds = Feed::ALL.into_iter().zip(forgotten.events);
    let kinds: Vec<String> = kinds
        .filter(|(feed, events)| *events > 0 || *feed == Feed::Arrivals)
        .map(|(feed, events)| match feed {
            Feed::Arrivals => counted(events as u64, "subscription"),
            Feed::Departures => counted(events as u64, "unsubscription"),
        })
        .collect();
    let mut said = match forgotten.events.iter().sum() {
        0 => format!("No subscription of list {list}{from} was in the ledger.\n"),
        events => {
            let them = if events == 1 { "it" } else { "them" };
            let kinds = kinds.join(" and ");
            format!("Forgotten: {kinds} of list {list}{from}; the next run exports {them} again.\n")
        }
    };
    match (forgotten.since_before, forgotten.since_now) {
        (Some(before), None) => said.push_str(&format!(
            "Forgotten too: its --since {before}; the next run begins with its own --since, or exports everything.\n"
        )),
        (Some(before), Some(now)) if before != now => said.push_str(&format!(
            "The list began with --since {before}; the next run begins with {now}.\n"
        )),
        _ => {}
    }
    said
}

/// Returns the id of the configured list. Only an id that is not in the ledger, or a name, needs the network.
async fn resolve(base: &Base, list: &String) -> Result<i64> {
    if let Ok(id) = list.trim().parse()
        && is_in_ledger(&base.paths, id)?
    {
        return Ok(id);
    }
    let mut connected = connect(base).await?;
    let all = fetch_lists(&mut connected.session, &connected.account, true).await?;
    let found = select(all, std::slice::from_ref(list), &[])
        .map_err(|error| error.safe("nothing was forgotten"))?;
    connected.finish()?;
    Ok(found.first().map_or(0, |list| list.this.id))
}

/// Reads the ledger without the lock: the answer only decides whether to ask AWeber.
fn is_in_ledger(paths: &Paths, id: i64) -> Result<bool> {
    let store = TokenStore::new(paths)?;
    let Some(account) = store.load()?.account_id else {
        return Ok(false);
    };
    match Ledger::look(&paths.ledger(&account))? {
        Some(ledger) => ledger.knows_list(id),
        None => Ok(false),
    }
}

/// Opens the ledger of the account that the tokens belong to, if it exists.
fn open_ledger(paths: &Paths, store: &TokenStore) -> Result<Option<Ledger>> {
    let Some(account) = store.load()?.account_id else {
        return Ok(None);
    };
    let path = paths.ledger(&account);
    if !path.exists() {
        return Ok(None);
    }
    Ledger::open(&path, false).map(Some)
}

fn never_exported(list: i64) -> Error {
    Error::config(format!("cannot forget list {list}: it was never exported"))
        .safe("nothing was changed")
        .next("aweber-sync status, which shows the lists in the ledger")
}
