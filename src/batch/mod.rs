//! The export: rows gather in a stage file, durable at checkpoints, and are published so that a kill at any instant
//! neither loses nor doubles one (promises N2 and N3). The ledger's commit decides at each step.

pub(crate) mod collect;
pub(crate) mod growing;
pub(crate) mod output;
pub(crate) mod publish;
pub(crate) mod recover;
pub(crate) mod stage;
