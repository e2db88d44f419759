# shellcheck shell=bash
# step TITLE COMMAND…: prints a line before and one after with the time taken; exits if the command fails.
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
