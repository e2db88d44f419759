#!/usr/bin/env bash
# Crontab lines under the real cron, against the sandbox AWeber on loopback: those of examples/crontab and
# docs/deploy.md, unchanged.
# Usage: tests/places/cron.sh PROGRAM SANDBOX CRON
#   CRON  a script that runs one line (SETUP before it, at the time AT) and prints its mails: of /etc/cron.d, or of root's
#         own crontab if USER_CRONTAB is set. Needs root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
program=$1 sandbox=$2 cron=$3

lab=$(mktemp -d)
trap 'stop_sandbox; rm -rf "$lab"' EXIT
home=$lab/home
state=$home/.local/state/aweber-sync
bin=$home/.cargo/bin/aweber-sync
install -D -m 755 "$program" "$bin"
start_sandbox "$sandbox" "$lab" --subscribers 50

# night LINE: one night of cron, in which a person's crontab says where home is; what it mailed is in $lab/night.
night() {
    local setup
    setup=$(printf 'MAILTO=ops@example.com\nHOME=%s\nAWEBER_API_URL=%s\nAWEBER_AUTH_URL=%s\n' "$home" "$api" "$auth")
    SETUP=$setup AT=${at:-2026-06-01 03:16} TZ=${zone:-UTC} FOR=10 "$cron" "$1" >"$lab/night" 2>&1
}
# own LINE: the same in a crontab of one's own, where no user stands in the line.
own() { USER_CRONTAB=1 night "$1"; }
mails() { sed -n 's/^--- mails: //p' "$lab/night"; }
rows() { cat "$state"/exports/*.csv "$home"/subscribers/*.csv 2>/dev/null | grep -aE '^[0-9]+,[^,]*,[0-9]+,' || :; }
exported() { rows | wc -l; }
comes() { curl -s -d "{\"email\": \"$1\", \"name\": \"New\", \"status\": \"subscribed\"}" "$api/_sandbox/lists/6000001/subscribers" >/dev/null; }

export AWEBER_API_URL=$api AWEBER_AUTH_URL=$auth AWEBER_CLIENT_ID=public-client
url=$(HOME=$home "$bin" authorize --print-url | grep -o 'http://[^ ]*')
HOME=$home "$bin" authorize --code "$(code_of "$url")" >/dev/null 2>&1
unset AWEBER_API_URL AWEBER_AUTH_URL AWEBER_CLIENT_ID

example=$(grep '^17 3 ' "$here/../../examples/crontab")
quiet=$(grep '^17 3 .*aweber-said' "$here/../../docs/deploy.md")
line="17 3 * * * root $bin run"

own "$example"
is "the line of examples/crontab, in one's own crontab, exports everybody ($(exported))" [ "$(exported)" -gt 50 ]
same 'without a mail' 0 "$(mails)"
before=$(exported)
files=$(find "$home" -name '*.csv' | wc -l)
night "$line"
same 'an idle night, from /etc/cron.d, mails nothing' 0 "$(mails)"
same 'and exports nothing' "$before $files" "$(exported) $(find "$home" -name '*.csv' | wc -l)"
is 'but it was a run' eval 'HOME=$home "$bin" status --json | tr -d "\n" | grep -qE "\"runs\": *\[ *\{[^}]*\}, *\{"'

# Half past two of a night whose clock jumps from two to three: cron itself makes up for what was skipped.
comes spring@example.com
at='2026-03-08 01:59' zone=America/New_York night "30 2 * * * root $bin run"
same 'the night in which the clock is put forward: no mail' 0 "$(mails)"
is 'and the run takes place' eval 'rows | grep -aq spring@example.com'

# One o'clock of a night in which it comes twice: cron does not run again what has a fixed hour; what runs every minute
# does, and an hour that comes again is nothing to a program that reckons in UTC.
comes autumn@example.com
at='2026-11-01 01:59' zone=America/New_York night "* * * * * root TZ=America/New_York $bin run"
same 'the night in which the clock is put back: no mail' 0 "$(mails)"
same 'and who has come is exported once' 1 "$(rows | grep -ac autumn@example.com)"
same 'nobody is exported twice' '' "$(rows | cut -d, -f1-3 | sort | uniq -d)"

# Somebody holds the lock.
flock -o "$state/lock" sleep 120 &
holder=$!
wait_for 'the lock to be taken' eval '! flock -n "$state/lock" true'
night "$line"
same 'a taken lock mails' 1 "$(mails)"
is 'what to do about it' grep -q 'another run holds the lock' "$lab/night"
own "$quiet"
same "the line of docs/deploy.md keeps quiet about 75" 0 "$(mails)"
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
own "$quiet"
same 'the line that keeps quiet about 75 mails any other failure' 1 "$(mails)"
is 'with its message' grep -q 'aweber-sync: error: ' "$lab/night"
lacks 'no token is in a mail' "$(sed -n 's/.*"refresh_token": *"\([^"]*\)".*/\1/p' "$state/token.json")" "$lab/night"
