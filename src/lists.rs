//! The lists of the account.

mod fetch;
mod list;
mod select;

pub(crate) use fetch::{account_path, fetch_lists};
pub(crate) use list::List;
pub(crate) use select::select;
