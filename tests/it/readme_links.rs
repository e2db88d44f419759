//! Every link in the pages leads somewhere, also where only the published crate is.

use crate::support::docs::README;
use crate::support::files_below;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The anchors that GitHub gives to the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        title
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// The targets of the links in a page, without those to other hosts.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    let targets = targets.map(|rest| rest.split_once(')').unwrap().0);
    targets.filter(|target| !target.contains("://")).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|page| root.join(page));
    let mut found = 0;
    for page in files_below(&root.join("docs")).into_iter().chain(others) {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target: PathBuf = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let there = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(there.contains(anchor), "{}: {link}", page.display());
            }
            found += 1;
        }
    }
    assert!(found > 40, "{found}");
}

#[test]
fn the_files_that_the_readme_links_to_are_in_the_crate() {
    let manifest = include_str!("../../Cargo.toml");
    let (_, rest) = manifest.split_once("\ninclude = [").unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    let patterns: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let packaged = |path: &str| {
        patterns
            .iter()
            .any(|pattern| match pattern.split_once('*') {
                Some((begins, ends)) => path.starts_with(begins) && path.ends_with(ends),
                None => path == *pattern || path.starts_with(&format!("{pattern}/")),
            })
    };
    for link in links(README).iter().filter(|link| !link.starts_with('#')) {
        let path = format!("/{}", link.split('#').next().unwrap());
        assert!(packaged(&path), "{path} is not in the crate");
    }
}
