//! The files shipped with the program match: templates and units, and all version numbers.

use crate::support::Site;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines of a unit without comments.
fn settings(unit: &str) -> Vec<String> {
    let lines = unit.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_service_template_matches_the_service_apart_from_instance_names() {
    let unit = file("systemd/aweber-sync.service");
    let expected = unit
        .replace("AWeber subscribers\n", "AWeber subscribers of %i\n")
        .replace("/aweber-sync.env", "/%i.env")
        .replace("aweber-sync.client_secret", "aweber-sync-%i.client_secret")
        .replace("Directory=aweber-sync\n", "Directory=aweber-sync-%i\n")
        // Each instance is a separate user: systemd derives the name from the instance.
        .replace("User=aweber-sync\n", "");
    assert_eq!(
        settings(&file("systemd/aweber-sync@.service")),
        settings(&expected)
    );
}

#[test]
fn the_timers_differ_only_in_their_description() {
    let expected =
        file("systemd/aweber-sync.timer").replace("subscribers every", "subscribers of %i every");
    assert_eq!(file("systemd/aweber-sync@.timer"), expected);
}

#[test]
fn the_image_has_the_version_of_the_program() {
    let version = format!("\nARG VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(file("docker/Dockerfile").contains(&version), "{version}");
    let image = format!(
        "\n              image: aweber-sync:{}\n",
        env!("CARGO_PKG_VERSION")
    );
    assert!(file("docker/kubernetes/base/cronjob.yaml").contains(&image));
}

#[test]
fn every_build_uses_the_same_exact_toolchain() {
    let dockerfile = file("docker/Dockerfile");
    let (_, rest) = dockerfile.split_once("=rust:").unwrap();
    let (version, _) = rest.split_once('-').unwrap();
    assert_eq!(version.split('.').count(), 3, "{version}");
    assert!(version.starts_with(env!("CARGO_PKG_RUST_VERSION")));
    for workflow in ["ci", "release", "advisories"] {
        let text = file(&format!(".github/workflows/{workflow}.yml"));
        let installs = text.matches("rustup toolchain install ").count();
        let exact = format!("rustup toolchain install {version} ");
        assert_eq!(text.matches(&exact).count(), installs, "{workflow}");
        assert!(installs > 0, "{workflow}");
    }
}

#[test]
fn advice_under_systemd_names_the_script_that_becomes_the_user_of_the_service() {
    for (unit, advice) in [
        ("aweber-sync", "aweber-sync-as authorize"),
        ("aweber-sync-acme", "aweber-sync-as @acme authorize"),
        ("another-job", "aweber-sync authorize"),
    ] {
        let site = Site::new();
        let state = site.path(unit);
        std::fs::create_dir(&state).unwrap();
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = site.command(&["run"]);
        command
            .env_remove("AWEBER_SYNC_STATE_DIR")
            .env("STATE_DIRECTORY", &state);
        site.finish(command).exits(78).says_next(advice);
    }
}

#[test]
fn the_version_begins_with_the_one_in_the_manifest() {
    let site = Site::new();
    let done = site.finish(site.command(&["--version"]));
    let version = format!("aweber-sync {}", env!("CARGO_PKG_VERSION"));
    assert!(done.stdout.starts_with(&version), "{done}");
    assert_eq!(done.stdout.lines().count(), 1, "{done}");
}

#[test]
fn the_package_contains_every_man_page_and_unit() {
    let manifest = file("Cargo.toml");
    assert!(manifest.contains("package/man/*.1.gz"));
    assert!(manifest.contains("unit-scripts = \"systemd\""));
    let found = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")).unwrap();
    let units: Vec<PathBuf> = found
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    assert_eq!(units.len(), 4, "package and test the new unit: {units:?}");
}

/// The exit codes listed in a unit or a CronJob.
fn codes(text: &str, before: &str) -> Vec<u8> {
    let (_, rest) = text.split_once(before).unwrap();
    let line = rest.lines().next().unwrap();
    let numbers = line.split(|c: char| !c.is_ascii_digit());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn exit_codes_that_need_a_human_are_not_retried_by_systemd_or_kubernetes() {
    let unit = codes(
        &file("systemd/aweber-sync.service"),
        "RestartPreventExitStatus=",
    );
    let job = codes(&file("docker/kubernetes/base/cronjob.yaml"), "values: ");
    assert_eq!(job, [2, 73, 74, 77, 78]);
    // A timer may run again within the hour, a Kubernetes CronJob does not: it retries 75.
    assert_eq!(unit, [2, 73, 74, 75, 77, 78]);
}
