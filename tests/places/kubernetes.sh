#!/usr/bin/env bash
# docker/kubernetes against the schemas that kubernetes-validate brings along, and put together by kubectl, if there is one.
# Usage: tests/places/kubernetes.sh VENV      where kubernetes-validate is installed, or is to be
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
venv=$1
files=$here/../../docker/kubernetes
lab=$(mktemp -d)
trap 'rm -rf "$lab"' EXIT

[ -x "$venv/bin/kubernetes-validate" ] || { python3 -m venv "$venv" && timeout 180 "$venv/bin/pip" -q install kubernetes-validate==1.37.0; } >"$lab/pip" 2>&1 \
    || { tail -2 "$lab/pip"; echo 'skipped: kubernetes-validate cannot be installed here'; exit 0; }
valid() { "$venv/bin/kubernetes-validate" --strict "$@"; }
is 'the CronJob is valid' valid "$files/base/cronjob.yaml"
is 'its volume is valid' valid "$files/base/state.yaml"
is 'its network policy is valid' valid "$files/base/network.yaml"
sed 's/concurrencyPolicy/concurrency/' "$files/base/cronjob.yaml" >"$lab/wrong.yaml"
is 'a misspelt key is not' eval '! valid "$lab/wrong.yaml" 2>/dev/null'

command -v kubectl >/dev/null || { echo 'skipped: no kubectl to put an overlay together'; exit 0; }
cp -r "$files" "$lab/kubernetes"
new_account() { sh "$lab/kubernetes/new-account.sh" "$@"; }
together() { kubectl kustomize "$lab/kubernetes/accounts/$1" >"$lab/$1.yaml"; }
new_account example 17
is 'the overlay in the repository is what new-account.sh writes' diff -r "$files/accounts/example" "$lab/kubernetes/accounts/example"
new_account acme 23
together acme
is 'an account, put together, is valid' valid "$lab/acme.yaml"
same 'CronJob, volume and network policy have the name of the account' 3 "$(grep -cx '  name: acme-aweber-sync' "$lab/acme.yaml")"
is 'it uses that volume' grep -q 'claimName: acme-aweber-sync' "$lab/acme.yaml"
is 'the client id comes from its own secret' eval 'grep -A3 secretKeyRef "$lab/acme.yaml" | grep -q "name: acme-aweber-sync"'
is 'the client secret is a file from it' grep -q 'secretName: acme-aweber-sync' "$lab/acme.yaml"
is 'and a minute of its own' grep -q 'schedule: 23 3 \* \* \*' "$lab/acme.yaml"

# The command of docs/deploy.md that makes a job for authorize out of the CronJob.
sed 's/^\( *\)- run$/\1- authorize\n\1- --print-url/' "$lab/acme.yaml" >"$lab/authorize.yaml"
is 'the job for authorize is valid' valid "$lab/authorize.yaml"
is 'and asks for the address' eval 'grep -A1 -- "- authorize$" "$lab/authorize.yaml" | grep -q -- "--print-url"'

# The line of docs/deploy.md for many.
seq 1 200 | awk '{print "account" $1, $1 % 60}' >"$lab/accounts.txt"
while read -r name minute; do new_account "$name" "$minute"; done <"$lab/accounts.txt"
same 'a list of accounts makes as many overlays' 202 "$(ls "$lab/kubernetes/accounts" | wc -l)"
together account150
is 'and each can be put together' grep -q 'schedule: 30 3 \* \* \*' "$lab/account150.yaml"
