#!/bin/sh
# A token command in front of another one, given as `between.sh STORE`: when the file $BETWEEN exists, it holds what is done
# at the second `store` from then on, `before` or `after` that has stored.
#   kill-run      kills the aweber-sync that has called it
#   kill-PID      kills that process, a server
#   fail          ends with 1
set -eu
word=$2
act() {
    case $what in
    kill-run) kill -9 "$(cut -d ' ' -f 4 "/proc/$PPID/stat")"; sleep 5 ;;
    kill-*) kill -9 "${what#kill-}" ;;
    fail) exit 1 ;;
    esac
}
when='' what=''
if [ "$word" = store ] && [ -e "$BETWEEN" ]; then
    echo >>"$BETWEEN.stores"
    if [ "$(wc -l <"$BETWEEN.stores")" -eq 2 ]; then read -r when what <"$BETWEEN"; fi
fi
if [ "$when" = before ]; then act; fi
"$1" "$word"
if [ "$when" = after ]; then act; fi
