//! The commands, one module each. They know all the other modules; nobody knows them but `main`.

pub(crate) mod authorize;
pub(crate) mod run;
