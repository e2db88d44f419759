//! The customer's account.

use crate::answer::{Answer, envelope_a};
use crate::fields::{ObjectWriter, Overrides};

/// The account that tokens belong to; its fields may be changed while the sandbox runs.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id, as it stands in every path.
    pub id: u64,
    /// Its uuid.
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

/// Whether AWeber serves the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountState {
    /// It does.
    #[default]
    Open,
    /// The account was closed: 401 `UnauthorizedError` "Invalid Account".
    Closed,
    /// 403 "Account Temporarily Suspended".
    Suspended,
    /// AWeber blocked the integration: 410 `BlockedError`, on the OAuth endpoints too.
    Blocked,
}

impl AccountState {
    /// The answer that the state forces on API requests.
    pub(crate) fn refusal(self) -> Option<Answer> {
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

/// A closed account, or one that the token is not for.
pub(crate) fn invalid_account() -> Answer {
    envelope_a(401, "UnauthorizedError", "Invalid Account")
}

/// An integration that AWeber has blocked.
pub(crate) fn blocked() -> Answer {
    envelope_a(
        410,
        "BlockedError",
        "This integration has been blocked. Please contact AWeber.",
    )
}

/// The account as JSON; `base` is the link to the collection of accounts.
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
