//! What the tests share that disturb a run at one of its system calls: the scenarios, the points in them, what must
//! hold afterwards, and the choice of a sample.

pub(crate) mod sample;
pub(crate) mod scenario;
pub(crate) mod trace;
pub(crate) mod truth;
