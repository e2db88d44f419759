//! The ledger: exported events, progress of each list, pending subscribers, batches, runs. One SQLite file per account;
//! its commit decides (promises N2 and N3). It holds ids and times, no other personal data. Nothing outside this
//! folder uses rusqlite.
//!
//! Each module below owns its tables; what settles or voids a batch calls them from `batches`.

pub(crate) mod batches;
mod check;
mod database;
mod errors;
pub(crate) mod events;
pub(crate) mod forget;
pub(crate) mod history;
mod open;
pub(crate) mod outputs;
pub(crate) mod pending;
pub(crate) mod progress;
pub(crate) mod runs;
mod upgrade;

pub(crate) use database::Ledger;
