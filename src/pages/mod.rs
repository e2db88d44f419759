//! Paging through a collection that changes at the same time, without missing a row (promise N2).

pub(crate) mod collection;
pub(crate) mod next;
mod verify;
pub(crate) mod walk;
