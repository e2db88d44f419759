//! `--dry-run` reports what would be exported and changes neither ledger nor exports, but stores the tokens of its
//! refresh.

use crate::support::calendar::{noon, reader, sign_up, site_with_nine_days};
use crate::support::{Site, files_below};
use chrono::TimeDelta;

/// All files of the site except token files and locks, with their bytes.
fn bytes(site: &Site) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = files_below(&site.path(""));
    let kept = files
        .into_iter()
        .filter(|file| !file.to_string_lossy().contains("token.json") && !file.ends_with("lock"));
    kept.map(|file| (file.clone(), std::fs::read(file).unwrap()))
        .collect()
}

#[test]
fn a_dry_run_changes_neither_ledger_nor_exports_but_stores_the_new_tokens() {
    let (site, list) = site_with_nine_days();
    let waiting = site.add(list, sign_up("waiting@example.com", noon()));
    site.run_ok(&[]);
    site.set_now(noon() + TimeDelta::days(1));
    site.add(list, reader("new@example.com", noon() + TimeDelta::days(1)));
    site.sandbox.with(|w| w.confirm(list, waiting));
    let before = bytes(&site);
    let generation = site.tokens()["generation"].as_u64().unwrap();
    for arguments in [&["--dry-run"][..], &["--dry-run", "--full"]] {
        let done = site.run_ok(arguments);
        done.says("2 new subscribers would be exported")
            .prints_nothing();
        assert!(bytes(&site) == before, "{done}");
        assert!(site.token_is_live());
    }
    assert!(site.tokens()["generation"].as_u64().unwrap() > generation + 1);
    site.run_exports(&[], &["new@example.com", "waiting@example.com"]);
}

#[test]
fn a_dry_run_before_the_first_run_creates_no_ledger_and_no_exports() {
    let (site, _) = site_with_nine_days();
    let done = {
        let mut command = site.command(&["run"]);
        command.env("AWEBER_SYNC_DRY_RUN", "yes");
        site.finish(command)
    };
    done.exits(0).says("9 new subscribers would be exported");
    assert!(bytes(&site).is_empty(), "{done}");
    assert!(!site.exports().exists());
    site.run_ok(&[]);
    assert_eq!(site.rows().len(), 9);
}

#[test]
fn a_dry_run_writes_nothing_to_standard_output_or_a_growing_file() {
    let (site, _) = site_with_nine_days();
    let file = site.path("all.csv");
    for output in ["-", file.to_str().unwrap()] {
        site.run_ok(&["--dry-run", "--output", output])
            .prints_nothing();
        assert!(!file.exists());
    }
}
