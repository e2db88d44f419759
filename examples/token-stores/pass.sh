#!/bin/sh
# Keeps the tokens of aweber-sync in pass, the password store.
#   AWEBER_SYNC_TOKEN_COMMAND=/etc/aweber-sync/pass.sh
# Needs pass with a GnuPG key that needs no passphrase at night: a key without one, or an agent that has it. Do not use a
# store with a git repository, whose history would keep every token.
#   PASS_ENTRY   the entry, one per account [aweber-sync/tokens]
set -eu
entry=${PASS_ENTRY:-aweber-sync/tokens}
file=${PASSWORD_STORE_DIR:-$HOME/.password-store}/$entry.gpg

case ${1-} in
get) if [ -e "$file" ]; then pass show "$entry"; fi ;;
store)
    # `pass insert` writes into the file itself, so into another one that then gets the name.
    pass insert --multiline --force "$entry.new" >/dev/null
    sync "${file%.gpg}.new.gpg"
    pass mv --force "$entry.new" "$entry" >/dev/null
    sync "$(dirname "$file")"
    ;;
erase) if [ -e "$file" ]; then pass rm --force "$entry" >/dev/null; fi ;;
*) echo "usage: $0 get|store|erase" >&2; exit 2 ;;
esac
