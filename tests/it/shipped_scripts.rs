//! The scripts shipped with the program, run as they are: the generator of Kubernetes overlays, the removal script of the
//! Debian package, and `aweber-sync-as`.

use crate::support::files_below;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A copy of `docker/kubernetes` two directories deep, and what `new-account.sh` does there with these arguments.
fn new_account(arguments: &[&str]) -> (TempDir, Output) {
    let root = tempfile::tempdir().unwrap();
    let script = root.path().join("docker/kubernetes/new-account.sh");
    fs::create_dir_all(script.parent().unwrap()).unwrap();
    fs::copy(shipped("docker/kubernetes/new-account.sh"), &script).unwrap();
    let output = Command::new("sh")
        .arg(&script)
        .args(arguments)
        .output()
        .unwrap();
    (root, output)
}

#[test]
fn new_account_writes_the_overlay_in_the_repository() {
    let (root, output) = new_account(&["example", "17"]);
    assert!(output.status.success(), "{}", said(&output));
    let written = "docker/kubernetes/accounts/example/kustomization.yaml";
    let expected = fs::read_to_string(shipped(written)).unwrap();
    assert_eq!(
        fs::read_to_string(root.path().join(written)).unwrap(),
        expected
    );
    for minute in ["0", "9", "10", "59"] {
        let (_root, output) = new_account(&["acme-2", minute]);
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn new_account_rejects_every_other_name_and_minute_and_writes_nothing() {
    let long = "a".repeat(41);
    let names = [
        "../../escape",
        "",
        ".",
        "a/b",
        "-a",
        "a-",
        "Acme",
        "a b",
        "a\nb",
        "é",
        "a$(id)",
        "a: b",
        &long,
    ];
    let minutes = [
        "7 * * * *\" #",
        "",
        "60",
        "-1",
        "5 ",
        "*",
        "1\n2",
        "*/5",
        "007",
        "1.5",
    ];
    let cases = names.iter().map(|name| vec![*name, "5"]);
    let cases = cases.chain(minutes.iter().map(|minute| vec!["acme", *minute]));
    for arguments in cases.chain([vec!["acme"], vec![]]) {
        let (root, output) = new_account(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said(&output).contains("new-account.sh"), "{arguments:?}");
        let left = files_below(root.path());
        assert_eq!(left.len(), 1, "{arguments:?}: {left:?}");
    }
}

/// A machine on which the package was used for two accounts, beside other software with similar names.
struct Machine {
    root: TempDir,
}

const OURS: [&str; 9] = [
    "etc/aweber-sync/acme.env",
    "var/lib/private/aweber-sync/token.json",
    "var/lib/private/aweber-sync/token.json.requests",
    "var/lib/private/aweber-sync-acme/token.json",
    "var/lib/private/aweber-sync-acme/token.json.next",
    "var/lib/private/aweber-sync-empty/token.json",
    "run/private/aweber-sync/aweber-sync-1-0123.token",
    "run/private/aweber-sync-acme/aweber-sync-1-0456.token",
    "etc/systemd/system/timers.target.wants/aweber-sync@acme.timer",
];

const KEPT: [&str; 10] = [
    "var/lib/private/aweber-sync/ledger-1.sqlite3",
    "var/lib/private/aweber-sync/exports/subscribers-20261122T030000Z.csv",
    "var/lib/private/aweber-sync-acme/ledger-2.sqlite3",
    "var/lib/private/aweber-sync-exporter/state.db",
    "var/lib/private/aweber-sync-mailer/token.json",
    "run/private/aweber-sync-mailer/aweber-sync-1-0789.token",
    "run/aweber-sync-exporter/socket",
    "run/aweber-sync-mailer.pid",
    "etc/credstore/aweber-sync-acme.client_secret",
    "etc/aweber-sync/notes.txt",
];

impl Machine {
    fn new() -> Machine {
        let machine = Machine {
            root: tempfile::tempdir().unwrap(),
        };
        for file in OURS.iter().chain(&KEPT) {
            write(&machine.path(file), "content");
        }
        for state in ["aweber-sync", "aweber-sync-acme", "aweber-sync-empty"] {
            write(&machine.path(&format!("var/lib/private/{state}/lock")), "");
            let link = machine.path(&format!("var/lib/{state}"));
            symlink(format!("private/{state}"), link).unwrap();
        }
        for runtime in ["aweber-sync", "aweber-sync-acme"] {
            let link = machine.path(&format!("run/{runtime}"));
            symlink(format!("private/{runtime}"), link).unwrap();
        }
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Runs the script with its absolute paths below this directory.
    fn postrm(&self, action: &str) -> String {
        let script = fs::read_to_string(shipped("systemd/debian/postrm")).unwrap();
        let mut below = script.clone();
        for directory in ["/var/lib", "/run", "/etc"] {
            let whole = format!("{}{directory}", self.root.path().display());
            below = below.replace(&format!("{directory}/"), &format!("{whole}/"));
        }
        let file = self.path("postrm");
        fs::write(&file, below.replace("#DEBHELPER#", "")).unwrap();
        let output = Command::new("sh").arg(&file).arg(action).output().unwrap();
        fs::remove_file(&file).unwrap();
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }
}

#[test]
fn a_purge_removes_the_tokens_and_settings_of_every_account_and_nothing_of_others() {
    let machine = Machine::new();
    let said = machine.postrm("purge");
    for file in OURS {
        assert!(!machine.path(file).exists(), "{file} is left");
    }
    for file in KEPT {
        assert!(machine.path(file).exists(), "{file} is gone");
    }
    for gone in [
        "var/lib/private/aweber-sync-empty",
        "var/lib/aweber-sync-empty",
        "run/private/aweber-sync",
        "run/private/aweber-sync-acme",
        "run/aweber-sync",
        "run/aweber-sync-acme",
    ] {
        assert!(machine.path(gone).symlink_metadata().is_err(), "{gone}");
    }
    for named in [
        "var/lib/private/aweber-sync;",
        "var/lib/private/aweber-sync-acme;",
        "etc/credstore/aweber-sync-acme.client_secret",
    ] {
        let shown = format!("{}/{named}", machine.root.path().display());
        assert!(said.contains(&shown), "{named} is not named: {said}");
    }
}

#[test]
fn a_removal_keeps_everything_but_the_program() {
    let machine = Machine::new();
    assert_eq!(machine.postrm("remove"), "");
    for file in OURS.iter().chain(&KEPT) {
        assert!(machine.path(file).exists(), "{file} is gone");
    }
}

/// What `aweber-sync-as` starts, an argument per line, with a systemd that shows these properties of the unit.
fn as_service(user: &str, arguments: &[&str]) -> Output {
    let bin = tempfile::tempdir().unwrap();
    let programs = [
        ("id", format!("echo {user}")),
        ("systemd-run", "printf '%s\\n' \"$@\"".to_owned()),
        (
            "systemctl",
            "case $3 in
                 --property=SupplementaryGroups) echo crm ;;
                 --property=EnvironmentFiles) printf '%s\\n' \"/etc/$4.env (ignore_errors=yes)\" '/etc/more settings (ignore_errors=no)' ;;
             esac"
            .to_owned(),
        ),
    ];
    for (name, script) in programs {
        let file = bin.path().join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    Command::new("sh")
        .arg(shipped("systemd/bin/aweber-sync-as"))
        .args(arguments)
        .env("PATH", format!("{}:/usr/bin:/bin", bin.path().display()))
        .output()
        .unwrap()
}

#[test]
fn aweber_sync_as_has_the_directories_and_settings_of_the_account() {
    for (account, name, unit) in [
        (None, "aweber-sync", "aweber-sync.service"),
        (
            Some("@acme"),
            "aweber-sync-acme",
            "aweber-sync@acme.service",
        ),
    ] {
        let command = ["forget", "--list", "two words"];
        let arguments: Vec<&str> = account.into_iter().chain(command).collect();
        let output = as_service("0", &arguments);
        assert!(output.status.success(), "{}", said(&output));
        let started = said(&output);
        let started: Vec<&str> = started.lines().collect();
        for property in [
            "User=aweber-sync".to_owned(),
            format!("StateDirectory={name}"),
            format!("LoadCredential=client_secret:{name}.client_secret"),
            format!("EnvironmentFile=-/etc/{unit}.env"),
            "EnvironmentFile=/etc/more settings".to_owned(),
            "SupplementaryGroups=crm".to_owned(),
        ] {
            let option = format!("--property={property}");
            assert!(started.contains(&option.as_str()), "{option}: {started:?}");
        }
        assert!(started.ends_with(&["aweber-sync", "forget", "--list", "two words"]));
    }
}

#[test]
fn aweber_sync_as_refuses_other_users_and_account_names_with_a_path() {
    for arguments in [
        &["@", "run"][..],
        &["@../x", "run"],
        &["@acme"],
        &["--help"],
        &[],
    ] {
        assert_eq!(as_service("0", arguments).status.code(), Some(2));
    }
    let output = as_service("1000", &["@acme", "status"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(said(&output).contains("next: sudo aweber-sync-as @acme status\n"));
}
