#!/usr/bin/env bash
# The Debian package: looked at by lintian, then installed, upgraded, removed and purged on a machine with systemd, against
# the sandbox AWeber on loopback.
# Usage: tests/places/package.sh SANDBOX BOX DEB
#   BOX  a script that boots a systemd: BOX DIR COMMAND…, with DIR as /lab inside and the host's network
#   DEB  the package, where systemd/debian/build.sh has built it
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
sandbox=$1 box=$2 built=$3
root=$(realpath "$here/../..")

lab=$(mktemp -d)
cleanup() {
    stop_sandbox
    rm -rf "$lab"
}
trap cleanup EXIT

cp "$built" "$lab/one.deb"
printf 'the package: %s bytes, version %s\n' "$(stat -c %s "$lab/one.deb")" "$(dpkg-deb -f "$lab/one.deb" Version)"

if revision=$(git -C "$root" log -1 --format=%h 2>/dev/null); then
    is 'the program says which commit it is of' eval '"${built%/debian/*}/release/aweber-sync" --version | grep -qE "^aweber-sync [0-9.]+ \($revision\+? [0-9-]{10}\)$"'
fi

dpkg-deb -c "$lab/one.deb" | awk '{print $1, $6}' >"$lab/files"
has() { grep -qxF -- "$1 ./$2" "$lab/files" || fail "the package has no $2 with $1"; }
has -rwxr-xr-x usr/bin/aweber-sync
has -rwxr-xr-x usr/sbin/aweber-sync-as
has -rw-r--r-- usr/share/man/man8/aweber-sync-as.8.gz
has -rw------- etc/aweber-sync/aweber-sync.env
for file in lib/systemd/system/aweber-sync{,@}.{service,timer} share/doc/aweber-sync/{copyright,changelog.gz,changelog.Debian.gz} \
    share/bash-completion/completions/aweber-sync share/zsh/vendor-completions/_aweber-sync \
    share/fish/vendor_completions.d/aweber-sync.fish share/man/man1/aweber-sync.1.gz; do
    has -rw-r--r-- "usr/$file"
done
for command in authorize run lists status forget revoke completions; do
    has -rw-r--r-- "usr/share/man/man1/aweber-sync-$command.1.gz"
done
printf 'ok: program, units, man pages, completions, settings, changelog and copyright are in it\n'
same 'the settings are the only conffile' /etc/aweber-sync/aweber-sync.env "$(dpkg-deb -I "$lab/one.deb" conffiles)"

# What Debian's own checker says: nothing, but for what systemd/debian/lintian-overrides explains.
if command -v lintian >/dev/null \
    || { [ "$(id -u)" -eq 0 ] && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends lintian; } >"$lab/apt" 2>&1; then
    said=$(lintian --allow-root "$lab/one.deb" 2>&1) || :
    same 'lintian says nothing' '' "$said"
else
    tail -2 "$lab/apt"
    echo 'skipped: lintian cannot be installed here'
fi

# A second version: with other settings as an example, and a timer that says something else.
dpkg-deb -R "$lab/one.deb" "$lab/two"
sed -i 's/^Version: .*/Version: 99.0.0-1/' "$lab/two/DEBIAN/control"
echo '# Of the next version.' >>"$lab/two/etc/aweber-sync/aweber-sync.env"
sed -i 's/^Description=.*/Description=Of the next version/' "$lab/two/usr/lib/systemd/system/aweber-sync.timer"
dpkg-deb --root-owner-group -Zgzip -b "$lab/two" "$lab/two.deb" >/dev/null
rm -rf "$lab/two"

cp "$here"/{common,box,package-inside}.sh "$lab"
start_sandbox "$sandbox" "$lab" --subscribers 1000 --latency-ms 150
printf 'AWEBER_API_URL=%s\nAWEBER_AUTH_URL=%s\nAWEBER_CLIENT_ID=confidential-client\nAWEBER_SYNC_REQUESTS_PER_MINUTE=6000\n' "$api" "$auth" >"$lab/env"
printf '%s\n' "$client_secret" >"$lab/client_secret"
"$box" "$lab" bash /lab/package-inside.sh
