#!/usr/bin/env bash
# What readme.sh tries, inside the box, as root: `bare` as a person without Rust, `rust` as one with it.
set -euo pipefail
. /lab/common.sh
. /lab/box.sh
. /lab/blocks.sh
. /lab/terminal.sh
readme=/lab/README.md
followed=/run/followed
page_of() { http GET "$1" ''; }
trap get_up EXIT

first='Your first export, in five minutes'
exports=/home/you/.local/state/aweber-sync/exports

bare() {
    useradd -m -s /bin/bash you
    echo 'you ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/you
    cat /lab/env >>/etc/environment
    remember_in /home/you
    remember_in /root
    install -o you -m 644 /lab/*.deb /home/you/
    dpkg --purge ca-certificates openssl >/dev/null 2>&1
    is 'a machine without Rust, and without certificates' eval '! command -v cargo && ! ls /etc/ssl/certs/*.crt 2>/dev/null'
    sit_down bare su - you

    follow Install 3 agree
    verify
    follow "$first" 1 paste_the_code
    follow "$first" 2
    follow "$first" 3
    is 'everybody is exported' [ "$(rows $exports)" -gt 100 ]
    follow "$first" 4
    is 'the CSV is on the screen' shows list_id,list_name,id,email,name,status
    follow 'New ones in, leavers out' 1
    cron
    service
    all_followed bare
}

# apt asks, as it installs what the package depends on.
agree() {
    wait_for 'apt to ask' shows 'Do you want to continue?'
    paste_text y
}

# The files of a release, as its workflow makes them.
verify() {
    (cd /home/you && sha256sum -- *.deb >SHA256SUMS && echo "$(sha256sum </dev/null | cut -d' ' -f1)  aweber-sync.cdx.json" >>SHA256SUMS)
    follow Install 4
    is 'the checksum of the package is verified' shows '.deb: OK'
}

# What `crontab -e` does with an editor is done with `crontab -` here.
cron() {
    local line
    line=$(typed bare Cron 1)
    post lists/6000001/subscribers '{"email": "night@example.com", "name": "Night", "status": "subscribed"}'
    enter "echo '$line' | crontab -"
    wait_for 'cron to run the line' eval 'grep -aq night@example.com $exports/*.csv'
    enter 'crontab -r'
    same 'the first run and the cron line write to one place' 2 "$(find /home/you -name '*.csv' | wc -l)"
}

service() {
    enter 'sudo -i'
    # Where the sandbox is, as no environment reaches a service.
    cat /lab/env >>/etc/aweber-sync/aweber-sync.env
    follow systemd 1 paste_the_code
    follow systemd 2
    is 'the summary says healthy' shows 'healthy: last success'
    is 'the exports are where the README says' [ "$(rows /var/lib/aweber-sync/exports)" -gt 100 ]
    is 'the timer is enabled' systemctl is-enabled aweber-sync.timer
    is 'and waits' state_is aweber-sync.timer active
}

rust() {
    . /lab/rust
    install -m 755 /lab/cargo-deb /usr/local/bin/
    remember_in /root
    printf 'cd %s; export PATH=/root/.cargo/bin:%s/bin:$PATH CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=%s\n' \
        "$root" "$sysroot" "$target" >>/root/.bashrc
    sit_down rust bash
    # A release build, if there is none yet, or a wait for another one.
    patience=1500
    follow 'Try it' 1
    follow Install 1
    enter 'aweber-sync --version'
    follow Install 2
    is 'the path of a package is the last line' eval 'screen | sed -n "s/^\(.*\.deb\)$/\1/p" | tail -1 | xargs test -f'
    all_followed rust

    # What docs/deploy.md says of the program that cargo has installed.
    enter "$(readme=/lab/deploy.md block 'Man pages and completions' 1)"
    enter '. ~/.local/share/bash-completion/completions/aweber-sync && complete -p aweber-sync'
    is 'man looks where the pages are' eval 'PATH=$PATH:/root/.cargo/bin manpath -q | grep -q /root/.cargo/share/man'
    is 'and there they are' test -s /root/.cargo/share/man/man1/aweber-sync-run.1
    enter 'cargo install --locked --path .'
    enter 'cargo uninstall aweber-sync'
}

"$1"
