//! The structure of the source: no circle between modules, not even inside a folder; and each of the libraries and
//! system calls that matter is used in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module by its path below the crate, such as `["batch", "collect"]`.
type Module = Vec<String>;

/// The program's code by module: no comments, no tests.
fn modules() -> BTreeMap<Module, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    for file in crate::support::files_below(&source) {
        let below = file.strip_prefix(&source).unwrap().with_extension("");
        let mut module: Module = below
            .iter()
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        if file.extension().is_none_or(|end| end != "rs") || module.ends_with(&["tests".into()]) {
            continue;
        }
        // Declared for tests only.
        if module == ["fuzz"] {
            continue;
        }
        if module.ends_with(&["mod".into()]) || module == ["main"] {
            module.pop();
        }
        let text = std::fs::read_to_string(&file).unwrap();
        modules.insert(module, code_of(&text));
    }
    modules
}

/// `text` up to its tests, without comments.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\n").next().unwrap();
    code.lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The other modules that `module` names: by `crate::`, `super::`, `self::`, or as its own child.
fn used(module: &Module, code: &str, all: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let mut paths = Vec::new();
    for (word, mut base) in [
        ("crate::", Vec::new()),
        ("self::", module.clone()),
        ("super::", module.clone()),
    ] {
        if word == "super::" {
            base.pop();
        }
        for (at, _) in code.match_indices(word) {
            let begins_a_path =
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            if begins_a_path {
                expand(&code[at + word.len()..], base.clone(), &mut paths);
            }
        }
    }
    for child in all.keys() {
        if let Some((name, parent)) = child.split_last()
            && parent == module.as_slice()
        {
            let by_name = code.match_indices(&format!("{name}::")).any(|(at, _)| {
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c))
            });
            if by_name && !module.is_empty() {
                paths.push(child.clone());
            }
        }
    }
    let named = paths
        .into_iter()
        .filter_map(|path| longest_module(path, all));
    named.filter(|used| used != module).collect()
}

/// Adds the paths that a use tree such as `b::{self, c::D}` names below `base`.
fn expand(tree: &str, mut base: Module, paths: &mut Vec<Module>) {
    let mut rest = tree;
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut begin) = (0, 0);
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' | '}' if depth == 0 => {
                        expand(group[begin..at].trim(), base.clone(), paths);
                        begin = at + 1;
                        if c == '}' {
                            return;
                        }
                    }
                    _ => {}
                }
            }
            return;
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        match &rest[..end] {
            "super" => drop(base.pop()),
            "self" | "" => {}
            name => base.push(name.to_owned()),
        }
        match rest[end..].strip_prefix("::") {
            Some(more) => rest = more,
            None => break,
        }
    }
    paths.push(base);
}

fn longest_module(mut path: Module, all: &BTreeMap<Module, String>) -> Option<Module> {
    while !path.is_empty() {
        if all.contains_key(&path) {
            return Some(path);
        }
        path.pop();
    }
    None
}

/// A circle in `uses` that can be reached from `path`, whose last module is the one to go on from.
fn circle(
    uses: &BTreeMap<Module, BTreeSet<Module>>,
    path: &mut Vec<Module>,
    done: &mut BTreeSet<Module>,
) -> Option<Vec<Module>> {
    let last = path.last().unwrap().clone();
    for next in &uses[&last] {
        if let Some(at) = path.iter().position(|module| module == next) {
            return Some(path[at..].to_vec());
        }
        if !done.contains(next) {
            path.push(next.clone());
            if let Some(found) = circle(uses, path, done) {
                return Some(found);
            }
            path.pop();
        }
    }
    done.insert(last);
    None
}

#[test]
fn there_is_no_circle_between_modules() {
    let all = modules();
    assert!(all.len() > 50, "{:?}", all.keys());
    let uses: BTreeMap<_, _> = all
        .iter()
        .map(|(module, code)| (module.clone(), used(module, code, &all)))
        .collect();
    assert!(
        uses.values().map(BTreeSet::len).sum::<usize>() > 100,
        "{uses:?}"
    );
    let mut done = BTreeSet::new();
    for module in uses.keys() {
        let found = circle(&uses, &mut vec![module.clone()], &mut done);
        let shown = found.map(|found| {
            let names: Vec<_> = found.iter().map(|module| module.join("::")).collect();
            names.join(" -> ")
        });
        assert_eq!(shown, None, "a circle between modules");
    }
}

#[test]
fn a_module_uses_only_those_above_it_in_main() {
    let all = modules();
    let order: Vec<&str> = all[&Module::new()]
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert!(order.len() > 20, "{order:?}");
    let position = |module: &Module| order.iter().position(|name| *name == module[0]).unwrap();
    for (module, code) in all.iter().filter(|(module, _)| !module.is_empty()) {
        for other in used(module, code, &all) {
            assert!(
                position(&other) <= position(module),
                "{} uses {}, which is below it in main.rs",
                module.join("::"),
                other.join("::")
            );
        }
    }
}

#[test]
fn what_touches_network_database_and_disk_has_one_user() {
    for (name, only_in) in [
        ("reqwest::", "api::transport"),
        ("rusqlite", "ledger"),
        ("fs2::", "disk::lock"),
        ("fs::rename", "disk"),
        ("renameat", "disk"),
        ("OpenOptions", "disk"),
        ("DirBuilder", "disk"),
        ("File::create", "disk"),
        ("set_permissions", "disk"),
    ] {
        let users: Vec<String> = modules()
            .iter()
            .filter(|(_, code)| code.contains(name))
            .map(|(module, _)| module.join("::"))
            .collect();
        assert!(!users.is_empty() || name == "File::create", "{name}");
        for user in users {
            assert!(
                user == only_in || user.starts_with(&format!("{only_in}::")),
                "{user} uses {name}, which belongs to {only_in}"
            );
        }
    }
}
