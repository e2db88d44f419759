# shellcheck shell=bash
# step TITLE COMMAND…: one line before, one after with the time it took; the end of everything if it fails.
step() {
    local title=$1 from=$SECONDS
    shift
    printf '\n=== %s\n' "$title"
    if ! "$@"; then
        printf '=== FAILED: %s (after %d s)\n' "$title" $((SECONDS - from))
        exit 1
    fi
    printf '=== ok: %s (%d s)\n' "$title" $((SECONDS - from))
}
