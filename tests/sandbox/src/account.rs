//! The customer's account.

use crate::answer::{Answer, envelope_a};
use crate::fields::{ObjectWriter, Overrides};

/// The account that tokens belong to. Its fields may be changed while the sandbox runs.
#[derive(Debug, Clone)]
pub struct Account {
    /// The id, which is part of every path.
    pub id: u64,
    /// The uuid.
    pub uuid: String,
    /// The customer's company.
    pub company: String,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            id: 1_234_567,
            uuid: "5c1f8d6e-0d2b-4d0e-9a51-2f1d7f3c9b01".to_owned(),
            company: "Example Trading Ltd".to_owned(),
        }
    }
}

/// The state of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountState {
    /// AWeber serves it.
    #[default]
    Open,
    /// Closed: 401 `UnauthorizedError` "Invalid Account".
    Closed,
    /// Suspended: 403 "Account Temporarily Suspended".
    Suspended,
    /// AWeber blocked the integration: 410 `BlockedError`, on the OAuth endpoints too.
    Blocked,
}

impl AccountState {
    /// The error that API requests get; `None` for an open account.
    pub(crate) fn rejection(self) -> Option<Answer> {
        match self {
            AccountState::Open => None,
            AccountState::Closed => Some(invalid_account()),
            AccountState::Suspended => Some(envelope_a(
                403,
                "ForbiddenError",
                "Account Temporarily Suspended",
            )),
            AccountState::Blocked => Some(blocked()),
        }
    }
}

/// For a closed account, or one that does not belong to the token.
pub(crate) fn invalid_account() -> Answer {
    envelope_a(401, "UnauthorizedError", "Invalid Account")
}

pub(crate) fn blocked() -> Answer {
    envelope_a(
        410,
        "BlockedError",
        "This integration has been blocked. Please contact AWeber.",
    )
}

/// Renders the account as JSON; `base` is the link to the collection of accounts.
pub(crate) fn render(account: &Account, base: &str) -> Vec<u8> {
    let overrides = Overrides::default();
    let link = format!("{base}/{}", account.id);
    let mut object = ObjectWriter::new(&overrides);
    object.number("id", account.id);
    object.text("uuid", &account.uuid);
    object.text("company", &account.company);
    object.text(
        "analytics_src",
        &format!("analytics.aweber.com/js/awt_analytics.js?id={}", account.id),
    );
    object.text("self_link", &link);
    object.text("lists_collection_link", &format!("{link}/lists"));
    object.text(
        "integrations_collection_link",
        &format!("{link}/integrations"),
    );
    object.text("resource_type_link", "https://api.aweber.com/1.0/#account");
    object.finish()
}
