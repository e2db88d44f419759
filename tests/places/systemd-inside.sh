#!/usr/bin/env bash
# What systemd.sh tries, inside the box: `first` after the first start of the machine, `again` after it was off for the
# time of a run. As root, with the program, the units and the secret in /lab.
set -euo pipefail
. /lab/common.sh
. /lab/box.sh

first() {
    install -m 755 /lab/aweber-sync /usr/local/bin/aweber-sync
    install -m 755 /lab/aweber-sync-as /usr/local/sbin/aweber-sync-as
    install -m 644 /lab/units/* /etc/systemd/system/
    install -d -m 700 /etc/aweber-sync /etc/credstore
    install -m 600 /lab/env /etc/aweber-sync/aweber-sync.env
    at aweber-sync.timer 2037-01-01
    at aweber-sync@.timer 2037-01-01
    systemctl enable --now --quiet aweber-sync.timer aweber-sync@one.timer aweber-sync@two.timer
    local file score
    for file in aweber-sync.service aweber-sync.timer aweber-sync@one.service aweber-sync@one.timer; do
        same "verify $file says nothing" '' "$(systemd-analyze verify "/etc/systemd/system/$file" 2>&1)"
    done
    for file in aweber-sync.service aweber-sync@.service; do
        score=$(systemd-analyze security --offline=true --threshold=11 "/etc/systemd/system/$file" --no-pager | tail -1) \
            || fail "$file is exposed: $score"
        printf 'ok: %s\n' "$score"
    done

    ends_with 'not connected yet, 78' 78 exit-code final
    is 'its message has the command for it' said $unit 'aweber-sync-as authorize'
    install -m 600 /lab/client_secret /etc/credstore/aweber-sync.client_secret
    authorize

    # A stop in the middle of the first export, then the rest: nothing lost, nothing doubled.
    post lists '{"name": "Second"}'
    systemctl start --no-block $unit
    local before
    before=$(requests)
    wait_for 'a run at work' eval '[ "$(requests)" -gt $((before + 4)) ]'
    systemctl stop $unit 2>/dev/null
    same 'stopped in the middle: exit code' 143 "$(property ExecMainStatus $unit)"
    same 'a stop is no failure' success "$(property Result $unit)"
    same 'what was stopped is not published' 0 "$(rows /var/lib/private/aweber-sync/exports)"

    # The timer fires; from here on the machine's clock decides, a few seconds ahead.
    at aweber-sync.timer '*-*-* *:*:0/3'
    systemctl restart aweber-sync.timer
    wait_for 'the timer to start a run that publishes' said $unit 'new subscribers'
    at aweber-sync.timer 2037-01-01
    systemctl restart aweber-sync.timer
    wait_for 'the run to end' state_is $unit inactive
    local exports=/var/lib/private/aweber-sync/exports all
    all=$(rows $exports)
    is "everybody is exported ($all)" [ "$all" -gt 1000 ]
    same 'nobody is exported twice' '' "$(cat $exports/*.csv | grep -aoE '^[0-9]+,[^,]*,[0-9]+,' | sort | uniq -d)"
    same 'the state is of mode 0700' 700 "$(stat -c %a /var/lib/private/aweber-sync)"
    is 'an idle run says so' eval 'run; said $unit "nothing new"'
    same 'the idle run succeeds' 0success "$code$result"
    same 'and exports nothing' "$all" "$(rows $exports)"
    same 'its line has the level info' 6 "$(journalctl -q -o json --output-fields=PRIORITY,MESSAGE -u $unit | grep 'nothing new' \
        | tail -1 | grep -o '"PRIORITY":"[0-9]"' | grep -o '[0-9]')"

    # A group of readers, outside of the state directory.
    groupadd --system crm
    useradd --system --groups crm reader
    install -d -g crm -m 2770 /srv/subscribers
    install -d /etc/systemd/system/$unit.d
    printf '[Service]\nSupplementaryGroups=crm\nReadWritePaths=/srv/subscribers\n' >/etc/systemd/system/$unit.d/readers.conf
    printf 'AWEBER_SYNC_OUTPUT=/srv/subscribers/\nAWEBER_SYNC_OUTPUT_MODE=0640\n' >>/etc/aweber-sync/aweber-sync.env
    systemctl daemon-reload
    post lists/6000001/subscribers '{"email": "group@example.com", "name": "Group", "status": "subscribed"}'
    run
    same 'a run with an output for a group' 0 "$code"
    is 'aweber-sync-as has the group and the path of the drop-in' aweber-sync-as run
    is 'and is healthy' eval 'aweber-sync-as status --max-age 1h | grep -q "^healthy"'
    same 'its exit code is that of the command' 2 "$(aweber-sync-as run --no-such-option >/dev/null 2>&1 || echo $?)"
    is 'it names the account in its advice' eval '{ aweber-sync-as @none lists 2>&1 || :; } | grep -qF "next: aweber-sync-as @none authorize"'
    is 'the group reads the export' su -s /bin/sh reader -c 'cat /srv/subscribers/*.csv | grep -aq group@example.com'
    is 'others do not' eval '! su -s /bin/sh nobody -c "cat /srv/subscribers/*.csv" 2>/dev/null'

    recipes
    failures
    two_instances

    # For the next start of the machine: a timer whose run is missed while the machine is off.
    local due=$(($(date +%s) + 25))
    at aweber-sync.timer "$(date -d "@$due" '+%F %T')"
    systemctl restart aweber-sync.timer
    post lists/6000001/subscribers '{"email": "missed@example.com", "name": "Missed", "status": "subscribed"}'
    is 'no run before the machine goes off' eval '! grep -aq missed@ /srv/subscribers/*.csv'
    printf '%s\n' "$due" >/lab/due
}

# block FILE: the first block of docs/deploy.md after the name of that file.
block() { awk -v text="\`$1\`" 'index($0, text) { found = 1 } found && /^```/ { if (inside++) exit; next } inside' /lab/deploy.md; }

recipes() {
    local exports=/var/lib/private/aweber-sync/exports before loaded
    before=$(rows $exports)
    block /etc/tmpfiles.d/aweber-sync.conf >/etc/tmpfiles.d/aweber-sync.conf
    cp --preserve=ownership "$(ls $exports/*.csv | head -1)" $exports/subscribers-20200101T000000Z.csv
    touch -m -d '100 days ago' $exports/subscribers-20200101T000000Z.csv
    is 'tmpfiles takes the recipe' systemd-tmpfiles --clean /etc/tmpfiles.d/aweber-sync.conf
    is 'an old export is removed' [ ! -e $exports/subscribers-20200101T000000Z.csv ]
    same 'new ones stay' "$before" "$(rows $exports)"

    printf '#!/bin/sh\n[ -e /var/tmp/database ] && cat "$1" >>/var/tmp/database\n' >/usr/local/bin/your-loader
    local file
    for file in /etc/systemd/system/load-subscribers.path /etc/systemd/system/load-subscribers.service /usr/local/bin/load-subscribers; do
        block "$file" >$file
    done
    chmod 755 /usr/local/bin/your-loader /usr/local/bin/load-subscribers
    for file in load-subscribers.path load-subscribers.service; do
        same "verify $file says nothing" '' "$(systemd-analyze verify /etc/systemd/system/$file 2>&1)"
    done
    loaded=$(rows /srv/subscribers)
    systemctl enable --now --quiet load-subscribers.path
    wait_for 'a loader that fails to be tried again later' eval '[ "$(property SubState load-subscribers.service)" = auto-restart ]'
    touch /var/tmp/database
    systemctl restart load-subscribers.service
    wait_for 'the exports to be loaded' eval '! ls /srv/subscribers/*.csv 2>/dev/null'
    post lists/6000001/subscribers '{"email": "watched@example.com", "name": "Watched", "status": "subscribed"}'
    run
    wait_for 'the next export to be loaded' grep -aq watched@example.com /var/tmp/database
    systemctl disable --now --quiet load-subscribers.path
    wait_for 'the loader to end' state_is load-subscribers.service inactive
    same 'each row is loaded once' "$((loaded + 1))" "$(grep -acE '^[0-9]+,[^,]*,[0-9]+,' /var/tmp/database)"
    mv /srv/loaded/* /srv/subscribers/
}

failures() {
    # A unit that tells somebody, as the comment in the unit shows it.
    printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo %%i >>/var/tmp/told"\n' >/etc/systemd/system/notify@.service
    printf '[Unit]\nOnFailure=notify@%%n.service\n' >/etc/systemd/system/$unit.d/tell.conf
    printf '[Service]\nEnvironment=AWEBER_SYNC_RETRY_WAIT=1ms\nRestartSec=200ms\n' >/etc/systemd/system/$unit.d/fast.conf
    systemctl daemon-reload

    flock -o /var/lib/private/aweber-sync/lock sleep 30 &
    local holder=$!
    wait_for 'the lock to be taken' eval '! flock -n /var/lib/private/aweber-sync/lock true'
    ends_with 'another run holds the lock, 75' 75 success final
    kill $holder && wait $holder || :
    is '75 tells nobody' [ ! -e /var/tmp/told ]

    sed -i "s|^AWEBER_AUTH_URL=.*|AWEBER_AUTH_URL=http://127.0.0.1:1|" /etc/aweber-sync/aweber-sync.env
    run
    same 'AWeber unreachable' 69 "$code"
    wait_for 'the attempts to be used up' eval 'state_is $unit failed && [ -e /var/tmp/told ]'
    same '69 is tried five times in all' 5 "$(journal $unit -p info | grep -c 'status=69')"
    same 'and told once' 1 "$(wc -l </var/tmp/told)"
    is 'with the level of an error' eval 'journalctl -q -o cat -p err -u $unit | grep -q "^aweber-sync: error"'

    cp /lab/env /etc/aweber-sync/aweber-sync.env
    printf 'AWEBER_SYNC_OUTPUT=/srv/subscribers/\nAWEBER_SYNC_OUTPUT_MODE=0640\n' >>/etc/aweber-sync/aweber-sync.env
    post revoke
    : >/var/tmp/told
    ends_with 'the app is disconnected, 77' 77 exit-code final
    wait_for 'somebody to be told' test -s /var/tmp/told
    authorize
    run
    same 'connected anew' 0 "$code"

    encrypted
    lacks 'the secret is in no journal' "$client_secret" /var/log/journal
    systemctl show $unit >/tmp/show
    lacks 'nor in systemctl show' "$client_secret" /tmp/show
}

# The secret encrypted at rest, as docs/deploy.md has it; the plain file is gone.
encrypted() {
    install -d -m 700 /etc/credstore.encrypted
    systemd-creds encrypt --name=client_secret /etc/credstore/aweber-sync.client_secret \
        /etc/credstore.encrypted/aweber-sync.client_secret >/dev/null 2>&1
    rm /etc/credstore/aweber-sync.client_secret
    ends_with 'without the secret, 78' 78 exit-code final
    printf '[Service]\nLoadCredentialEncrypted=client_secret:aweber-sync.client_secret\n' >/etc/systemd/system/$unit.d/encrypted.conf
    systemctl daemon-reload
    run
    same 'with the encrypted secret' 0 "$code"
    is 'aweber-sync-as decrypts it too' aweber-sync-as lists
    lacks 'the secret is in no file of the state directory' "$client_secret" /var/lib/private/aweber-sync
    lacks 'nor in one of /etc' "$client_secret" /etc/aweber-sync /etc/credstore.encrypted /etc/systemd
}

two_instances() {
    local name
    for name in one two; do
        install -m 600 /lab/env /etc/aweber-sync/$name.env
        install -m 600 /lab/client_secret /etc/credstore/aweber-sync-$name.client_secret
        authorize $name
    done
    systemctl start --no-block aweber-sync@one.service aweber-sync@two.service
    wait_for 'both at work' eval 'state_is aweber-sync@one.service activating && state_is aweber-sync@two.service activating'
    printf 'ok: two instances run side by side\n'
    is 'aweber-sync-as beside a run' aweber-sync-as @one status
    for name in one two; do
        wait_for "$name to end" eval "state_is aweber-sync@$name.service inactive"
        same "instance $name succeeds" 0 "$(property ExecMainStatus aweber-sync@$name.service)"
        is "instance $name has exports of its own" [ "$(rows /var/lib/private/aweber-sync-$name/exports)" -gt 1000 ]
    done
}

again() {
    wait_for 'the missed run to be caught up' eval 'grep -aq missed@example.com /srv/subscribers/*.csv'
    is 'the run missed while the machine was off is caught up' eval 'journal $unit -b | grep -qF "1 new subscriber"'
    wait_for 'it to end' state_is $unit inactive
    same 'it succeeds' 0 "$(property ExecMainStatus $unit)"
    run
    same 'the run after it has nothing to do' 0 "$code"
}

"$1"
