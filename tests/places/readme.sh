#!/usr/bin/env bash
# The code blocks of the README, followed by copy and paste at a terminal of 80 columns: in a bare Debian 12 without Rust, by
# the package, and in one with Rust and a C compiler; against the sandbox AWeber on loopback. blocks.sh has the table of
# what is typed instead of what cannot be copied; a block that is not in its table fails.
# Usage: tests/places/readme.sh SANDBOX BOX DEB
#   BOX  a script that boots a systemd: BOX DIR COMMAND…, with DIR as /lab inside, the host's network, the packages of
#        $BOX_PKGS, and the options of systemd-nspawn in $BOX_ARGS      DEB  the package
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
. "$here/blocks.sh"
sandbox=$1 box=$2 deb=$3
root=$(realpath "$here/../..")
target=$(realpath "${CARGO_TARGET_DIR:-$root/target}")
readme=$root/README.md

same 'each block of the README is one that this test knows' "$(known_blocks | cut -d'|' -f1,2)" "$(block_list)"

lab=$(mktemp -d)
trap 'stop_sandbox; rm -rf "$lab"' EXIT
start_sandbox "$sandbox" "$lab"
printf 'AWEBER_API_URL=%s\nAWEBER_AUTH_URL=%s\n' "$api" "$auth" >"$lab/env"
printf '%s\n' "$client_secret" >"$lab/client_secret"
cp "$here"/{common,box,blocks,terminal,readme-inside}.sh "$readme" "$root/docs/deploy.md" "$lab"
cp "$deb" "$lab"

BOX_PKGS=cron,sudo,tmux "$box" "$lab" bash /lab/readme-inside.sh bare

# The toolchain, the crates and what was compiled so far are the host's.
git=$(git -C "$root" rev-parse --path-format=absolute --git-common-dir 2>/dev/null || echo "$root")
cp "$(command -v cargo-deb)" "$lab" || fail 'cargo-deb is in the path'
printf 'root=%s\ntarget=%s\nsysroot=%s\n' "$root" "$target" "$(rustc --print sysroot)" >"$lab/rust"
binds="--bind=$root --bind=$target --bind=$git --bind-ro=$(rustc --print sysroot)"
binds="$binds --bind=${CARGO_HOME:-$HOME/.cargo}/registry:/root/.cargo/registry"
BOX_PKGS=tmux,gcc,libc6-dev,git,man-db BOX_ARGS=$binds "$box" "$lab" bash /lab/readme-inside.sh rust
