//! The export: rows are collected in a stage file, durable at checkpoints, and published so that a kill at any instant
//! neither loses nor duplicates one (promises N2 and N3). The ledger's commit decides at each step.

pub(crate) mod allowed;
pub(crate) mod collect;
mod custom_columns;
mod errors;
mod growing;
mod interrupted;
mod naming;
pub(crate) mod output;
pub(crate) mod printer;
pub(crate) mod publish;
pub(crate) mod recover;
mod stage;
