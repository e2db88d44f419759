//! Files and directories, made so that a kill at any instant leaves a whole file and nobody else can read it.
//! The only place that creates, renames or changes the mode of a file; what the files mean is others' business.

pub(crate) mod atomic;
pub(crate) mod lock;
