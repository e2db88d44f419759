# For what runs inside of a box with systemd: the sandbox of the host, the journal, and the units. Comes after common.sh.

. /lab/env
api=$AWEBER_API_URL
client_secret=$(cat /lab/client_secret)
unit=aweber-sync.service

# at TIMER CALENDAR: sets when it fires. A timer at work also keeps systemd from forgetting how its unit ended.
at() {
    install -d "/etc/systemd/system/$1.d"
    printf '[Timer]\nOnCalendar=\nOnCalendar=%s\nRandomizedDelaySec=0\nAccuracySec=100ms\n' "$2" \
        >"/etc/systemd/system/$1.d/when.conf"
    systemctl daemon-reload
}

# http METHOD URL [BODY]: prints the answer's body. The box has no curl.
http() {
    local rest=${2#http://} host
    host=${rest%%/*}
    exec 9<>"/dev/tcp/${host%:*}/${host#*:}"
    printf '%s /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
        "$1" "${rest#*/}" "$host" "${#3}" "$3" >&9
    sed '1,/^\r$/d' <&9
    exec 9<&- 9>&-
}
post() { http POST "$api/_sandbox/$1" "${2:-}" >/dev/null; }
requests() { http GET "$api/_sandbox/state" '' | grep -o '"requests": *[0-9]*' | grep -o '[0-9]*$'; }

property() { systemctl show -P "$1" "$2"; }
state_is() { [ "$(property ActiveState "$1")" = "$2" ]; }
# journal UNIT OPTION…: what the unit's program and systemd said.
journal() { journalctl --sync >/dev/null; journalctl -q -o cat -u "$@"; }
said() { journal "$1" | grep -qF -- "$2"; }
# rows DIRECTORY [emails]: how many records the exports hold.
rows() { cat "$1"/subscribers-*.csv 2>/dev/null | grep -acE '^[0-9]+,[^,]*,[0-9]+,' || :; }

# run [UNIT]: starts the unit and waits; sets code and result.
run() {
    local of=${1:-$unit}
    systemctl reset-failed "$of" 2>/dev/null || :
    systemctl start "$of" 2>/dev/null || :
    code=$(property ExecMainStatus "$of") result=$(property Result "$of")
}
ends_with() { # TITLE CODE RESULT RESTARTS? [UNIT]: a run, its code, and whether systemd will try again
    local of=${5:-$unit}
    run "$of"
    same "$1: exit code" "$2" "$code"
    same "$1: result" "$3" "$result"
    local sub
    sub=$(property SubState "$of")
    if [ "$4" = retried ]; then same "$1: tried again" auto-restart "$sub"
    else is "$1: not tried again ($sub)" [ "$sub" != auto-restart ]; fi
    systemctl stop "$of" 2>/dev/null
}

# authorize [INSTANCE]: the commands of the README.
authorize() {
    local name=aweber-sync${1:+-$1} url code
    url=$(aweber-sync-as ${1:+@$1} authorize --print-url 2>/dev/null | grep -o 'http://[^ ]*')
    code=$(http GET "$url" '' | sed -n 's/.*id="code">\([^<]*\)<.*/\1/p')
    is "authorize${1:+ $1}: the page shows a code" test -n "$code"
    aweber-sync-as ${1:+@$1} authorize --code "$code" >/tmp/authorized 2>&1 || { cat /tmp/authorized; fail "authorize $1"; }
    is "authorize${1:+ $1} under DynamicUser stores the tokens" test -s "/var/lib/private/$name/token.json"
}
