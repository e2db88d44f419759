//! Files and directories, written so that a kill at any instant leaves a complete file, readable by its owner only.
//! Nothing outside this folder creates or renames a file or changes its mode.

pub(crate) mod atomic;
pub(crate) mod lock;
pub(crate) mod ownership;
pub(crate) mod secret_file;
pub(crate) mod shared;
