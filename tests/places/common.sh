# For the scripts beside it: a sandbox AWeber on free ports of loopback, waiting, and saying what failed.

sandbox_pid=

# start_sandbox PROGRAM DIRECTORY OPTION…: sets api, auth and client_secret.
start_sandbox() {
    local program=$1 said=$2/sandbox.out
    shift 2
    "$program" --port-api 0 --port-auth 0 "$@" >"$said" 2>&1 &
    sandbox_pid=$!
    wait_for 'the sandbox to start' grep -q 'customer revokes' "$said"
    api=$(sed -n 's/^sandbox AWeber: API \([^,]*\),.*/\1/p' "$said")
    auth=$(sed -n 's/.*OAuth \([^;]*\);.*/\1/p' "$said")
    client_secret=$(sed -n 's/.*AWEBER_CLIENT_SECRET=//p' "$said")
}

stop_sandbox() {
    [ -z "$sandbox_pid" ] || { kill "$sandbox_pid" && wait "$sandbox_pid" || :; } 2>/dev/null
    sandbox_pid=
}

fail() {
    printf 'NOT SO: %s\n' "$*" >&2
    exit 1
}

# is TITLE COMMAND…: one line for what holds, the end for what does not.
is() {
    local title=$1
    shift
    "$@" >/dev/null || fail "$title"
    printf 'ok: %s\n' "$title"
}

# same TITLE WANTED GOT
same() {
    [ "$2" = "$3" ] || fail "$1: wanted «$2», got «$3»"
    printf 'ok: %s\n' "$1"
}

# lacks TITLE TEXT FILE…
lacks() {
    local title=$1 text=$2
    shift 2
    ! grep -rqF -- "$text" "$@" || fail "$title"
    printf 'ok: %s\n' "$title"
}

# wait_for WHAT COMMAND…: at most two minutes, or $patience seconds.
wait_for() {
    local what=$1 until=$((SECONDS + ${patience:-120}))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || fail "waited in vain for $what"
        sleep 0.1
    done
}

# The code of an authorization URL, as the page of the sandbox shows it.
code_of() {
    curl -s "$1" | sed -n 's/.*id="code">\([^<]*\)<.*/\1/p'
}
