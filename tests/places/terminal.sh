# For the scripts beside it: a person at a terminal of 80 columns and 24 lines (tmux), who pastes blocks of the README and
# waits for the prompt. Comes after common.sh and blocks.sh.

notes=${notes:-/run/notes}
person=

tmux_of() { tmux -L "places-$$" "$@"; }

# sit_down WHO COMMAND…: opens the terminal with that shell, which remember_in has prepared.
sit_down() {
    person=$1
    shift
    mkdir -p "$notes"
    : >"$notes/prompts"
    : >"$notes/failed"
    chmod 666 "$notes"/*
    tmux_of -f /dev/null start-server \; set-option -g history-limit 20000 \; new-session -d -x 80 -y 24 "$@"
    wait_for 'the prompt' test -s "$notes/prompts"
}
get_up() {
    tmux_of kill-server 2>/dev/null || :
    person=
}
# A failure shows the screen.
fail() {
    [ -z "$person" ] || screen | tail -30
    printf 'NOT SO: %s\n' "$*" >&2
    exit 1
}

# remember_in HOME: that user's shells note each prompt, and each command that fails.
remember_in() {
    printf 'PROMPT_COMMAND="echo >>%s/prompts"\ntrap '\''echo "$? $BASH_COMMAND" >>%s/failed'\'' ERR\n' "$notes" "$notes" >>"$1/.bashrc"
}

# screen: what was printed since the last block was pasted, with wrapped lines joined.
screen() { printf '%s\n' "$(tmux_of capture-pane -p -J -S -)"; }
shows() { [[ $(screen) == *"$1"* ]]; }
prompts() { wc -l <"$notes/prompts"; }
# As terminals do where the shell asks for it (bash since 5.1): pasted text is one input, whatever a program reads.
paste_text() {
    printf '%s' "$1" | tmux_of load-buffer - && tmux_of paste-buffer -p -d && tmux_of send-keys Enter
}

# enter TEXT [COMMAND…]: pastes it at the prompt, does COMMAND, and waits for the next prompt; no line may fail.
enter() {
    local text=$1 next
    shift
    next=$(($(prompts) + 1))
    tmux_of send-keys C-l \; clear-history
    paste_text "$text"
    [ $# -eq 0 ] || "$@"
    wait_for "the prompt after: $text" eval '[ "$(prompts)" -ge $next ]'
    [ ! -s "$notes/failed" ] || fail "it fails: $(cat "$notes/failed")"
    printf 'ok: %s\n' "${text//$'\n'/$'\n'    }"
}

# follow SECTION NUMBER [COMMAND…]
follow() {
    local text section=$1 number=$2
    shift 2
    text=$(typed "$person" "$section" "$number")
    enter "$text" "$@"
}

# paste_the_code: opens the page of the URL on the screen, as a browser would, and pastes the code that it shows.
paste_the_code() {
    local url
    wait_for 'the program to ask for the code' shows 'Paste the code'
    url=$(screen | grep -o 'http://[^ ]*authorize[^ ]*' | tail -1)
    paste_text "$(page_of "$url" | sed -n 's/.*id="code">\([^<]*\)<.*/\1/p')"
}
