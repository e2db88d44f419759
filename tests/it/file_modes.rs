//! N5: files are 0600 and directories 0700 under any umask, at every moment.

use crate::support::authorization::{authorize, unauthorized};
use crate::support::browser::code_at;
use crate::support::process::through_shell;
use crate::support::{Site, files_below, set_mode};
use aweber_sandbox::{ClientKind, Settings};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const UMASKS: [&str; 4] = ["000", "022", "077", "177"];

/// Path and mode of everything below a directory, including itself.
fn modes_below(directory: &Path) -> BTreeMap<String, u32> {
    let mode = |path: &Path| {
        let metadata = std::fs::symlink_metadata(path).ok()?;
        Some(metadata.permissions().mode() & 0o7777)
    };
    let mut modes = BTreeMap::new();
    for file in files_below(directory) {
        for path in [file.as_path(), file.parent().unwrap()] {
            // A run in progress may have removed a file.
            if let Some(mode) = mode(path) {
                modes.insert(path.display().to_string(), mode);
            }
        }
    }
    modes
}

fn assert_private(modes: &BTreeMap<String, u32>, what: &str) {
    for (path, mode) in modes {
        let wanted = if Path::new(path).is_dir() {
            0o700
        } else {
            0o600
        };
        assert_eq!(*mode, wanted, "{what}: {path} is {mode:04o}");
    }
}

#[test]
fn everything_that_authorize_and_run_create_is_private_under_any_umask() {
    for umask in UMASKS {
        let site = unauthorized(ClientKind::Confidential);
        site.add_list(120);
        let script = format!("umask {umask}; exec \"$@\"");
        let printed = site.finish(through_shell(&script, &authorize(&site, &["--print-url"])));
        assert_private(&modes_below(&site.state_dir()), umask);
        let code = code_at(printed.stdout.trim());
        site.finish(through_shell(
            &script,
            &authorize(&site, &["--code", &code]),
        ))
        .case(&umask)
        .exits(0);
        assert_private(&modes_below(&site.state_dir()), umask);
        site.finish(through_shell(&script, &site.command(&["run"])))
            .case(&umask)
            .exits(0);
        let modes = modes_below(&site.state_dir());
        assert!(modes.len() >= 6, "{modes:?}");
        assert_private(&modes, umask);
        assert_eq!(site.rows().len(), 120);
    }
}

#[test]
fn unfinished_files_are_private_at_every_request() {
    for umask in ["000", "077"] {
        let site = Site::new();
        site.add_list(350);
        let state_dir = site.state_dir();
        let seen = site.at_each_request(move |_| modes_below(&state_dir));
        let script = format!("umask {umask}; exec \"$@\"");
        site.finish(through_shell(&script, &site.command(&["run"])))
            .case(&umask)
            .exits(0);
        let mut names = Vec::new();
        for modes in seen.all() {
            for (path, mode) in modes {
                let wanted = if mode & 0o100 == 0 { 0o600 } else { 0o700 };
                assert_eq!(mode, wanted, "{umask}: {path} is {mode:04o}");
                names.push(path);
            }
        }
        // The reserved token file and the unfinished rows were among them.
        for hidden in [".next", ".part"] {
            assert!(
                names.iter().any(|name| name.ends_with(hidden)),
                "{hidden}: {names:?}"
            );
        }
    }
}

#[test]
fn missing_parent_directories_are_created_private() {
    for umask in ["000", "077"] {
        let site = Site::new();
        site.add_list(2);
        let base = site.path("new");
        let mut command = site.command(&["authorize"]);
        command
            .env("AWEBER_SYNC_STATE_DIR", base.join("a/b/state"))
            .env("AWEBER_SYNC_TOKEN_FILE", base.join("c/d/token.json"))
            .env("AWEBER_CLIENT_ID", site.client_id());
        let script = format!("umask {umask}; exec \"$@\"");
        site.finish_with_answer(through_shell(&script, &command), code_at)
            .case(&umask)
            .exits(0);
        for directory in ["", "a", "a/b", "a/b/state", "c", "c/d"] {
            let mode = std::fs::metadata(base.join(directory))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o700, "{umask}: {directory}");
        }
    }
}

#[test]
fn an_existing_directory_keeps_its_mode() {
    let site = Site::new();
    site.add_list(2);
    let shared = site.path("shared");
    std::fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o2775);
    site.run_ok(&["--output", shared.to_str().unwrap()]);
    let mode = std::fs::metadata(&shared).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o2775);
    let files = files_below(&shared);
    assert_eq!(files.len(), 1);
    let mode = std::fs::metadata(&files[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn output_mode_applies_exactly_and_only_to_exported_files() {
    for (umask, output) in [
        ("000", "out/"),
        ("077", "out/"),
        ("000", "grown.csv"),
        ("077", "grown.csv"),
    ] {
        let site = Site::with(ClientKind::Public, Settings::default());
        site.add_list(2);
        let run = site.command(&["run", "--output", output, "--output-mode", "0640"]);
        let done = site.finish(through_shell(&format!("umask {umask}; exec \"$@\""), &run));
        done.exits(0);
        assert_private(&modes_below(&site.state_dir()), umask);
        let exported: Vec<u32> = files_below(&site.path(""))
            .iter()
            .filter(|file| !file.starts_with(site.state_dir()))
            .map(|file| std::fs::metadata(file).unwrap().permissions().mode() & 0o7777)
            .collect();
        assert_eq!(exported, [0o640], "{umask} {output}");
    }
}
