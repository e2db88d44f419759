//! `aweber-sync forget`: the ledger forgets a list, so that the next run exports it again.

use super::connect::connect;
use super::print;
use crate::cli;
use crate::config::{Env, Paths};
use crate::error::{Error, Kind, Result};
use crate::ledger::Ledger;
use crate::lists::{fetch_lists, select};
use crate::locks::Locks;
use crate::stop::Stop;
use crate::timestamp;
use crate::token::store::TokenStore;

/// Forgets. A list given by its id needs no network.
pub(crate) async fn forget(common: &cli::Common, args: &cli::Forget, env: Env<'_>) -> Result<()> {
    let since = match args.since.as_deref() {
        None => None,
        Some(text) => {
            let day = timestamp::day(text.trim()).ok_or_else(|| {
                Error::new(Kind::Usage, format!("--since {text}: not a day"))
                    .next("write it as 2026-11-22")
            })?;
            Some(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp())
        }
    };
    let paths = Paths::new(common, env)?;
    let list = match args.list.trim().parse::<i64>() {
        Ok(id) if known(&paths, id)? => id,
        _ => {
            let mut connected = connect(common, &args.network, env).await?;
            let all = fetch_lists(&mut connected.session, &connected.account).await?;
            let found = select(all, std::slice::from_ref(&args.list), &[])?;
            connected.finish()?;
            found.first().map_or(0, |list| list.this.id)
        }
    };
    let mut stop = Stop::listen(None)?;
    let locks = Locks::take(&paths, args.network.lock_wait, &mut stop).await?;
    let Some(account) = locks.store.load()?.account_id else {
        return Err(nothing_to_forget(list));
    };
    let path = paths.ledger(&account);
    if !path.exists() {
        return Err(nothing_to_forget(list));
    }
    let mut ledger = Ledger::open(&path, false)?;
    if !ledger.knows_list(list)? {
        return Err(nothing_to_forget(list));
    }
    if ledger.waiting_batch()?.is_some() {
        return Err(Error::new(
            Kind::LockHeld,
            "a stopped run has left a batch that is not published yet",
        )
        .safe("nothing was forgotten")
        .next("aweber-sync run, which publishes it, then forget again"));
    }
    let forgotten = ledger.forget(list, since)?;
    ledger.commit()?;
    let subscriptions = if forgotten == 1 {
        "subscription"
    } else {
        "subscriptions"
    };
    print(&format!(
        "Forgot {forgotten} {subscriptions} of list {list}; the next run exports them again.\n"
    ))
}

/// Whether the ledger knows the list; asked without a lock, only to decide whether AWeber must be asked.
fn known(paths: &Paths, id: i64) -> Result<bool> {
    let store = TokenStore::at(&paths.token_file)?;
    let Some(account) = store.load()?.account_id else {
        return Ok(false);
    };
    match Ledger::look(&paths.ledger(&account))? {
        Some(ledger) => ledger.knows_list(id),
        None => Ok(false),
    }
}

fn nothing_to_forget(list: i64) -> Error {
    Error::config(format!(
        "nothing of list {list} was ever exported, so there is nothing to forget"
    ))
    .safe("nothing was changed")
    .next("aweber-sync status shows the lists that the ledger knows")
}
