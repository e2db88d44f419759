#!/usr/bin/env bash
# Every oddity that the sandbox knows, exported and then loaded by the programs that people load CSV with; each cell is
# compared with what AWeber's answer says (compare.py). Run it from anywhere: bash tests/readers/run.sh
# Uses sqlite3, PostgreSQL's server, jq, LibreOffice, promtool, and pandas and DuckDB in a virtual environment. What is
# missing is fetched from Debian or PyPI; what cannot be had (not root, no network) is skipped and said to be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
target=${CARGO_TARGET_DIR:-target}
here=$PWD/tests/readers
work=$(mktemp -d /tmp/readers.XXXXXX)
chmod 755 "$work"
export LC_ALL=C.UTF-8
sandbox='' server=''

tidy() {
    [ -z "$server" ] || as_postgres "$server/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true
    [ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT

skipped() { printf 'skipped: %s\n' "$1"; }
as_postgres() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
can_fetch_package() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }
updated=''
fetch_package() {
    can_fetch_package || return 1
    [ -n "$updated" ] || apt-get -qq update || return 1
    updated=yes
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}
find_server() { find /usr/lib/postgresql -name initdb -path '*/bin/*' 2>/dev/null | sort -V | tail -1 | xargs -r dirname; }

# The account with the oddities, and four exports of it, each as a first one: CSV, jsonl, for spreadsheets, and metrics.
cargo build --quiet --locked --bin aweber-sync
cargo build --quiet --locked --example sandbox
"$target/debug/examples/sandbox" --port-api 0 --port-auth 0 >"$work/sandbox.log" 2>&1 &
sandbox=$!
for _ in $(seq 200); do
    grep -q AWEBER_API_URL= "$work/sandbox.log" && break
    kill -0 "$sandbox" || { cat "$work/sandbox.log"; exit 1; }
    sleep 0.05
done
eval "$(sed -n 's/^ *\(export AWEBER_API_URL=\)/\1/p' "$work/sandbox.log" | head -1)"
job() { env -u AWEBER_SYNC_OUTPUT AWEBER_SYNC_STATE_DIR="$work/$1" "$target/debug/aweber-sync" "${@:2}"; }
connect() {
    local address
    address=$(job "$1" authorize --print-url | grep -o 'http[^ ]*/oauth2/authorize[^ ]*' | head -1)
    job "$1" authorize --code "$(python3 "$here/compare.py" code "$address")" >/dev/null
}
for layout in csv jsonl excel; do connect "$layout"; done
job csv run --output "$work/out.csv" --list Oddities --metrics-file "$work/aweber.prom"
job jsonl run --output "$work/out.jsonl" --list Oddities --format jsonl
job excel run --output "$work/excel.csv" --list Oddities --excel
python3 "$here/compare.py" truth "$work/csv/token.json" "$AWEBER_API_URL" Oddities "$work/truth.json"
compare() { python3 "$here/compare.py" compare "$work/truth.json" "$@"; }

compare "Python's csv, strict" "$(python3 "$here/compare.py" csv "$work/out.csv" "$work/python.json")"

# SQLite's shell ends a text at a NUL.
if command -v sqlite3 >/dev/null || fetch_package sqlite3; then
    sqlite3 "$work/sqlite.db" ".import --csv $work/out.csv subscribers"
    python3 "$here/compare.py" sqlite "$work/sqlite.db" "$work/sqlite.json"
    compare 'sqlite3 .import --csv' "$work/sqlite.json" --nul-ends
else
    skipped 'sqlite3 is not installed'
fi

# The recipes of docs/files.md, with a person who came and left between two exports of the list "Newsletter".
recipe() { sed -n "/^<!-- recipe: $1 -->/,/^\`\`\`$/p" docs/files.md | sed '1,2d;$d'; }
if command -v sqlite3 >/dev/null; then
    connect crm
    crm=$work/home/.local/state/aweber-sync/exports
    mkdir -p "$crm"
    both() { job crm run --output "$crm/" --list Newsletter --status subscribed,unsubscribed; }
    both
    control=$AWEBER_API_URL/_sandbox/lists/$(head -2 "$crm"/*.csv | tail -1 | cut -d, -f1)/subscribers
    id=$(curl -fsS -d '{"email":"crm@example.com"}' "$control" | jq .id)
    sleep 1
    both
    sleep 1
    curl -fsS -X POST "$control/$id/unsubscribe" >/dev/null
    both
    for file in "$crm"/*.csv; do
        sqlite3 "$work/crm.db" "CREATE TABLE IF NOT EXISTS subscribers ($(head -1 "$file"))" ".import --csv --skip 1 $file subscribers"
    done
    recipe members | sqlite3 "$work/crm.db"
    members() { sqlite3 "$work/crm.db" "SELECT count(*) FROM members ${1-}"; }
    came=$(sqlite3 "$work/crm.db" "SELECT count(DISTINCT id) FROM subscribers WHERE status = 'subscribed'")
    [ "$(members)" -eq $((came - 1)) ]
    [ "$(members "WHERE email = 'crm@example.com'")" -eq 0 ]
    (export HOME=$work/home; eval "$(recipe crm)")
    ins=$(cat "$crm"/*-in.csv | grep -c 'crm@example.com') outs=$(cat "$crm"/*-out.csv | grep -c 'crm@example.com')
    [ "$ins $outs $(ls "$crm"/*.done | wc -l)" = '1 1 3' ]
    echo "the recipes of docs/files.md: $(members) members, 1 came and left"
fi

# PostgreSQL knows no NUL in a text: it goes on the way, as docs/files.md says.
server=$(find_server)
if [ -z "$server" ] && fetch_package postgresql; then server=$(find_server); fi
if [ -z "$server" ]; then
    skipped "PostgreSQL's server is not installed"
else
    mkdir -m 700 "$work/pg"
    [ "$(id -u)" -ne 0 ] || chown postgres "$work/pg"
    as_postgres "$server/initdb" -D "$work/pg/data" -A trust -E UTF8 --locale=C.UTF-8 >"$work/pg.log" 2>&1
    as_postgres "$server/pg_ctl" -D "$work/pg/data" -w -l "$work/pg/log" \
        -o "-c listen_addresses='' -c unix_socket_directories='$work/pg' -c fsync=off" start >/dev/null
    sql() { as_postgres "$server/psql" -h "$work/pg" -d postgres -qAt -v ON_ERROR_STOP=1 "$@"; }
    columns=$(head -1 "$work/out.csv" | sed 's/,/ text, /g; s/$/ text/')
    sql -c "CREATE TABLE subscribers ($columns)"
    tr -d '\000' <"$work/out.csv" | sql -c 'COPY subscribers FROM STDIN (FORMAT csv, HEADER)'
    sql -c "SELECT coalesce(json_agg(s), '[]') FROM subscribers s" >"$work/postgres.json"
    compare 'PostgreSQL COPY … CSV HEADER' "$work/postgres.json" --no-nul
fi

jq -c . "$work/out.jsonl" >"$work/jq.jsonl" 2>/dev/null || { fetch_package jq && jq -c . "$work/out.jsonl" >"$work/jq.jsonl"; } || skipped 'jq is not installed'
[ ! -s "$work/jq.jsonl" ] || python3 "$here/compare.py" jsonl "$work/truth.json" "$work/out.jsonl" "$work/jq.jsonl"

# Kept beside the build, so that a second run need not fetch it again.
venv=$(realpath -m "$target/readers-venv")
make_venv() { python3 -m venv --clear "$venv" >"$work/venv.log" 2>&1; }
if [ -x "$venv/bin/pip" ] || make_venv || { fetch_package python3-venv && make_venv; }; then
    if "$venv/bin/pip" -q --disable-pip-version-check install pandas duckdb >"$work/pip.log" 2>&1; then
        "$venv/bin/python" "$here/compare.py" pandas "$work/out.csv" "$work/pandas.json"
        compare 'pandas' "$work/pandas.json"
        "$venv/bin/python" "$here/compare.py" duckdb "$work/out.csv" "$work/duckdb.json"
        compare 'DuckDB' "$work/duckdb.json"
    else
        skipped "pandas and DuckDB cannot be installed: $(tail -1 "$work/pip.log")"
    fi
else
    skipped 'Python can make no virtual environment'
fi

python3 "$here/compare.py" excel "$work/truth.json" "$work/excel.csv"

# A spreadsheet that calculates is the witness that there is something to be made harmless, and that it was.
if command -v soffice >/dev/null || fetch_package libreoffice-calc-nogui; then
    sheets() {
        for file in out excel; do
            HOME=$work timeout 120 soffice --headless "-env:UserInstallation=file://$work/office" \
                "--infilter=CSV:$1,34,76,1" --convert-to fods --outdir "$work/sheets-$1" "$work/$file.csv" >"$work/office.log" 2>&1
        done
    }
    # Commas; then semicolon, tab and bar, which a cell may contain without quotes that count.
    sheets 44
    python3 "$here/compare.py" spreadsheet "$work/sheets-44/out.fods" "$work/sheets-44/excel.fods" "$work/truth.json"
    for separator in 59:semicolons 9:tabs 124:bars; do
        code=${separator%%:*}
        sheets "$code"
        python3 "$here/compare.py" separated "${separator#*:}" "$work/sheets-$code/out.fods" "$work/sheets-$code/excel.fods"
    done
else
    skipped 'LibreOffice is not installed'
fi

# Only its one program is wanted: no service is installed.
promtool=$(command -v promtool || true)
if [ -z "$promtool" ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    mkdir "$work/prometheus"
    if (cd "$work/prometheus" && { apt-get -qq download prometheus || { can_fetch_package && apt-get -qq update && apt-get -qq download prometheus; }; } && dpkg-deb -x prometheus_*.deb .) >"$work/prometheus.log" 2>&1; then
        promtool=$work/prometheus/usr/bin/promtool
    fi
fi
if [ -n "$promtool" ]; then
    "$promtool" check metrics <"$work/aweber.prom"
    echo "promtool check metrics: $(grep -vc '^#' "$work/aweber.prom") metrics"
    "$promtool" check rules examples/monitoring/prometheus-rules.yml
    "$promtool" test rules examples/monitoring/prometheus-rules.test.yml
else
    skipped 'promtool is not installed'
fi
