//! The requests about account, scopes and lists, and those that show how AWeber behaves: GETs only, none repeated, and
//! no more than the limit of the session.

use super::assumptions::days_to_ask;
use super::facts::{Days, Facts};
use super::finding::Findings;
use super::listing::{Listing, Total, time};
use crate::api::session::Session;
use crate::api::transport::Reply;
use crate::error::{Error, Kind, Result};
use crate::lists::{List, account_path};
use crate::pages::collection::{PAGE_SIZE, Page, Query};
use crate::subscriber::feed::Feed;
use chrono::{Days as Span, NaiveDate, Utc};

/// The lists of more pages than this are not all looked at.
const LIST_PAGES: u64 = 5;

/// An id that no subscriber has: AWeber's have eight digits and more.
const NO_ID: &str = "1";

/// The probing session.
pub(super) struct Probe<'a> {
    pub(super) session: &'a mut Session,
    pub(super) account: String,
}

impl Probe<'_> {
    /// The body of a success. Errors: as a run would end for this answer; one that names a missing scope, 77.
    async fn read(&mut self, path: &str, scope: &str) -> Result<Reply> {
        let reply = self.session.look(path).await?;
        if reply.status < 300 {
            return Ok(reply);
        }
        let (problem, error) = self.session.refusal(&reply);
        let is_scope = reply.status == 403 && error.kind() == Kind::NeedsHuman;
        if is_scope || problem.says("scope") {
            let what = format!(
                "the authorization lacks the scope {scope}: {}",
                error.what()
            );
            return Err(Error::new(Kind::NeedsHuman, what)
                .next("aweber-sync authorize, and allow everything that it asks for"));
        }
        Err(error)
    }

    /// The account of the tokens, by a request that needs `account.read`.
    pub(super) async fn check_account(&mut self, findings: &mut Findings) -> Result<()> {
        let reply = self.read("/1.0/accounts", "account.read").await?;
        let origin = self.session.origin().clone();
        let accounts = Listing::read(&reply.body, &origin).unwrap_or_default();
        let ids: Vec<String> = accounts
            .ids()
            .iter()
            .map(|id| id.to_string().replace('"', ""))
            .collect();
        if self.account.is_empty()
            && let [id] = ids.as_slice()
        {
            self.account = crate::account::checked_account(id.clone())?;
        }
        if ids.contains(&self.account) {
            return Ok(());
        }
        let seen = match ids.len() {
            0 => "AWeber shows no account",
            1 => "AWeber shows another account than the token file names",
            _ => "AWeber shows several accounts",
        };
        findings.warn("account", seen, "aweber-sync authorize");
        Ok(())
    }

    /// The account's lists, by requests that need `list.read`; at most the first few hundred.
    pub(super) async fn lists(&mut self, findings: &mut Findings) -> Result<Vec<List>> {
        let query = Query::all(format!("{}/lists", account_path(&self.account)));
        let origin = self.session.origin().clone();
        let mut lists = Vec::new();
        for page in 0..LIST_PAGES {
            let reply = self
                .read(&query.page(page * PAGE_SIZE), "list.read")
                .await?;
            let page = Page::parse(reply.body, &query, &origin).map_err(|why| {
                Error::new(
                    Kind::Unavailable,
                    format!("AWeber's answer cannot be used: {why}"),
                )
                .next("the same command once more; if it stays so, please report it")
            })?;
            lists.extend(
                page.subscribers()
                    .map(|list| List::read(list.json(), list.id())),
            );
            if !page.has_next {
                return Ok(lists);
            }
        }
        findings.note(
            "lists",
            format!("only the first {} lists are looked at", lists.len()),
        );
        Ok(lists)
    }

    /// Asks all that the assumptions are about, of one list. The error is why not everything was asked.
    pub(super) async fn ask_all(&mut self, list: &List, facts: &mut Facts) -> Result<()> {
        let path = format!(
            "{}/lists/{}/subscribers",
            account_path(&self.account),
            list.this.id
        );
        let listed = Query::all(path.clone());
        self.ask_pages(&listed, list, facts).await?;
        let found = Query::find(path.clone(), Feed::Arrivals);
        self.ask_order(&found, facts).await?;
        let count = self.ok(&found.count()).await?;
        facts.count = count.map(|reply| read_count(&reply.body));
        self.ask_subscribed_days(&found, facts).await?;
        self.ask_unsubscribed(&path, facts).await?;
        let vanished = self.session.look(&format!("{path}/{NO_ID}")).await?;
        facts.vanished = Some(vanished.status);
        facts.has_limit_headers |= vanished.has_limit_headers;
        Ok(())
    }

    /// The plain collection: its first page, one that is too large, and the one that begins with the last row.
    async fn ask_pages(&mut self, query: &Query, list: &List, facts: &mut Facts) -> Result<()> {
        let first = self.read(&query.page(0), "subscriber.read").await?;
        facts.has_limit_headers |= first.has_limit_headers;
        let origin = self.session.origin().clone();
        facts.plain = Some(Listing::read(&first.body, &origin).ok_or_else(|| {
            Error::new(
                Kind::Unavailable,
                "AWeber's page of subscribers is not a collection",
            )
            .next("the same command once more; if it stays so, please report it")
        })?);
        let total = facts
            .plain
            .as_ref()
            .map_or(Total::Absent, |page| page.total);
        facts.claimed = Some(total.value().unwrap_or_else(|| list.count(None)));
        let larger = format!("{}?ws.start=0&ws.size={}", query.path, PAGE_SIZE + 1);
        let larger = self.look(&larger).await?;
        let rows = Listing::read(&larger.body, &origin).map_or(0, |page| page.len());
        facts.larger = Some((larger.status, rows));
        let claimed = facts.claimed.unwrap_or_default();
        facts.last = self.listing(&query.page(claimed.saturating_sub(1))).await?;
        facts.real = match &facts.last {
            Some(last) if claimed > 0 => Some(claimed - 1 + last.len().max(1)),
            _ => facts.plain.as_ref().map(Listing::len),
        };
        Ok(())
    }

    /// The find that runs use, oldest first: its first page and its last full one.
    async fn ask_order(&mut self, query: &Query, facts: &mut Facts) -> Result<()> {
        facts.oldest = self.listing(&query.page(0)).await?;
        let size = facts.oldest.as_ref().map_or(PAGE_SIZE, Listing::len);
        let real = facts.real.unwrap_or_default();
        if real > size {
            facts.newest = self.listing(&query.page(real - size)).await?;
        }
        let mut window: Vec<i64> = [&facts.oldest, &facts.newest]
            .into_iter()
            .flatten()
            .flat_map(|page| &page.rows)
            .filter_map(|row| Some((row.get("id")?.to_string(), time(row, "subscribed_at")?)))
            .collect::<std::collections::BTreeMap<_, _>>()
            .into_values()
            .collect();
        window.sort_unstable_by(|one, other| other.cmp(one));
        if (window.len() as u64) < real {
            // Of a long list only the newest rows are known without a gap.
            let times = |page: &Listing| newest_first(page, "subscribed_at");
            let newest = facts.newest.as_ref().or(facts.oldest.as_ref());
            window = newest.map(times).unwrap_or_default();
            let first = facts.oldest.as_ref().map(times).unwrap_or_default();
            if first.first() > window.first() {
                window = first;
            }
        }
        let page_size = if real > size { size } else { PAGE_SIZE };
        facts.subscribed_days = Days {
            window,
            page_size,
            ..Days::default()
        };
        Ok(())
    }

    async fn ask_subscribed_days(&mut self, query: &Query, facts: &mut Facts) -> Result<()> {
        let after = |day: NaiveDate| with(query, &[("subscribed_after", day.to_string())]);
        let future = self
            .listing(&after(in_the_future(self.session)).page(0))
            .await?;
        facts.subscribed_days.future = future.map(|page| page.len());
        for day in days_to_ask(
            &facts.subscribed_days.window,
            facts.subscribed_days.page_size,
        ) {
            if let Some(found) = self.listing(&after(day).page(0)).await? {
                facts.subscribed_days.asked.push((day, found.len()));
            }
        }
        Ok(())
    }

    async fn ask_unsubscribed(&mut self, path: &str, facts: &mut Facts) -> Result<()> {
        let status = ("status", "unsubscribed".to_owned());
        let query = with(&Query::find(path.to_owned(), Feed::Departures), &[status]);
        facts.unsubscribed = self.listing(&query.page(0)).await?;
        let Some(found) = &facts.unsubscribed else {
            return Ok(());
        };
        let page_size = facts.subscribed_days.page_size;
        let window = match found.len() < page_size {
            true => newest_first(found, "unsubscribed_at"),
            // The newest of a longer list are on a later page.
            false => Vec::new(),
        };
        let after = |day: NaiveDate| with(&query, &[("unsubscribed_after", day.to_string())]);
        let future = self
            .listing(&after(in_the_future(self.session)).page(0))
            .await?;
        let mut asked = Vec::new();
        for day in days_to_ask(&window, page_size) {
            if let Some(found) = self.listing(&after(day).page(0)).await? {
                asked.push((day, found.len()));
            }
        }
        facts.unsubscribed_days = Days {
            window,
            page_size,
            future: future.map(|page| page.len()),
            asked,
        };
        Ok(())
    }

    /// One GET. Errors: those that end the questions: no answer, the rate limit, a token that is no longer accepted.
    async fn look(&mut self, path: &str) -> Result<Reply> {
        let reply = self.session.look(path).await?;
        if reply.status < 300 {
            return Ok(reply);
        }
        let (_, error) = self.session.refusal(&reply);
        match (reply.status, error.kind()) {
            (401 | 403 | 429 | 500.., _) => Err(error),
            _ => Ok(reply),
        }
    }

    /// The answer, if it is a success.
    async fn ok(&mut self, path: &str) -> Result<Option<Reply>> {
        Ok(Some(self.look(path).await?).filter(|reply| reply.status < 300))
    }

    /// The answer, if it is a collection.
    async fn listing(&mut self, path: &str) -> Result<Option<Listing>> {
        let origin = self.session.origin().clone();
        let reply = self.ok(path).await?;
        Ok(reply.and_then(|reply| Listing::read(&reply.body, &origin)))
    }
}

fn with(query: &Query, more: &[(&'static str, String)]) -> Query {
    let mut query = query.clone();
    query.parameters.extend_from_slice(more);
    query
}

/// A day that has begun in no zone.
fn in_the_future(session: &Session) -> NaiveDate {
    let today = session.now().unwrap_or_else(Utc::now).date_naive();
    today + Span::new(3)
}

fn newest_first(page: &Listing, field: &str) -> Vec<i64> {
    let mut times = page.times(field);
    times.sort_unstable_by(|one, other| other.cmp(one));
    times
}

/// The number in an answer to `ws.show=total_size`, and whether it is bare.
fn read_count(body: &[u8]) -> (Total, bool) {
    let number = crate::pages::collection::read_count(body);
    let is_bare = serde_json::from_slice::<u64>(body).is_ok();
    (number.map_or(Total::NotANumber, Total::Number), is_bare)
}
