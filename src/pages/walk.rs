//! Walks through one collection over HTTP: fetches pages, lets [`next`](super::next) judge them, hands on new rows, and
//! at the end verifies that none is missing. Knows neither CSV nor the ledger.

use super::collection::{PAGE_SIZE, Page, Query, read_count};
use super::next::{PageView, Verdict, Walk};
use super::verify::{Next, Verification};
use crate::api::session::{Found, Session};
use crate::error::{Error, Kind, Result};
use crate::subscriber::RowKey;
use crate::subscriber::feed::Feed;

/// How the end of a walk is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Compare with the number of rows, requested at the end, if there were several pages or unexpectedly no row.
    Count,
    /// Trust the last page: subscribers missing from it are requested one by one anyway.
    EndOnly,
}

/// A page with new rows.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The page.
    pub(crate) page: Page,
    /// The indexes of the entries that are new to this walk.
    pub(crate) fresh: Vec<usize>,
    /// The indexes of new entries without an id.
    pub(crate) without_id: Vec<usize>,
    /// The offset of the page.
    pub(crate) offset: u64,
}

/// Drives a [`Walk`].
#[derive(Debug)]
pub(crate) struct Walker {
    query: Query,
    walk: Walk,
    verify: Verify,
    /// The collection is known or likely to have rows.
    expect_rows: bool,
    /// The number of rows that AWeber claims; until then the next pages are requested ahead.
    claimed_rows: u64,
    /// The first page was empty although rows were expected.
    unexpectedly_empty: bool,
    pages: u32,
    /// AWeber's time when the walk began, Unix seconds.
    began: Option<i64>,
    /// The last row is newer than that.
    reached_newer: bool,
    verification: Verification,
    /// The rows counted and seen, if AWeber's count is wrong.
    wrong_count: Option<(u64, u64)>,
    ended: bool,
    failed: bool,
}

impl Walker {
    /// Walks through `query` from the beginning, or from the position at which an earlier process stopped.
    pub(crate) fn new(
        query: Query,
        from: Option<Walk>,
        verify: Verify,
        expect_rows: bool,
    ) -> Walker {
        Walker {
            // A position counts as a page, so that the end is verified by the count.
            pages: u32::from(from.is_some()),
            walk: from.unwrap_or_default(),
            query,
            verify,
            expect_rows,
            claimed_rows: 0,
            unexpectedly_empty: false,
            began: None,
            reached_newer: false,
            verification: Verification::default(),
            wrong_count: None,
            ended: false,
            failed: false,
        }
    }

    /// Sets the number of rows that AWeber claims, up to which pages are requested ahead.
    pub(crate) fn with_claimed_rows(self, rows: u64) -> Walker {
        Walker {
            claimed_rows: rows,
            ..self
        }
    }

    /// The query that it walks through.
    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// The position, with which another process can continue.
    pub(crate) fn position(&self) -> &Walk {
        &self.walk
    }

    /// Returns true if the pages were inconsistent, so that the position is useless to another process.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The rows that AWeber counts and those that two whole walks saw, if the former are more.
    pub(crate) fn wrong_count(&self) -> Option<(u64, u64)> {
        self.wrong_count
    }

