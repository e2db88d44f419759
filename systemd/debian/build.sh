#!/bin/sh
# Builds the Debian package and prints its path; needs cargo-deb (cargo install --locked cargo-deb).
# Usage: sh systemd/debian/build.sh [--target TRIPLE] [OPTION OF cargo deb…]
# Who publishes the package is its maintainer: DEB_MAINTAINER='Name <address>'.
set -eu
cd "$(dirname "$0")/../.."
target=
if [ "${1:-}" = --target ]; then
    target=$2
    shift 2
fi
built=${CARGO_TARGET_DIR:-target}${target:+/$target}/release
maintainer=${DEB_MAINTAINER:-The aweber-sync authors <aweber-sync@example.com>}

# With cargo-auditable, if it is installed, the program names its crates, which scanners of vulnerabilities read.
auditable=auditable
cargo auditable --version >/dev/null 2>&1 || auditable=
cargo $auditable build --release --locked --bin aweber-sync ${target:+--target "$target"} >&2

# What the program says of itself: man pages and completions.
rm -rf "$built/package"
mkdir -p "$built/package/man"
"$built/aweber-sync" man "$built/package/man"
gzip -9n "$built"/package/man/*
gzip -9nc systemd/bin/aweber-sync-as.8 >"$built/package/aweber-sync-as.8.gz"
for shell in bash zsh fish; do
    "$built/aweber-sync" completions $shell >"$built/package/aweber-sync.$shell"
done

# Debian wants a changelog of the packaging; there is nothing in it but the version, since changelog.gz says the rest.
version=$("$built/aweber-sync" --version | cut -d' ' -f2)
LC_ALL=C date -R ${SOURCE_DATE_EPOCH:+-d "@$SOURCE_DATE_EPOCH"} | {
    read -r date
    printf 'aweber-sync (%s-1) unstable; urgency=medium\n\n  * New version; its changes are in changelog.gz.\n\n -- %s  %s\n' \
        "$version" "$maintainer" "$date"
} | gzip -9n >"$built/package/changelog.Debian.gz"

exec cargo deb --no-build --locked --quiet --maintainer "$maintainer" ${target:+--target "$target"} "$@"
