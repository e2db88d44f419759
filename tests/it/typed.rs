//! What a message says to type next works as typed: with the options that were given as arguments, and in a service of ours
//! with `aweber-sync-as`.

use crate::support::browser::code_at;
use crate::support::{BINARY, Done, Site};
use aweber_sandbox::{ClientKind, Settings};
use std::process::Command;

/// The command in the next step, from `aweber-sync` on.
fn command_in(done: &Done) -> &str {
    let next = done
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("  next: "));
    let next = next.unwrap_or_else(|| panic!("no next step\n{done}"));
    &next[next
        .find("aweber-sync ")
        .unwrap_or_else(|| panic!("no command\n{done}"))..]
}

/// A site whose configuration is given by options alone, with blanks and quotes in their values.
struct Typist {
    site: Site,
}

impl Typist {
    fn new(site: Site) -> Typist {
        std::fs::create_dir(site.path("bin")).unwrap();
        std::os::unix::fs::symlink(BINARY, site.path("bin/aweber-sync")).unwrap();
        Typist { site }
    }

    /// The command line in a shell, in a directory of the site.
    fn types(&self, line: &str, directory: &str) -> Command {
        let mut command = self.site.command(&[]);
        for name in [
            "AWEBER_API_URL",
            "AWEBER_AUTH_URL",
            "AWEBER_SYNC_STATE_DIR",
            "AWEBER_SYNC_TOKEN_COMMAND",
        ] {
            command.env_remove(name);
        }
        let mut shell = crate::support::process::through(&["sh", "-c", line, "sh"], &command);
        let path = format!("{}:/usr/bin:/bin", self.site.path("bin").display());
        shell
            .env("PATH", path)
            .current_dir(self.site.path(directory));
        shell
    }

    fn urls(&self) -> String {
        let sandbox = &self.site.sandbox;
        format!(
            "--api-url {} --auth-url {}",
            sandbox.api_url(),
            sandbox.auth_url()
        )
    }
}

#[test]
fn the_options_of_a_failed_command_are_repeated_so_that_the_next_step_works_as_typed() {
    let typist = Typist::new(Site::unauthorized(ClientKind::Public, Settings::default()));
    let (site, urls) = (&typist.site, typist.urls());
    std::fs::create_dir(site.path("elsewhere")).unwrap();
    // Relative, and with characters of the shell.
    let options = format!(
        "--state-dir \"it's here\" --token-file 'my $tokens/t.json' --client-id public-client {urls}"
    );
    std::fs::create_dir(site.path("my $tokens")).unwrap();
    crate::support::set_mode(&site.path("my $tokens"), 0o700);
    let done = site.finish(typist.types(&format!("aweber-sync run {options}"), ""));
    done.exits(78).says("there is no token file");
    let next = command_in(&done).to_owned();
    assert!(next.contains(" --client-id public-client"), "{next}");
    // From another directory.
    let done = site.finish_with_answer(typist.types(&next, "elsewhere"), code_at);
    done.exits(0);
    assert!(site.path("my $tokens/t.json").exists(), "{done}");
    let next = done
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("Next: "))
        .unwrap();
    assert!(
        !next.contains("--client-id"),
        "the token file knows it: {next}"
    );
    site.finish(typist.types(next, "elsewhere")).exits(0);
    assert!(site.path("it's here/lock").exists());

    // In what `status` and `check` print, too.
    site.sandbox.with(|world| world.revoke_everything());
    std::fs::remove_file(site.path("my $tokens/t.json")).unwrap();
    for command in ["status", "check"] {
        let done = site.finish(typist.types(&format!("aweber-sync {command} {options}"), ""));
        let words: Vec<&str> = done.stdout.split_whitespace().collect();
        let printed = words.join(" ");
        assert!(
            printed.contains("next: aweber-sync authorize --state-dir '"),
            "{done}"
        );
    }
}

#[test]
fn settings_of_the_environment_are_not_repeated() {
    let site = Site::unauthorized(ClientKind::Public, Settings::default());
    let mut run = site.command(&["run"]);
    run.env("AWEBER_CLIENT_ID", "public-client");
    let done = site.finish(run);
    done.exits(78);
    assert_eq!(command_in(&done), "aweber-sync authorize");
}

#[test]
fn a_token_command_given_as_an_option_is_called_without_its_variable() {
    let site = Site::new();
    site.keep_tokens_by_command();
    let typist = Typist::new(site);
    let site = &typist.site;
    site.hook("[ $call != store ] || exit 7");
    let given = site.token_command().replace('\'', r"'\''");
    let options = format!(
        "--state-dir state --token-command '{given}' {}",
        typist.urls()
    );
    let done = site.finish(typist.types(&format!("aweber-sync run {options}"), ""));
    done.exits(74).says("cannot store tokens");
    let next = command_in(&done).to_owned();
    let repair = done.stderr.split("(sh -c ").nth(1).unwrap();
    let repair = repair.split(" >/dev/null").next().unwrap();
    let line = format!("sh -c {repair} | cmp - tokens");
    site.finish(typist.types(&line, "vault")).exits(0);
    site.hook("");
    site.finish(typist.types(&next, "vault")).exits(0);
}

#[test]
fn in_a_service_the_next_step_names_its_account() {
    let site = Site::unauthorized(ClientKind::Public, Settings::default());
    for (directory, command) in [
        ("aweber-sync", "aweber-sync-as authorize"),
        ("aweber-sync-acme", "aweber-sync-as @acme authorize"),
    ] {
        let state = site.path(directory);
        for (arguments, out) in [
            (&["run"][..], false),
            (&["status"], true),
            (&["check"], true),
        ] {
            let mut service = site.command(arguments);
            service
                .env_remove("AWEBER_SYNC_STATE_DIR")
                .env("STATE_DIRECTORY", &state);
            let done = site.finish(service);
            let said = if out { &done.stdout } else { &done.stderr };
            assert!(said.contains(&format!("next: {command}")), "{done}");
        }
    }
}
