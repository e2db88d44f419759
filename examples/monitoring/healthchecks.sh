#!/bin/sh
# Creates the check of a nightly job at Healthchecks, or finds the one of that name, and writes its ping URL to a file
# that only you can read, for AWEBER_SYNC_PING_URL_FILE.
# Usage: sh healthchecks.sh API_KEY_FILE PING_URL_FILE [NAME]
# Needs curl, and a read-write API key of your project in API_KEY_FILE. Your own server: HEALTHCHECKS_URL=https://….
set -eu
umask 077
key_file=$1 url_file=$2 name=${3:-aweber-sync}
case $name in *[!A-Za-z0-9._-]*) echo 'invalid NAME: expected letters, digits, dots, hyphens and underscores' >&2; exit 2 ;; esac

# Through standard input, because other users can see the arguments of a process. The run at 3:17 in this machine's time
# zone may be three hours late.
zone=$(cat /etc/timezone 2>/dev/null || echo UTC)
answer=$(printf 'header = "X-Api-Key: %s"\n' "$(cat "$key_file")" |
    curl --silent --show-error --fail --config - --data @/dev/fd/3 "${HEALTHCHECKS_URL:-https://healthchecks.io}/api/v3/checks/" 3<<END
{"name": "$name", "schedule": "17 3 * * *", "tz": "$zone", "grace": 10800, "channels": "*", "unique": ["name"]}
END
)
url=$(printf '%s\n' "$answer" | tr ',' '\n' | sed -n 's/.*"ping_url": *"\([^"]*\)".*/\1/p')
[ -n "$url" ] || { echo 'the answer has no ping URL: is the API key read-write?' >&2; exit 1; }
printf '%s\n' "$url" >"$url_file"
echo "the ping URL is in $url_file; set AWEBER_SYNC_PING_URL_FILE=$url_file for the job"
