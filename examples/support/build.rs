//! Builds the program for an example, into the target directory that the example itself was built in.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds `aweber-sync` with a profile, by default that of the running example, and returns the path of the binary.
pub(crate) fn build(example: &str, profile: Option<&str>) -> Result<PathBuf> {
    let me = std::env::current_exe()?;
    // TARGET/PROFILE/examples/EXAMPLE
    let ancestor = |n| me.ancestors().nth(n).unwrap_or(Path::new("/"));
    let (own_profile, target) = (ancestor(2).file_name(), ancestor(3));
    let own_profile = own_profile.and_then(|name| name.to_str());
    let directory = profile.or(own_profile).unwrap_or("debug");
    let profile = if directory == "debug" {
        "dev"
    } else {
        directory
    };
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    build
        // Without the example cargo would select fewer features of the libraries and compile them again.
        .args(["build", "--quiet", "--bin=aweber-sync", "--example"])
        .args([example, "--profile", profile, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .stdin(Stdio::null());
    for (variable, _) in std::env::vars_os() {
        // The package variables that cargo sets for the example would make it compile some libraries again, and with
        // them the running example.
        let text = variable.to_string_lossy();
        let is_of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if is_of_package || text == "OUT_DIR" {
            build.env_remove(&variable);
        }
    }
    if !build.status()?.success() {
        return Err("cannot build aweber-sync: cargo build failed".into());
    }
    Ok(target.join(directory).join("aweber-sync"))
}
