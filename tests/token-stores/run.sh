#!/usr/bin/env bash
# The example scripts of examples/token-stores against the real programs: Redis, age and pass, and the real kubectl against
# a fake of the Kubernetes API. With each: connect, run, fail or be killed before and after the new tokens are stored.
# Run it from anywhere: bash tests/token-stores/run.sh
# What is missing is fetched from Debian; what cannot be had (not root, no network) is skipped and said to be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
target=${CARGO_TARGET_DIR:-target}
root=$PWD
work=$(mktemp -d /tmp/token-stores.XXXXXX)
export LC_ALL=C.UTF-8
sandbox='' redis='' kubernetes=''

tidy() {
    local pid
    for pid in "$sandbox" "$redis" "$kubernetes"; do
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    done
    [ ! -d "$work/gnupg" ] || gpgconf --homedir "$work/gnupg" --kill all 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT

failed() { printf 'FAILED: %s: %s\n' "$store" "$1"; cat "$work/log"; exit 1; }
skipped() { printf 'skipped: %s\n' "$1"; }
updated=''
fetch() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
    [ -n "$updated" ] || apt-get -qq update || return 1
    updated=yes
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null 2>&1
}
have() { command -v "$1" >/dev/null || fetch "$2"; }

cargo build --quiet --locked --bin aweber-sync
cargo build --quiet --locked --example sandbox
program=$(realpath "$target/debug/aweber-sync")
"$target/debug/examples/sandbox" --port-api 0 --port-auth 0 >"$work/sandbox.log" 2>&1 &
sandbox=$!
for _ in $(seq 200); do
    grep -q AWEBER_API_URL= "$work/sandbox.log" && break
    kill -0 "$sandbox" || { cat "$work/sandbox.log"; exit 1; }
    sleep 0.05
done
eval "$(sed -n 's/^ *\(export AWEBER_API_URL=\)/\1/p' "$work/sandbox.log" | head -1)"
unset AWEBER_SYNC_OUTPUT

# job EXPECTED ARGUMENTS: the program with the store; ends the test if its exit code is another one.
job() {
    local expected=$1 code=0
    shift
    # The outer redirection is for what the shell says about a killed program.
    {
        env AWEBER_SYNC_STATE_DIR="$work/$store" BETWEEN="$work/between" \
            AWEBER_SYNC_TOKEN_COMMAND="sh $root/tests/token-stores/between.sh $root/examples/token-stores/$store.sh" \
            "$program" "$@" >"$work/log" 2>&1 || code=$?
    } 2>/dev/null
    [ "$code" -eq "$expected" ] || failed "aweber-sync $* ended with $code instead of $expected"
}
# at WHEN WHAT: what happens when the next run stores its new tokens.
at() { rm -f "$work/between.stores"; echo "$*" >"$work/between"; }
ask() { "$root/examples/token-stores/$store.sh" "$@"; }
generation() { ask get | sed -n 's/.*"generation": *\([0-9]*\).*/\1/p'; }
well() { at never; job 0 run; [ ! -e "$work/$store/token.json.next" ] || failed 'the journal is left'; }

