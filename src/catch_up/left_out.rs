//! Rows without an id, which cannot be exported: they are named, and asked for again by the next run.

use super::CatchUp;
use crate::error::{Error, Kind, Result};
use crate::ledger::progress::LeftOut;
use crate::pages::collection::Query;
use crate::pages::walk::Rows;

/// How many rows without an id are named.
const ROWS_NAMED: usize = 10;

impl CatchUp<'_> {
    /// Notes the rows of a page that have no id.
    pub(super) fn note_left_out(&mut self, rows: &Rows, query: &Query) {
        let keys = rows.page.keys();
        for i in &rows.without_id {
            // The rows are sorted: the one before is no newer.
            let at = keys[..=*i].iter().rev().find_map(|key| key.at.earliest());
            let at = at.or(self.newest);
            let mut row = format!("row {}", rows.offset + *i as u64 + 1);
            if !query.filters().is_empty() {
                row += &format!(" of those with {}", query.filters());
            }
            let left_out = self.left_out.get_or_insert_with(|| LeftOut {
                rows: Vec::new(),
                mark: at,
            });
            left_out.mark = left_out.mark.min(at);
            if left_out.rows.len() < ROWS_NAMED && !left_out.rows.contains(&row) {
                left_out.rows.push(row);
            }
        }
    }

    /// 69 if rows were left out.
    pub(super) fn check_left_out(&self) -> Result<()> {
        let Some(left_out) = &self.left_out else {
            return Ok(());
        };
        let rows = left_out.rows.join(", ");
        Err(Error::new(
            Kind::Unavailable,
            format!("cannot export every subscriber: AWeber sends no id for {rows}"),
        )
        .safe("all others are exported; the next run asks for these rows again")
        .next("nothing, if the next run succeeds; if it does not, write to AWeber's support with the line above"))
    }
}
