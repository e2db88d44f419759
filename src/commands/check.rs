//! `aweber-sync check`: shows whether a run would succeed, and whether AWeber behaves as this program assumes. Reads
//! only, with at most 30 requests.

mod assumptions;
mod connection;
mod environment;
mod facts;
mod finding;
mod judgement;
mod listing;
mod outcome;
mod probe;
mod report;
mod rotation;
mod schedule;
mod setup;
mod text;

use self::connection::Connection;
use self::facts::Facts;
use self::outcome::Outcome;
use self::probe::Probe;
use self::report::Report;
use self::setup::Setup;
use super::print;
use crate::api::reaction::SCOPES;
use crate::api::session::Session;
use crate::config;
use crate::connect::session;
use crate::disk::atomic;
use crate::error::{Error, Kind, Result};
use crate::lists::{List, select};
use crate::pages::collection::PAGE_SIZE;
use crate::printable::printable;
use crate::secret::ExposeSecret;
use crate::stop::Stop;
use chrono::Utc;

/// The most requests of one check, of all kinds.
const MOST_REQUESTS: u64 = 30;

/// Checks set-up, connection and assumptions, and prints the result. Errors: as `run` would end.
pub(crate) async fn check(config: config::Check) -> Result<()> {
    if let Some(without_asking) = config.probe_rotation {
        return rotation::probe(&config.base, without_asking, config.json).await;
    }
    let mut stop = Stop::listen(None)?;
    let mut setup = setup::check(&config, &mut stop).await?;
    let mut outcome = Outcome::default();
    let connection = connection::check(&config.base.network, &mut outcome.connection).await;
    outcome.requests = connection.requests;
    let mut lists = None;
    if outcome.connection.errors().next().is_none() {
        lists = ask_aweber(&config, &mut setup, &mut outcome, stop).await?;
    }
    outcome.setup = setup.findings;
    write_report(&config, &outcome, connection, lists)?;
    outcome.report = config.report.clone();
    let text = match config.json {
        true => format!("{:#}\n", outcome.json()),
        false => text::render(&outcome, config.verbose),
    };
    print(&text)?;
    outcome.error().map_or(Ok(()), Err)
}

/// Everything that needs the tokens; returns the number of lists. Errors: a signal.
async fn ask_aweber(
    config: &config::Check,
    setup: &mut Setup,
    outcome: &mut Outcome,
    stop: Stop,
) -> Result<Option<u64>> {
    let Some(tokens) = setup.tokens.take() else {
        return Ok(None);
    };
    let findings = &mut outcome.connection;
    let account = tokens.account_id.clone().unwrap_or_default();
    let secret = config.base.client.secret();
    let opened = session(&config.base, &setup.store, tokens, secret, stop);
    let Some(mut session) = findings.take("session", opened) else {
        return Ok(None);
    };
    session.limit_requests(MOST_REQUESTS - outcome.requests);
    let mut facts = Facts {
        refresh: setup
            .ledger
            .as_ref()
            .and_then(|ledger| ledger.last_refresh().ok()?),
        ..Facts::default()
    };
    let asked = ask_with(config, &mut session, account, &mut facts, outcome).await;
    outcome.requests += session.requests();
    match asked {
        Err(error) if matches!(error.kind(), Kind::Signal(_)) => Err(error),
        Err(error) => {
            outcome.connection.failed("aweber", error);
            Ok(None)
        }
        Ok(lists) => {
            if let Some(error) = session.take_deferred_error() {
                outcome.connection.failed("token", error);
            }
            Ok(lists)
        }
    }
}