# What every store must do. Its server and its variables are there.
try() {
    local address before token
    at never
    [ -z "$(ask get)" ] || failed 'an empty store prints something'
    job 0 authorize --print-url
    address=$(grep -o 'http[^ ]*/oauth2/authorize[^ ]*' "$work/log" | head -1)
    job 0 authorize --code "$(python3 tests/readers/compare.py code "$address")"
    before=$(generation)
    well
    [ "$(generation)" -gt "$before" ] || failed 'the run has stored nothing'
    token=$(ask get | sed -n 's/.*"refresh_token": *"\([^"]*\)".*/\1/p')
    [ -n "$token" ] || failed 'no refresh token'
    if grep -rqF "$token" "$work/$store"; then failed 'a token in the state directory'; fi
    at before kill-run; job 137 run; well
    at after kill-run; job 137 run; well
    at before fail; job 0 run; grep -q 'cannot store the new tokens' "$work/log" || failed 'no warning'; well
    at after fail; job 0 run; well
    # A killed script leaves the old tokens or the new ones.
    local seconds
    for seconds in 0.002 0.005 0.01 0.02 0.03 0.05 0.1 0.2; do
        before=$(ask get)
        { timeout -s KILL $seconds "$root/examples/token-stores/$store.sh" store <<<"$before" || true; } 2>/dev/null
        [ "$(ask get)" = "$before" ] || failed 'a killed store has changed the tokens'
    done
    well
}
# Tokens of an earlier generation, from a writer that is late.
refuses_older() {
    local kept
    kept=$(ask get)
    if printf '%s\n' "$kept" | sed 's/"generation": *[0-9]*/"generation": 1/' | ask store 2>/dev/null; then
        failed 'older tokens are accepted'
    fi
    [ "$(ask get)" = "$kept" ] || failed 'older tokens are stored'
}
ends() { job 0 revoke; [ -z "$(ask get)" ] || failed 'revoked tokens are left'; printf 'well: %s\n' "$store"; }

start_redis() {
    redis-server --port 0 --unixsocket "$work/server/socket" --dir "$work/server" --appendonly yes --appendfsync always \
        --save '' >>"$work/server/log" 2>&1 &
    redis=$!
    for _ in $(seq 200); do
        if [ "$(redis-cli -s "$work/server/socket" ping 2>/dev/null)" = PONG ]; then return; fi
        sleep 0.05
    done
    failed 'the server does not start'
}

store=redis
if have redis-server redis-server && have redis-cli redis-tools; then
    mkdir -m 700 "$work/server"
    export REDIS_OPTIONS="-s $work/server/socket"
    start_redis
    try
    refuses_older
    # The server dies before it has the new tokens: the run ends with 74, its rows are published, and nothing is lost.
    at before "kill-$redis"; job 74 run
    wait "$redis" 2>/dev/null || true
    job 74 run
    start_redis
    well
    grep -q 'finished that' "$work/log" || failed 'the tokens were not in the journal'
    # It dies right after it has stored them: they are in its log.
    at after "kill-$redis"; job 74 run
    wait "$redis" 2>/dev/null || true
    start_redis
    well
    ends
else
    skipped 'Redis is not installed'
fi

store=age
if have age age; then
    mkdir -m 700 "$work/credentials"
    age-keygen -o "$work/credentials/token-key" 2>/dev/null
    age-keygen -o "$work/other-key" 2>/dev/null
    export CREDENTIALS_DIRECTORY=$work/credentials AGE_TOKENS=$work/token.age
    try
    if grep -qa refresh_token "$AGE_TOKENS"; then failed 'not encrypted'; fi
    AGE_KEY=$work/other-key job 74 run
    well
    ends
    unset CREDENTIALS_DIRECTORY
else
    skipped 'age is not installed'
fi

store=pass
if have pass pass && have gpg gnupg; then
    export GNUPGHOME=$work/gnupg PASSWORD_STORE_DIR=$work/passwords
    mkdir -m 700 "$GNUPGHOME"
    gpg --batch --quiet --passphrase '' --quick-generate-key 'Job <job@example.com>' default default never 2>/dev/null
    pass init job@example.com >/dev/null
    try
    if grep -rqa refresh_token "$PASSWORD_STORE_DIR"; then failed 'not encrypted'; fi
    ends
else
    skipped 'pass is not installed'
fi

store=kubernetes
if command -v kubectl >/dev/null; then
    python3 tests/token-stores/fake_kubernetes.py >"$work/kubernetes.url" &
    kubernetes=$!
    for _ in $(seq 200); do [ -s "$work/kubernetes.url" ] && break; sleep 0.05; done
    export KUBECONFIG=/dev/null KUBECTL_OPTIONS
    KUBECTL_OPTIONS="--server=$(cat "$work/kubernetes.url") --cache-dir=$work/kubectl"
    try
    refuses_older
    ends
else
    skipped 'kubectl is not installed'
fi
