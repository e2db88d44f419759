#!/bin/sh
# Keeps the tokens of aweber-sync in a file that is encrypted with age, its key in a systemd credential.
#   AWEBER_SYNC_TOKEN_COMMAND=/etc/aweber-sync/age.sh
# Needs age 1.1 or later, and once, as root:
#   age-keygen | systemd-creds encrypt --name=token-key - /etc/credstore.encrypted/token-key
# with `LoadCredentialEncrypted=token-key` in the unit. Without systemd:
#   AGE_KEY      the key file, as age-keygen writes it [token-key in $CREDENTIALS_DIRECTORY]
#   AGE_TOKENS   the encrypted file, outside of backups of the key [token.age in $STATE_DIRECTORY]
set -eu
umask 077
key=${AGE_KEY:-${CREDENTIALS_DIRECTORY:?}/token-key}
tokens=${AGE_TOKENS:-${STATE_DIRECTORY:?}/token.age}

case ${1-} in
get) if [ -e "$tokens" ]; then age --decrypt -i "$key" "$tokens"; fi ;;
store)
    # Complete and on disk before it has its name; the old file is never changed.
    age --encrypt -i "$key" -o "$tokens.new"
    sync "$tokens.new"
    mv "$tokens.new" "$tokens"
    sync "$(dirname "$tokens")"
    ;;
erase) rm -f "$tokens" "$tokens.new" ;;
*) echo "usage: $0 get|store|erase" >&2; exit 2 ;;
esac
