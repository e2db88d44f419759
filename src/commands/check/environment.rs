//! Variables and paths that are probably not what was meant: a misspelt name is silently ignored, and an environment
//! file expands neither `~` nor `$HOME`. Pure.

use super::finding::Findings;
use std::ffi::OsString;
use std::path::{Component, Path};

/// A name that differs in more places is not suggested.
const FARTHEST: usize = 6;

/// Looks at the `AWEBER_…` variables that are set.
pub(super) fn check_variables(
    set: &[(String, OsString)],
    known: &[String],
    findings: &mut Findings,
) {
    let unknown = set.iter().filter(|(name, _)| !known.contains(name));
    let mut has_unknown = false;
    for (name, _) in unknown {
        has_unknown = true;
        let next = match nearest(name, known) {
            Some(meant) => format!("set {meant} instead, if you meant that; else unset {name}"),
            None => format!("unset {name}"),
        };
        findings.warn(
            "variables",
            format!("unknown variable {name}: nothing reads it"),
            &next,
        );
    }
    if !has_unknown {
        let names = match set.len() {
            0 => "no AWEBER_… variable is set".to_owned(),
            1 => "1 AWEBER_… variable is set, and known".to_owned(),
            n => format!("{n} AWEBER_… variables are set, all known"),
        };
        findings.good("variables", names);
    }
}

/// Looks for paths with something that only a shell expands.
pub(super) fn check_paths(paths: &[(&'static str, &Path)], findings: &mut Findings) {
    for (option, path) in paths {
        if let Some(part) = unexpanded(path) {
            findings.warn(
                "paths",
                format!("{option} contains a literal {part}: {}", path.display()),
                "write the whole path: only a shell expands this, an environment file does not",
            );
        }
    }
}

/// The first component that a shell would have expanded.
fn unexpanded(path: &Path) -> Option<String> {
    path.components().find_map(|component| match component {
        Component::Normal(part) => {
            let part = part.to_string_lossy();
            let is_literal = part == "~" || part.starts_with('$');
            is_literal.then(|| part.into_owned())
        }
        _ => None,
    })
}

/// The known name that differs least.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let distances = known.iter().map(|other| (distance(name, other), other));
    let (least, other) = distances.min_by_key(|(distance, _)| *distance)?;
    (least <= FARTHEST).then_some(other.as_str())
}

/// The number of insertions, deletions and replacements between two names (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_gets_the_nearest_known_name() {
        let known = crate::cli::known_variables();
        assert!(known.len() > 25, "{known:?}");
        for (set, meant) in [
            ("AWEBER_SYNC_OUTPUTS", Some("AWEBER_SYNC_OUTPUT")),
            ("AWEBER_SYNC_STATEDIR", Some("AWEBER_SYNC_STATE_DIR")),
            ("AWEBER_SYNC_LISTS", Some("AWEBER_SYNC_LIST")),
            ("AWEBER_SYNC_CLIENT_ID", Some("AWEBER_CLIENT_ID")),
            ("AWEBER_SOMETHING_ELSE_ALTOGETHER", None),
        ] {
            assert_eq!(nearest(set, &known), meant, "{set}");
        }
    }

    #[test]
    fn only_what_a_shell_would_expand_is_literal() {
        for (path, part) in [
            ("/home/u/~/exports", Some("~")),
            ("/srv/$HOME/x", Some("$HOME")),
            ("/srv/a~b/~backup", None),
            ("/srv/exports", None),
        ] {
            assert_eq!(unexpanded(Path::new(path)).as_deref(), part, "{path}");
        }
    }
}
