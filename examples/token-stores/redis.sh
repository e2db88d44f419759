#!/bin/sh
# Keeps the tokens of aweber-sync in Redis or Valkey.
#   AWEBER_SYNC_TOKEN_COMMAND=/etc/aweber-sync/redis.sh
# Needs redis-cli, and a server with `appendonly yes` and `appendfsync always`: with less, it may lose a token that it has
# acknowledged.
#   REDIS_KEY       the key, one per account [aweber-sync:tokens]
#   REDIS_OPTIONS   options of redis-cli, such as `-h redis.internal --tls`; the password is REDISCLI_AUTH
set -eu
key=${REDIS_KEY:-aweber-sync:tokens}
# shellcheck disable=SC2086 # options, separated by blanks
redis() { redis-cli -e ${REDIS_OPTIONS:-} "$@"; }

# One step for the server: a writer that is late, on another machine for example, cannot replace newer tokens.
store='
local old = redis.call("GET", KEYS[1])
if old and cjson.decode(old).generation > cjson.decode(ARGV[1]).generation then
  return redis.error_reply("newer tokens are stored")
end
return redis.call("SET", KEYS[1], ARGV[1])'

case ${1-} in
get) redis --raw GET "$key" ;;
# The tokens are read from standard input, so that the process list does not show them.
store) [ "$(redis -x EVAL "$store" 1 "$key")" = OK ] ;;
erase) redis DEL "$key" >/dev/null ;;
*) echo "usage: $0 get|store|erase" >&2; exit 2 ;;
esac
