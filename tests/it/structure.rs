//! The order of the house: a module uses only those that stand above it in `main.rs`, so there are no circles.

use std::path::{Path, PathBuf};

/// The source files of a module: its own and those below it.
fn files_of(module: &str) -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let below = source.join(module);
    let mut files = vec![source.join(format!("{module}.rs"))];
    if below.is_dir() {
        files.extend(crate::support::files_below(&below));
    }
    files.retain(|file| file.exists());
    files
}

#[test]
fn a_module_uses_only_those_above_it() {
    let main = include_str!("../../src/main.rs");
    let order: Vec<&str> = main
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert!(order.len() > 20, "{order:?}");
    for (place, module) in order.iter().enumerate() {
        let files = files_of(module);
        assert!(!files.is_empty(), "{module}");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for below in &order[place + 1..] {
                let used = code.contains(&format!("crate::{below}::"))
                    || code.contains(&format!("crate::{below};"));
                assert!(
                    !used,
                    "{} uses {below}, which stands below it",
                    file.display()
                );
            }
        }
    }
}
