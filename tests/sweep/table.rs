//! All scenarios.

use crate::scenario::Scenario;
use crate::{chains, single};

/// The scenarios with this text in their names.
pub(crate) fn scenarios_with(text: &str) -> Vec<Scenario> {
    let mut all = single::scenarios();
    all.extend(single::with_token_command());
    all.extend(chains::scenarios());
    all.retain(|one| one.name.contains(text));
    all
}
