# For the scripts beside it: the code blocks of the README, who follows each, and what is typed instead of what cannot be
# copied. Comes after common.sh; $readme is the file.

# Section, number of the block in it, and who follows it: the machines `bare` and `rust` of readme.sh, or another test.
known_blocks() {
    cat <<'END'
aweber-sync|1|tests/it/readme_blocks.rs
Try it|1|rust
Install|1|rust
Install|2|rust
Install|3|bare
Install|4|bare
Your first export, in five minutes|1|bare
Your first export, in five minutes|2|bare
Your first export, in five minutes|3|bare
Your first export, in five minutes|4|bare
Cron|1|bare
systemd|1|bare
systemd|2|bare
Docker|1|docker
Docker|2|docker
Docker|3|docker
New ones in, leavers out|1|bare
END
}

# Who, the words of the README, what is typed instead, and why. AWeber itself is a sandbox: the variables AWEBER_API_URL
# and AWEBER_AUTH_URL name it, in /etc/environment and in the settings of the service.
substitutes() {
    cat <<'END'
bare|YOUR_CLIENT_ID|public-client|the app that the sandbox knows
bare|gh attestation verify|: gh attestation verify|nothing has been published
bare|$HOME/.cargo/bin/aweber-sync|/usr/bin/aweber-sync|as the README says above that line
bare|17 3 * * *|* * * * *|the next minute instead of the next night
rust|cargo test|: cargo test|.ci/run runs the tests
rust|cargo install --locked cargo-deb|cargo deb --version|.ci/places has installed it
docker|YOUR_CLIENT_ID|public-client|the app that the sandbox knows
docker|docker build -f docker/Dockerfile -t aweber-sync .|docker tag aweber-sync:test aweber-sync|docker.sh has built it, from the lab's image with Rust
docker|docker run --rm|docker run --rm --network host -e AWEBER_API_URL -e AWEBER_AUTH_URL|the sandbox is on loopback
END
}

# block_list: section, number and language of each block, in order. block SECTION NUMBER: its text, as one copies it.
block_list() { awk_blocks -v list=1; }
block() { awk_blocks -v section="$1" -v number="$2"; }
awk_blocks() {
    awk "$@" '
        !inside && /^#+ / { heading = $0; sub(/^#+ /, "", heading); count = 0; next }
        /^ *```/ {
            inside = !inside
            if (inside) { count++; indent = index($0, "`") }
            if (inside && list) print heading "|" count
            next
        }
        inside && !list && heading == section && count == number { print substr($0, indent) }' "$readme"
}

# typed WHO SECTION NUMBER: the block with its substitutes; notes in the file $followed what was used.
typed() {
    local text who words instead
    text=$(block "$2" "$3")
    [ -n "$text" ] || fail "the README has no block $3 in '$2'"
    printf '%s|%s|%s\n' "$2" "$3" "$1" >>"$followed"
    while IFS='|' read -r who words instead _; do
        if [ "$who" = "$1" ] && [[ $text == *"$words"* ]]; then
            text=${text//"$words"/"$instead"}
            printf '%s|%s\n' "$who" "$words" >>"$followed"
        fi
    done < <(substitutes)
    printf '%s\n' "$text"
}

# all_followed WHO: no block and no substitute in these tables was left out.
all_followed() {
    local all
    all=$(known_blocks | grep -F "|$1"; substitutes | grep "^$1|" | cut -d'|' -f1,2)
    same "each block for '$1' was followed, and each substitute used" '' "$(grep -vxFf "$followed" <<<"$all" || :)"
}
