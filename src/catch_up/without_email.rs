//! Pages without addresses: an app of OAuth 1.0a needs a permission for them (AWeber API, section 4).

use super::CatchUp;
use crate::pages::walk::Rows;
use crate::subscriber::fields::EMAIL;
use crate::typed::as_typed;

impl CatchUp<'_> {
    /// Warns, once a run, if no entry of a page has the field `email`.
    pub(super) fn check_addresses(&mut self, rows: &Rows) {
        let has_addresses = |rows: &Rows| {
            let mut entries = rows.page.subscribers();
            entries.any(|entry| entry.raw(EMAIL).is_some())
        };
        let is_affected = self.session.tokens().kind.is_oauth1() && rows.page.len() > 0;
        if is_affected && !has_addresses(rows) && self.collector.note_without_email() {
            tracing::warn!(
                event = "permission_missing",
                "AWeber sends no email addresses: the app lacks the permission 'Request Subscriber Data'\n  next: turn it \
                 on at labs.aweber.com/apps, then {}, and {} for each list exported without",
                as_typed("aweber-sync authorize"),
                as_typed("aweber-sync forget --list ID")
            );
        }
    }
}
