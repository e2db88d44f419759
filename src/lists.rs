//! The lists of the account.

mod custom_fields;
mod fetch;
mod list;
mod select;

pub(crate) use custom_fields::fetch_custom_fields;
pub(crate) use fetch::{account_path, fetch_lists};
pub(crate) use list::List;
pub(crate) use select::select;
