//! The environment, with empty variables as unset: `EnvironmentFile=` and compose files set them easily.

use std::ffi::OsString;

/// Looks up an environment variable; an empty one counts as unset.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The variables of the process that begin with `AWEBER_` and are not empty.
pub(crate) fn aweber_variables() -> Vec<(String, OsString)> {
    let named = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        (name.starts_with("AWEBER_") && !value.is_empty()).then_some((name, value))
    });
    let mut variables: Vec<_> = named.collect();
    variables.sort();
    variables
}

/// Looks up a variable of the process.
pub(crate) fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
