#!/bin/sh
# Keeps the tokens of aweber-sync in a Kubernetes Secret.
#   AWEBER_SYNC_TOKEN_COMMAND=/etc/aweber-sync/kubernetes.sh
# Needs an image with sh, base64, sed and kubectl (the image of aweber-sync has none of them), and a service account with
# the verbs get, update and delete on this Secret and create on Secrets. Encrypt Secrets at rest: see
# https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/
#   SECRET_NAME       the Secret, one per account [aweber-sync-tokens]
#   KUBECTL_OPTIONS   options of kubectl, such as `--namespace=marketing`
set -eu
name=${SECRET_NAME:-aweber-sync-tokens}
# shellcheck disable=SC2086 # options, separated by blanks
kube() { kubectl ${KUBECTL_OPTIONS:-} "$@"; }
field() { kube get secret "$name" --ignore-not-found -o "jsonpath={$1}"; }
generation() { sed -n 's/.*"generation": *\([0-9]*\).*/\1/p'; }

case ${1-} in
get)
    stored=$(field '.data.tokens')
    printf %s "$stored" | base64 -d
    ;;
store)
    new=$(cat)
    # The server refuses the write if anything has changed the Secret since this version of it was read.
    version=$(field '.metadata.resourceVersion')
    old=$(field '.data.tokens')
    old=$(printf %s "$old" | base64 -d | generation)
    if [ "${old:-0}" -gt "$(printf '%s\n' "$new" | generation)" ]; then
        echo 'newer tokens are stored' >&2
        exit 1
    fi
    verb=create
    [ -z "$version" ] || verb=replace
    # On standard input, so that the process list does not show the tokens.
    kube "$verb" --validate=false -f - >/dev/null <<END
{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "$name"${version:+, \"resourceVersion\": \"$version\"}},
 "data": {"tokens": "$(printf '%s\n' "$new" | base64 | tr -d '\n')"}}
END
    ;;
erase) kube delete secret "$name" --ignore-not-found >/dev/null ;;
*) echo "usage: $0 get|store|erase" >&2; exit 2 ;;
esac
