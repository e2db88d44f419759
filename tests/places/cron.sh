#!/usr/bin/env bash
# A crontab line under the real cron, against the sandbox AWeber on loopback.
# Usage: tests/places/cron.sh PROGRAM SANDBOX CRON
#   CRON  a script that runs one /etc/cron.d line (SETUP before it, at the time AT) and prints its mails. Needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
program=$1 sandbox=$2 cron=$3

lab=$(mktemp -d)
trap 'stop_sandbox; rm -rf "$lab"' EXIT
install -m 755 "$program" "$lab/aweber-sync"
start_sandbox "$sandbox" "$lab" --subscribers 50

# setup [AUTH-URL]: the lines that a person puts before the job.
setup() {
    printf 'MAILTO=ops@example.com\nAWEBER_API_URL=%s\nAWEBER_AUTH_URL=%s\nAWEBER_SYNC_STATE_DIR=%s\n' "$api" "${1:-$auth}" "$lab/state"
}
# night LINE [AUTH-URL]: one night of cron; what it mailed is in $lab/night.
night() {
    SETUP=$(setup "${2:-}") AT=${at:-2026-06-01 03:16} TZ=${zone:-UTC} FOR=${wait_s:-5} "$cron" "$1" >"$lab/night" 2>&1
}
mails() { sed -n 's/^--- mails: //p' "$lab/night"; }
exported() { cat "$lab"/state/exports/*.csv 2>/dev/null | grep -acE '^[0-9]+,[^,]*,[0-9]+,' || :; }

export AWEBER_API_URL=$api AWEBER_AUTH_URL=$auth AWEBER_CLIENT_ID=public-client AWEBER_SYNC_STATE_DIR=$lab/state
url=$("$lab/aweber-sync" authorize --print-url | grep -o 'http://[^ ]*')
"$lab/aweber-sync" authorize --code "$(code_of "$url")" >/dev/null 2>&1
unset AWEBER_API_URL AWEBER_AUTH_URL AWEBER_CLIENT_ID AWEBER_SYNC_STATE_DIR
line="17 3 * * * root $lab/aweber-sync run"

night "$line"
is "the first night exports everybody ($(exported))" [ "$(exported)" -gt 50 ]
same 'without a mail' 0 "$(mails)"
before=$(exported)
runs=$(ls "$lab"/state/exports | wc -l)
night "$line"
same 'an idle night mails nothing' 0 "$(mails)"
same 'and exports nothing' "$before $runs" "$(exported) $(ls "$lab"/state/exports | wc -l)"

# Half past two of a night whose clock jumps from two to three: cron itself makes up for what was skipped.
at='2026-03-08 01:59' zone=America/New_York
curl -s -d '{"email": "spring@example.com", "name": "Spring", "status": "subscribed"}' "$api/_sandbox/lists/6000001/subscribers" >/dev/null
night "30 2 * * * root $lab/aweber-sync run"
same 'the night in which the clock is put forward: no mail' 0 "$(mails)"
is 'and the run takes place' grep -aq spring@example.com "$lab"/state/exports/*.csv
unset at zone

# Somebody holds the lock.
flock -o "$lab/state/lock" sleep 60 &
holder=$!
wait_for 'the lock to be taken' eval '! flock -n "$lab/state/lock" true'
night "$line"
same 'a taken lock mails' 1 "$(mails)"
is 'what to do about it' grep -q 'another run holds the lock' "$lab/night"
night "17 3 * * * root $lab/aweber-sync run 2>$lab/said || { code=\$?; [ \$code -eq 75 ] || { cat $lab/said; exit \$code; }; }"
same 'the documented line keeps quiet about 75' 0 "$(mails)"
kill $holder
wait $holder || :

curl -s -X POST "$api/_sandbox/revoke" >/dev/null
night "$line"
same 'a failure mails once' 1 "$(mails)"
is 'and the mail names the cure' grep -q 'aweber-sync authorize' "$lab/night"
sed -n '/^--- MAIL/,/^--- mails/p' "$lab/night" | sed '/^--- /d; 1,/^$/d' >"$lab/body"
same 'with one error' 1 "$(grep -c '^aweber-sync: error: ' "$lab/body")"
# A warning of the same run may stand before it: the refresh token died first, the access token after it.
same 'and nothing but the messages' '' "$(grep -v '^aweber-sync: \(error\|warning\): \|^  ' "$lab/body" || :)"
night "17 3 * * * root $lab/aweber-sync run 2>$lab/said || { code=\$?; [ \$code -eq 75 ] || { cat $lab/said; exit \$code; }; }"
same 'the line that keeps quiet about 75 mails any other failure' 1 "$(mails)"
lacks 'no token is in a mail' "$(sed -n 's/.*"refresh_token": *"\([^"]*\)".*/\1/p' "$lab/state/token.json")" "$lab/night"
