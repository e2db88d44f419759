#!/usr/bin/env bash
# What package.sh tries, inside the box, as root, with both versions of the package and the secret in /lab.
set -euo pipefail
. /lab/common.sh
. /lab/box.sh
export DEBIAN_FRONTEND=noninteractive
settings=/etc/aweber-sync/aweber-sync.env
state=/var/lib/private/aweber-sync
exports=$state/exports

# apt ACTION PACKAGE: silent, unless it fails. An edited conffile is kept, which is also what a person answers.
apt() { apt-get "$1" -y -o Dpkg::Options::=--force-confold "$2" >/var/tmp/apt 2>&1 </dev/null || { cat /var/tmp/apt; fail "apt $*"; }; }
enabled() { systemctl is-enabled "$1" 2>/dev/null || :; }
active() { systemctl is-active "$1" 2>/dev/null || :; }
# at_work: a run under way in the middle of the lists; more to do for it, and a wait until it asks for them.
at_work() {
    local before
    before=$(requests)
    systemctl start --no-block $unit
    wait_for 'a run at work' eval '[ "$(requests)" -gt $((before + 3)) ] && state_is $unit activating'
}
token() { grep -o '"refresh_token": *"[^"]*"' $state/token.json; }
doubled() { cat $exports/*.csv | grep -aoE '^[0-9]+,[^,]*,[0-9]+,' | sort | uniq -d; }

apt install /lab/one.deb
is 'installed, the program is in the path' aweber-sync --version
same 'the timer is not enabled' disabled "$(enabled aweber-sync.timer)"
same 'nor at work' inactive "$(active aweber-sync.timer)"
same 'the settings are private' '600 root' "$(stat -c '%a %U' $settings)"
for file in aweber-sync.service aweber-sync.timer aweber-sync@one.service aweber-sync@one.timer; do
    same "verify $file says nothing" '' "$(systemd-analyze verify $file 2>&1)"
done
is 'bash completes it' bash -c '. /usr/share/bash-completion/completions/aweber-sync && complete -p aweber-sync'

# As the README has it: settings, secret, authorize, a first run, the timer; and an account more.
install -d -m 700 /etc/credstore
install -m 600 /lab/client_secret /etc/credstore/aweber-sync.client_secret
install -m 600 /lab/client_secret /etc/credstore/aweber-sync-one.client_secret
cat /lab/env >>$settings
install -m 600 /lab/env /etc/aweber-sync/one.env
authorize
authorize one
at aweber-sync.timer 2037-01-01
at aweber-sync@.timer 2037-01-01
systemctl enable --now --quiet aweber-sync.timer aweber-sync@one.timer
for timer in aweber-sync.timer aweber-sync@one.timer; do
    same "$timer, enabled by hand, is at work" active "$(active $timer)"
done

# Upgraded in the middle of the first export.
at_work
apt install /lab/two.deb
same 'upgraded' 99.0.0-1 "$(dpkg-query -W -f '${Version}' aweber-sync)"
wait_for 'the run that began before to end' state_is $unit inactive
same 'it was not disturbed' 0success "$(property ExecMainStatus $unit)$(property Result $unit)"
all=$(rows $exports)
is "and exported everybody ($all)" [ "$all" -gt 1000 ]
same 'the timer is at work' active "$(active aweber-sync.timer)"
same 'that of the second account too' active "$(active aweber-sync@one.timer)"
same 'systemd knows the new units' 'Of the next version' "$(property Description aweber-sync.timer)"
is 'the edited settings are kept' grep -qxF "AWEBER_API_URL=$api" $settings
same 'and private' 600 "$(stat -c %a $settings)"
is 'the new example lies beside them' [ -e $settings.dpkg-dist ]
post lists/6000001/subscribers '{"email": "upgraded@example.com", "name": "Upgraded", "status": "subscribed"}'
run
same 'the next run succeeds' 0success "$code$result"
same 'and exports the one who has come since' $((all + 1)) "$(rows $exports)"

# Removed in the middle of a run.
systemctl start --no-block aweber-sync@one.service
wait_for 'a run of the second account' state_is aweber-sync@one.service activating
before=$(token)
apt remove aweber-sync
same 'removed: the timer is stopped' inactive "$(active aweber-sync.timer)"
same 'that of the second account too' inactive "$(active aweber-sync@one.timer)"
same 'and its run' inactive "$(active aweber-sync@one.service)"
is 'the program is gone' [ ! -e /usr/bin/aweber-sync ]
is 'the settings are kept' [ -e $settings ]
same 'the tokens are kept' "$before" "$(token)"

apt install /lab/one.deb
same 'installed again: the timer goes on' active "$(active aweber-sync.timer)"
same 'that of the second account too' active "$(active aweber-sync@one.timer)"
post lists/6000001/subscribers '{"email": "again@example.com", "name": "Again", "status": "subscribed"}'
run
same 'a run without another authorize' 0success "$code$result"
same 'exports who is new, and nobody else' $((all + 2)) "$(rows $exports)"
same 'nobody twice' '' "$(doubled)"
run aweber-sync@one.service
same 'the run of the second account that the removal stopped goes on' 0success "$code$result"
is 'and exports everybody' [ "$(rows $state-one/exports)" -gt 1000 ]

# An account that was connected, and never more than that.
install -d -m 700 $state-empty
touch $state-empty/token.json $state-empty/lock
ln -s private/aweber-sync-empty /var/lib/aweber-sync-empty
install -d /run/aweber-sync-exporter
touch /run/aweber-sync-exporter/socket
apt purge aweber-sync
is 'purged: it says what it keeps' grep -qF "removed the tokens in $state; its ledger and exports are kept" /var/tmp/apt
is 'the settings are gone' [ ! -e $settings ]
is 'so are those of the second account' [ ! -e /etc/aweber-sync ]
is 'it names the secrets that it keeps' grep -qF '/etc/credstore/aweber-sync-one.client_secret is kept' /var/tmp/apt
is 'and keeps what another package has under a similar name' [ -e /run/aweber-sync-exporter/socket ]
same 'the tokens are gone' '' "$(find /var/lib/private /run -name 'token.json*')"
same 'and the place of their last resort' /run/aweber-sync-exporter "$(ls -d /run/aweber-sync* /run/private/aweber-sync* 2>/dev/null || :)"
is 'a state that held no more than them is gone' eval '[ ! -e $state-empty ] && [ ! -L /var/lib/aweber-sync-empty ]'
same 'the exports are kept' $((all + 2)) "$(rows $exports)"
is 'and the ledger' ls $state/ledger-*.sqlite3
same 'no timer is enabled any more' '' "$(find /etc/systemd/system -name '*.timer' -path '*aweber-sync*')"
same 'systemd knows no unit of it' '' "$(systemctl list-unit-files --no-legend 'aweber-sync*')"
same 'dpkg knows nothing of it' '' "$(dpkg-query -W -f '${Package}' aweber-sync 2>/dev/null || :)"