async fn ask_with(
    config: &config::Check,
    session: &mut Session,
    account: String,
    facts: &mut Facts,
    outcome: &mut Outcome,
) -> Result<Option<u64>> {
    let findings = &mut outcome.connection;
    let is_oauth1 = session.tokens().kind.is_oauth1();
    if is_oauth1 {
        findings.note(
            "token",
            "OAuth 1.0a: it never expires, and no run refreshes it",
        );
    } else if config.refresh {
        session.refresh().await?;
        facts.refresh = session.refresh_answer();
        findings.good("token", "refreshed, and the new tokens are stored");
    } else if let Some(why) = why_not_to_ask(session) {
        findings.note(
            "token",
            format!("{why}: aweber-sync check --refresh tries the rest"),
        );
        return Ok(None);
    }
    let mut probe = Probe { session, account };
    match probe.check_account(findings).await {
        Err(error) if is_dead_token(&error) && !config.refresh && !is_oauth1 => {
            findings.note(
                "token",
                "AWeber no longer accepts the access token, which lives two hours: aweber-sync check --refresh tries the rest",
            );
            return Ok(None);
        }
        other => other?,
    }
    let lists = probe.lists(findings).await?;
    let count = lists.len() as u64;
    let Some(list) = choose_list(config, lists, findings)? else {
        return Ok(Some(count));
    };
    outcome.list = Some(named(&list));
    match probe.ask_all(&list, facts).await {
        Err(error) if matches!(error.kind(), Kind::Signal(_)) => return Err(error),
        Err(error) if facts.plain.is_none() => return Err(error),
        Err(error) => outcome.stopped = Some(error),
        Ok(()) => {}
    }
    outcome.connection.good("scopes", SCOPES);
    outcome.judgements = assumptions::judge(facts);
    Ok(Some(count))
}

/// Why the stored access token cannot be used.
fn why_not_to_ask(session: &Session) -> Option<&'static str> {
    let tokens = session.tokens();
    match &tokens.access_token {
        None => Some("no access token yet"),
        Some(token) if token.expose_secret().is_empty() => Some("no access token yet"),
        Some(_) if (1..=Utc::now().timestamp()).contains(&tokens.expires_at) => {
            Some("the access token has expired (it lives two hours)")
        }
        Some(_) => None,
    }
}

/// A 401 that names no scope.
fn is_dead_token(error: &Error) -> bool {
    error.kind() == Kind::NeedsHuman && error.what().starts_with("AWeber answered 401")
}

/// The lists of the configuration must exist. Of them the one with the fewest subscribers over a page is looked at: its
/// pages show most, at the least cost; else the largest one.
fn choose_list(
    config: &config::Check,
    lists: Vec<List>,
    findings: &mut finding::Findings,
) -> Result<Option<List>> {
    let all = lists.len();
    let (wanted, excluded) = match &config.run {
        Ok(run) => (run.lists.as_slice(), run.exclude_lists.as_slice()),
        Err(_) => (&[][..], &[][..]),
    };
    let selected = select(lists, wanted, excluded)?;
    let text = match (all, selected.len()) {
        (all, selected) if all == selected => format!("{all}, all exported"),
        (all, selected) => format!("{all}, of which {selected} are exported"),
    };
    findings.good("lists", text);
    let size = |list: &List| list.count(None);
    let over_a_page = selected.iter().filter(|list| size(list) > PAGE_SIZE);
    let chosen = over_a_page
        .min_by_key(|list| size(list))
        .or_else(|| selected.iter().max_by_key(|list| size(list)));
    Ok(chosen.cloned())
}

fn named(list: &List) -> String {
    let name = printable(&list.this.name, 40);
    format!(
        "list {} ({name}), {} subscribers",
        list.this.id,
        list.count(None)
    )
}

fn write_report(
    config: &config::Check,
    outcome: &Outcome,
    connection: Connection,
    lists: Option<u64>,
) -> Result<()> {
    let Some(path) = &config.report else {
        return Ok(());
    };
    let parts = [&outcome.setup, &outcome.connection];
    let report = Report::new(
        parts,
        connection,
        &outcome.judgements,
        lists,
        outcome.requests,
    );
    atomic::replace_file(path, report.render().as_bytes(), atomic::PRIVATE).map_err(|e| {
        Error::output("cannot write the report", path, &e)
            .next("give --report a path that you can write to")
    })
}
