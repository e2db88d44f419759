//! The account that the tokens belong to: asked of AWeber, and kept in the token file.

use crate::api::session::{Found, Session};
use crate::error::{Error, Kind, Result};
use crate::locks::Locks;
use crate::pages::collection::{Page, Query};
use crate::token::model::TokenFile;

/// The account id is part of a path and of a file name.
pub(crate) fn checked_account(account: String) -> Result<String> {
    if !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(account);
    }
    Err(
        Error::config("invalid account_id in token file: expected digits")
            .safe("no request was sent")
            .next("aweber-sync authorize"),
    )
}

/// Asks AWeber for the account, and keeps the answer in the token file.
pub(crate) async fn learn_account(session: &mut Session, locks: &Locks) -> Result<String> {
    let account = fetch_account(session).await.map_err(|error| {
        error.or_safe("the tokens are stored; nothing was exported by this run, no row is lost")
    })?;
    let account = account.id;
    let present = session.tokens().clone();
    let tokens = TokenFile {
        generation: present.generation + 1,
        account_id: Some(account.clone()),
        ..present.clone()
    };
    locks.store.install(&tokens)?;
    session.set_tokens(tokens);
    Ok(account)
}

/// An account as AWeber describes it.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) company: Option<String>,
}

/// The one account that the tokens belong to (AWeber API, section 3: always exactly one).
pub(crate) async fn fetch_account(session: &mut Session) -> Result<Account> {
    let query = Query::all("/1.0/accounts".to_owned());
    let origin = session.origin().clone();
    let read = |body| {
        let page = Page::parse(body, &query, &origin)?;
        let accounts = page.subscribers().map(|account| Account {
            id: account.id().to_string(),
            company: serde_json::from_str::<serde_json::Value>(account.json())
                .ok()
                .and_then(|account| account.get("company")?.as_str().map(str::to_owned)),
        });
        let mut accounts: Vec<Account> = accounts.collect();
        // The same one shown twice is one.
        accounts.dedup_by(|one, other| one.id == other.id);
        match accounts {
            accounts if accounts.is_empty() => Err("there is no account in it".to_owned()),
            accounts => Ok(accounts),
        }
    };
    let several = |n: usize| {
        Error::config(format!("the tokens belong to {n} accounts; one is needed"))
            .safe("nothing was exported")
            .next("please report this: by AWeber's documentation tokens belong to one account")
    };
    match session.get(&query.path, read).await? {
        Found::There(mut accounts) => match (accounts.pop(), accounts.len()) {
            (Some(account), 0) => Ok(account),
            (_, more) => Err(several(more + 1)),
        },
        Found::NotThere => Err(Error::new(
            Kind::NeedsHuman,
            "AWeber knows no account for these tokens (404)",
        )
        .safe("the tokens are kept")
        .next("aweber-sync authorize")),
    }
}