    /// Returns the next new rows, or `None` at the verified end.
    ///
    /// Errors: 69 if the collection is gone, unreadable or inconsistent; others as [`Session::get`].
    pub(crate) async fn next(&mut self, session: &mut Session) -> Result<Option<Rows>> {
        loop {
            if self.ended && self.is_complete(session).await? {
                return Ok(None);
            }
            let page = self.fetch(session).await?;
            if self.expect_rows && self.walk.offset() == 0 && page.len() == 0 && !page.has_next {
                // Accepted only the second time, and only if the count agrees.
                (self.expect_rows, self.unexpectedly_empty) = (false, true);
                continue;
            }
            let view = PageView {
                keys: &page.keys(),
                has_next: page.has_next,
                total_size: page.total_size,
            };
            let offset = self.walk.offset();
            let fresh = match self.walk.take(&view) {
                Verdict::Forward(fresh) => fresh,
                Verdict::End(fresh) => {
                    self.ended = true;
                    fresh
                }
                Verdict::Back => {
                    tracing::debug!(
                        event = "rows_shifted",
                        offset = self.walk.offset(),
                        "rows have shifted: stepping back"
                    );
                    continue;
                }
                Verdict::Stuck => {
                    self.failed = true;
                    return Err(Error::new(
                        Kind::Unavailable,
                        "cannot read the collection: AWeber's pages repeat without a new row",
                    )
                    .next("nothing, if the next run succeeds; if it does not, report it"));
                }
            };
            self.pages += 1;
            self.reached_newer = self.is_newer_than_start(view.keys.last());
            let (fresh, without_id) = fresh.into_iter().partition(|i| page.has_id(*i));
            return Ok(Some(Rows {
                page,
                fresh,
                without_id,
                offset,
            }));
        }
    }

    /// Every row that was there at the start is before one that is newer: see [`verify`](super::verify).
    fn is_newer_than_start(&self, last: Option<&&RowKey>) -> bool {
        if self.query.feed == Feed::Departures {
            // AWeber may ignore the order by unsubscribed_at: then a new row proves nothing.
            return false;
        }
        let at = last.and_then(|key| key.at.earliest());
        at.zip(self.began).is_some_and(|(at, began)| at > began)
    }

    async fn fetch(&mut self, session: &mut Session) -> Result<Page> {
        self.began = self
            .began
            .or_else(|| session.now().map(|now| now.timestamp()));
        let origin = session.origin().clone();
        let read = |body| Page::parse_rows(body, &self.query, &origin);
        let offset = self.walk.offset();
        // Correct if the pages before it are full. AWeber may read it before them: it is accepted by its first row anyway.
        let next = |number| {
            let start = offset + (PAGE_SIZE - 1) * (number as u64 + 1);
            (self.claimed_rows > start + 1).then(|| self.query.page(start))
        };
        match session
            .get_with_next(&self.query.page(offset), &next, read)
            .await?
        {
            Found::There(page) => Ok(page),
            Found::NotThere => Err(gone()),
        }
    }

    /// Compares the rows seen with AWeber's count, unless that is not needed. If some are missing, prepares to read on
    /// and returns false.
    async fn is_complete(&mut self, session: &mut Session) -> Result<bool> {
        let is_empty_again = self.unexpectedly_empty && self.walk.seen() == 0;
        // One page that holds all that AWeber claims for the list needs no count.
        let is_one_page =
            self.pages <= 1 && !is_empty_again && self.walk.seen() >= self.claimed_rows;
        if self.verify == Verify::EndOnly || is_one_page || self.reached_newer {
            return Ok(true);
        }
        let read = |body: Vec<u8>| read_count(&body).ok_or_else(|| "it is not a count".to_owned());
        let Found::There(counted) = session.get(&self.query.count(), read).await? else {
            return Err(gone());
        };
        let seen = self.walk.seen();
        match self.verification.after_count(&self.walk, counted) {
            Next::Complete => return Ok(true),
            Next::CountIsWrong => {
                self.wrong_count = Some((counted, seen));
                return Ok(true);
            }
            Next::LookForMore => {}
            Next::WalkAgain => (self.walk, self.began) = (Walk::new(), None),
            Next::GiveUp => {
                self.failed = true;
                return Err(Error::new(
                    Kind::Unavailable,
                    format!(
                        "cannot read all subscribers: AWeber counts {counted}, but its pages hold {seen}"
                    ),
                )
                .safe("the subscribers seen are exported; the next run reads the list again")
                .next("nothing, if the next run succeeds"));
            }
        }
        tracing::info!(
            event = "reading_again",
            seen,
            counted,
            "fewer subscribers seen than AWeber counts: looking for them"
        );
        self.ended = false;
        Ok(false)
    }
}

fn gone() -> Error {
    Error::new(Kind::Unavailable, "no such collection at AWeber: 404")
        .next("nothing, if the list was deleted: the next run skips it")
}
