#!/usr/bin/env bash
# The units of systemd/ under a real systemd, against the sandbox AWeber on loopback.
# Usage: tests/places/systemd.sh PROGRAM SANDBOX BOX
#   PROGRAM  aweber-sync      SANDBOX  the example `sandbox`      BOX  a script that boots a systemd: BOX DIR COMMAND…,
#   with DIR as /lab inside, the host's network, and a disk that it keeps under $BOX_NAME
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
program=$1 sandbox=$2 box=$3

lab=$(mktemp -d)
export BOX_NAME=aweber-sync-$$
# The box keeps its disk so that it can be booted again; the last step inside empties what it holds.
cleanup() {
    stop_sandbox
    rm -rf "$lab" "/tmp/lab-box/disk-$BOX_NAME"
}
trap cleanup EXIT

install -m 755 "$program" "$lab/aweber-sync"
mkdir "$lab/units"
cp "$here"/../../systemd/aweber-sync* "$lab/units/"
cp "$here"/{common,box,systemd-inside}.sh "$here"/../../systemd/bin/aweber-sync-as "$here"/../../docs/deploy.md "$lab"
start_sandbox "$sandbox" "$lab" --subscribers 1000 --latency-ms 150
printf 'AWEBER_API_URL=%s\nAWEBER_AUTH_URL=%s\nAWEBER_CLIENT_ID=confidential-client\nAWEBER_SYNC_REQUESTS_PER_MINUTE=6000\n' "$api" "$auth" >"$lab/env"
printf '%s\n' "$client_secret" >"$lab/client_secret"

"$box" "$lab" bash /lab/systemd-inside.sh first
echo '--- the box is off for the time of a run, and boots again'
due() { [ "$(date +%s)" -gt "$(cat "$lab/due")" ]; }
wait_for 'the time of the run to pass' due
"$box" "$lab" bash /lab/systemd-inside.sh again
