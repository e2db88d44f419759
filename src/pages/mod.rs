//! Paging through a collection that changes while it is paged through, without losing anybody (promise N2).

pub(crate) mod collection;
pub(crate) mod next;
pub(crate) mod walk;
