//! A walk through one collection over HTTP: fetch, let [`next`](super::next) judge, hand the new rows on, and at the
//! end verify that nobody is missing. Knows nothing of CSV or ledger.

use super::collection::{PAGE_SIZE, Page, Query, read_count};
use super::next::{PageView, Verdict, Walk};
use crate::api::session::{Found, Session};
use crate::error::{Error, Kind, Result};

/// How the end of a walk is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Of more than one page, or of none although there should be one: by the number of rows, asked for at the end.
    Count,
    /// Not beyond the end itself: whoever is missing is asked for one by one anyway.
    EndOnly,
}

/// New rows, on the page that they came on.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The page.
    pub(crate) page: Page,
    /// Which of its entries are new to this walk.
    pub(crate) fresh: Vec<usize>,
}

/// A walk under way.
#[derive(Debug)]
pub(crate) struct Walker {
    query: Query,
    walk: Walk,
    verify: Verify,
    /// There is reason to think that the collection is not empty.
    expect_rows: bool,
    /// How many rows there may be, where that is known.
    at_most: u64,
    /// They were expected, and the first page was empty.
    surprised: bool,
    pages: u32,
    stage: Stage,
    ended: bool,
    failed: bool,
}

/// How far verification has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The walk itself.
    First,
    /// The count said more: looking for newcomers behind the end.
    Newcomers,
    /// Still more: the whole walk once more.
    Again,
}

impl Walker {
    /// A walk through `query`, from its beginning or from where an earlier process stopped.
    pub(crate) fn new(
        query: Query,
        from: Option<Walk>,
        verify: Verify,
        expect_rows: bool,
    ) -> Walker {
        Walker {
            // What an earlier process walked counts as a page: the end is then verified by the count.
            pages: u32::from(from.is_some()),
            walk: from.unwrap_or_default(),
            query,
            verify,
            expect_rows,
            at_most: 0,
            surprised: false,
            stage: Stage::First,
            ended: false,
            failed: false,
        }
    }

    /// As long as fewer than `rows` have been seen another page will be needed, and may be asked for ahead.
    pub(crate) fn of_at_most(self, rows: u64) -> Walker {
        Walker {
            at_most: rows,
            ..self
        }
    }

    /// Where the walk is, to be kept for another process.
    pub(crate) fn position(&self) -> &Walk {
        &self.walk
    }

    /// Whether this walk has failed in itself, so that its place is of no use to another process.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The next new rows; `None` when everybody has been seen and that was verified.
    ///
    /// Errors: 69 if the collection is gone, cannot be read, or does not hold what it says; others as
    /// [`Session::get`].
    pub(crate) async fn next(&mut self, session: &mut Session) -> Result<Option<Rows>> {
        loop {
            if self.ended && self.is_complete(session).await? {
                return Ok(None);
            }
            let page = self.fetch(session).await?;
            if self.expect_rows && self.walk.start() == 0 && page.len() == 0 && !page.has_next {
                // Believed the second time only, and only if the count says so too.
                (self.expect_rows, self.surprised) = (false, true);
                continue;
            }
            let shown = PageView {
                keys: &page.keys(),
                has_next: page.has_next,
                total_size: page.total_size,
            };
            let fresh = match self.walk.take(&shown) {
                Verdict::Forward(fresh) => fresh,
                Verdict::End(fresh) => {
                    self.ended = true;
                    fresh
                }
                Verdict::Back => {
                    tracing::debug!(
                        event = "rows_shifted",
                        start = self.walk.start(),
                        "rows have shifted: going back"
                    );
                    continue;
                }
                Verdict::Stuck => {
                    self.failed = true;
                    return Err(Error::new(
                        Kind::Unavailable,
                        "AWeber's pages lead nowhere: page after page without a new row",
                    )
                    .next("nothing, if the next run succeeds; if it does not, report it"));
                }
            };
            self.pages += 1;
            return Ok(Some(Rows { page, fresh }));
        }
    }

    async fn fetch(&mut self, session: &mut Session) -> Result<Page> {
        let origin = session.origin().clone();
        let read = |body| Page::parse(body, &self.query, &origin);
        let start = self.walk.start();
        // If this page is full. Whichever of the two AWeber reads first, the next is believed by what it begins with.
        let next =
            (self.at_most > start + PAGE_SIZE).then(|| self.query.page(start + PAGE_SIZE - 1));
        match session
            .get_with_next(&self.query.page(start), next.as_deref(), read)
            .await?
        {
            Found::There(page) => Ok(page),
            Found::NotThere => Err(gone()),
        }
    }

    /// Compares the rows seen with the number that AWeber counts; if there are fewer, sets out to look for them.
    async fn is_complete(&mut self, session: &mut Session) -> Result<bool> {
        let empty_after_all = self.surprised && self.walk.seen() == 0;
        if self.verify == Verify::EndOnly || (self.pages <= 1 && !empty_after_all) {
            return Ok(true);
        }
        let read = |body: Vec<u8>| read_count(&body).ok_or_else(|| "it is no count".to_owned());
        let Found::There(counted) = session.get(&self.query.count(), read).await? else {
            return Err(gone());
        };
        let seen = self.walk.seen();
        if seen >= counted {
            return Ok(true);
        }
        tracing::info!(
            event = "reading_again",
            seen,
            counted,
            "fewer subscribers seen than AWeber counts: looking for them"
        );
        self.stage = match self.stage {
            Stage::First => Stage::Newcomers,
            Stage::Newcomers => {
                self.walk = Walk::new();
                Stage::Again
            }
            Stage::Again => {
                self.failed = true;
                return Err(Error::new(
                    Kind::Unavailable,
                    format!(
                        "AWeber counts {counted} subscribers, but its pages show {seen}, twice"
                    ),
                )
                .safe("those seen are exported; the list is looked through again by the next run")
                .next("nothing, if the next run succeeds"));
            }
        };
        self.ended = false;
        Ok(false)
    }
}

fn gone() -> Error {
    Error::new(
        Kind::Unavailable,
        "AWeber says that it does not exist (404)",
    )
    .next("nothing, if the list was deleted: the next run no longer sees it")
}
