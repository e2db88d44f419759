//! The environment, with empty variables as unset: `EnvironmentFile=` and compose files set them easily.

use std::ffi::OsString;

/// Looks up an environment variable; an empty one counts as unset.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Looks up a variable of the process.
pub(crate) fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
