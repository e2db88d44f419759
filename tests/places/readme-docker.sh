#!/usr/bin/env bash
# What README and docs/deploy.md say of Docker, as a user of the host types it at a terminal, and their crontab lines under
# the real cron; against the sandbox AWeber on loopback. Needs root, the image aweber-sync:test and tmux.
# Usage: tests/places/readme-docker.sh SANDBOX CRON
#   CRON  as for cron.sh; DOCKER_HOST names the daemon
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
. "$here/blocks.sh"
. "$here/terminal.sh"
sandbox=$1 cron=$2
readme=$here/../../README.md
deploy=$here/../../docs/deploy.md

lab=$(mktemp -d)
home=$lab/home subscribers=$lab/subscribers volume=aweber-sync-test-$$
followed=$lab/followed notes=$lab/notes
cleanup() {
    get_up
    stop_sandbox
    docker volume rm -f "$volume" >/dev/null 2>&1 || :
    rm -rf "$lab"
}
trap cleanup EXIT
chmod 711 "$lab"
start_sandbox "$sandbox" "$lab"
export AWEBER_API_URL=$api AWEBER_AUTH_URL=$auth
page_of() { curl -s "$1"; }
comes() { curl -s -d "{\"email\": \"$1\", \"name\": \"New\", \"status\": \"subscribed\"}" "$api/_sandbox/lists/6000001/subscribers" >/dev/null; }

# A user of the host who may use the daemon.
install -d -o nobody -g nogroup "$home"
remember_in "$home"
chmod 666 "${DOCKER_HOST#unix://}"
sit_down docker setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$home" bash

# night LINE: one night of the user's crontab.
night() {
    SETUP=$(printf '%s=%s\n' MAILTO ops@example.com HOME "$home" DOCKER_HOST "$DOCKER_HOST" AWEBER_API_URL "$api" AWEBER_AUTH_URL "$auth") \
        AT='2026-06-01 03:16' TZ=UTC FOR=20 "$cron" "${1/'* * * '/'* * * nobody '}" >"$lab/night" 2>&1
    same 'the night mails nothing' 'mails: 0' "$(sed -n 's/^--- \(mails: .*\)/\1/p' "$lab/night")"
}

follow Docker 1 paste_the_code
follow Docker 2
is 'the CSV is on the screen' shows list_id,list_name,id,email,name,status
comes night@example.com
night "$(typed docker Docker 3)"
is 'the line for the crontab exports who has come' grep -aq night@example.com "$home"/aweber/exports/*.csv
same 'to where the first run did' 2 "$(find "$home" -name '*.csv' | wc -l)"
same 'all of it is private to the user' "$(stat -c '%U 600' "$home")" "$(find "$home"/aweber -type f -printf '%u %m\n' | sort -u)"
all_followed docker

# A confidential app: the secret in a file, and in no variable.
option=$(grep -o -- '-e AWEBER_CLIENT_SECRET_FILE=[^`]*' "$deploy" | head -1)
install -m 600 -o nobody /dev/stdin "$home/aweber/client_secret" <<<"$client_secret"
run=$(typed docker Docker 2 | grep ' run$')
connect=$(typed docker Docker 1 | grep authorize)
connect=${connect/' -v '/" $option -v "}
enter "${connect/public-client/confidential-client}" paste_the_code
enter "${run/' -v '/" $option -v "}"
lacks 'the secret is not in the token file' "$client_secret" "$home/aweber/token.json"

# A named volume, and exports for a user of the host. The names of volume and directory are those of this test.
own() { sed -e "s|aweber:/data|$volume:/data|; s|create aweber$|create $volume|; s|/srv/subscribers|$subscribers|" \
    -e 's|YOUR_CLIENT_ID|public-client|; s|docker run --rm|& --network host -e AWEBER_API_URL -e AWEBER_AUTH_URL|'; }
named=$(readme=$deploy block Docker 1 | own)
bash -c "id() { echo $(id -g nobody); }; $(grep '^sudo ' <<<"$named" | sed 's/^sudo //')"
enter "$(grep -v '^sudo ' <<<"$named")" paste_the_code
is 'status, in a container, says healthy' shows 'healthy: last success'
enter "head -3 $subscribers/*.csv"
is 'the exports are readable by the user' shows list_id,list_name,id,email,name,status
is 'and by no other' eval '! setpriv --reuid=games --regid=games --clear-groups cat $subscribers/*.csv 2>/dev/null'
comes second@example.com
night "$(readme=$deploy block Docker 2 | own)"
is 'its line for the crontab exports who has come' grep -aq second@example.com "$subscribers"/*.csv
same 'to where the first run did' 2 "$(find "$subscribers" -name '*.csv' | wc -l)"
