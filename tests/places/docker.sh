#!/usr/bin/env bash
# docker/Dockerfile under a real Docker daemon, against the sandbox AWeber on loopback.
# Usage: tests/places/docker.sh SANDBOX DOCKER
#   DOCKER  a script that passes its arguments to docker, and whose `build DIR TAG OPTION…` builds with BuildKit
# With docker-compose, and DOCKER_HOST naming the same daemon, docker/compose.yaml too.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
sandbox=$1 docker=$2
root=$here/../..
image=aweber-sync:test
volume=aweber-sync-test-$$

lab=$(mktemp -d)
cleanup() {
    stop_sandbox
    "$docker" rm -f "$volume" >/dev/null 2>&1 || :
    "$docker" volume rm -f "$volume" >/dev/null 2>&1 || :
    rm -rf "$lab"
}
trap cleanup EXIT

# A lab without a registry has an image with Rust under a name of its own.
rust=()
"$docker" image inspect rust:1-bookworm >/dev/null 2>&1 && rust=(--build-arg RUST=rust:1-bookworm)
build() {
    "$docker" build "$root" "$image" -f "$root/docker/Dockerfile" --progress plain "${rust[@]}" \
        --build-arg REVISION='0123abc 2026-11-22' >"$lab/build" 2>&1
}
# Twice: a download may break off.
is 'the image builds' eval 'build || build' || { tail -20 "$lab/build"; exit 1; }
build
same 'a second time all of it is cached' 0 "$(grep -c ' Compiling ' "$lab/build" || :)"
size=$("$docker" image inspect -f '{{.Size}}' "$image")
printf 'the image: %s bytes, %s layers\n' "$size" "$("$docker" image inspect -f '{{len .RootFS.Layers}}' "$image")"
is 'it is below 20 MB' [ "$size" -lt 20000000 ]
same 'it runs as a number' 65532:65532 "$("$docker" image inspect -f '{{.Config.User}}' "$image")"
same 'it says which commit it is of' "aweber-sync $(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1) (0123abc 2026-11-22)" "$("$docker" run --rm "$image" --version)"
same 'it is stopped by' SIGTERM "$("$docker" image inspect -f '{{.Config.StopSignal}}' "$image")"

start_sandbox "$sandbox" "$lab" --subscribers 1000 --latency-ms 150
# run MOUNT ARGUMENT…: as docker/compose.yaml runs it, with the sandbox in reach.
options=(--read-only --cap-drop ALL --security-opt no-new-privileges --network host
    -e AWEBER_API_URL="$api" -e AWEBER_AUTH_URL="$auth" -e AWEBER_CLIENT_ID=public-client
    -e AWEBER_SYNC_REQUESTS_PER_MINUTE=6000)
run() {
    local mount=$1
    shift
    code=0
    "$docker" run --rm "${options[@]}" -v "$mount" "$image" "$@" >"$lab/out" 2>"$lab/err" </dev/null || code=$?
}
token_requests() { curl -s "$api/_sandbox/requests" | grep -o '/oauth2/token' | wc -l; }
connect() {
    local url
    run "$1" authorize --print-url
    url=$(grep -oh 'http://[^ ]*' "$lab/out" "$lab/err" | head -1)
    run "$1" authorize --code "$(code_of "$url")"
    same "authorize in $1" 0 "$code"
}

connect "$volume:/data"
# Stopped in the middle of the first export.
"$docker" run -d --name "$volume" "${options[@]}" -v "$volume:/data" "$image" >/dev/null
asked() { [ "$(curl -s "$api/_sandbox/requests" | grep -o '/1.0/accounts/[^"]*subscribers' | wc -l)" -gt 4 ]; }
wait_for 'the run to ask for subscribers' asked
run "$volume:/data" run
same 'a second container on the volume: exit code' 75 "$code"
from=$(date +%s%N)
"$docker" stop "$volume" >/dev/null
stopped=$("$docker" inspect -f '{{.State.FinishedAt}}' "$volume")
took=$((($(date -d "$stopped" +%s%N) - from) / 1000000))
same 'stopped in the middle: exit code' 143 "$("$docker" inspect -f '{{.State.ExitCode}}' "$volume")"
# The second that a run may take, and two for Docker to hand the signal on and to note the end.
is "within a second ($took ms with Docker's own work)" [ "$took" -lt 3000 ]
"$docker" rm "$volume" >/dev/null
run "$volume:/data" run
same 'the next run goes on' 0 "$code"
files=$("$docker" create -v "$volume:/data" "$image")
"$docker" cp "$files:/data/exports" - | tar -xO >"$lab/rows"
"$docker" rm "$files" >/dev/null
is 'and everybody is exported' [ "$(grep -acE '^[0-9]+,[^,]*,[0-9]+,' "$lab/rows")" -gt 1000 ]
same 'nobody twice' '' "$(grep -aoE '^[0-9]+,[^,]*,[0-9]+,' "$lab/rows" | sort | uniq -d)"
run "$volume:/data" run
same 'an idle run' '0' "$code$(cat "$lab/out" "$lab/err")"
install -d -m 755 -o 65532 -g 65532 "$lab/exports"
chmod 711 "$lab"
curl -s -d '{"email": "host@example.com", "name": "Host", "status": "subscribed"}' "$api/_sandbox/lists/6000001/subscribers" >/dev/null
"$docker" run --rm "${options[@]}" -v "$volume:/data" -v "$lab/exports:/exports" "$image" run --output /exports/ >"$lab/out" 2>&1 || { cat "$lab/out"; fail 'a run with exports on the host'; }
is 'exports on the host' grep -aq host@example.com "$lab"/exports/*.csv

# Mounts that cannot work say why, and spend no token.
install -d -m 755 -o 1 -g 1 "$lab/foreign"
run "$lab/foreign:/data" run
is "a directory of another user: refused ($code)" [ "$code" = 74 -o "$code" = 78 ]
is 'with the path in the message' grep -q /data "$lab/err"
sed 's/^/    /' "$lab/err"
install -d -m 700 -o 65532 -g 65532 "$lab/own"
connect "$lab/own:/data"
before=$(token_requests)
run "$lab/own/token.json:/data/token.json" run
same 'the token file alone mounted: exit code' 74 "$code"
is 'with the cure' grep -qi 'directory' "$lab/err"
same 'and no token spent' "$before" "$(token_requests)"
run "$lab/own:/data" run --since today
same 'the directory mounted' 0 "$code"

# As the README has it: as a user of the host, with a directory of that user.
install -d -m 700 -o 1234 -g 1234 "$lab/mine"
(
    options+=(--user 1234:1234)
    connect "$lab/mine:/data"
    run "$lab/mine:/data" run
    same 'as a user of the host' 0 "$code"
)
same 'whose the exports are' 1234 "$(stat -c %u "$lab"/mine/exports/*.csv)"

"$docker" history --no-trunc "$image" >"$lab/history"
lacks 'no secret in the history' "$client_secret" "$lab/history"
files=$("$docker" create "$image")
"$docker" export "$files" | tar -t | grep -v '/$' >"$lab/files"
"$docker" cp "$files:/aweber-sync" "$lab/program"
"$docker" rm "$files" >/dev/null
is 'the program and the certificates are in the image' [ "$(grep -cx 'aweber-sync\|etc/ssl/certs/ca-certificates.crt' "$lab/files")" = 2 ]
is 'the program names its crates' eval 'readelf --wide --sections "$lab/program" | grep -F .dep-v0'
is 'and no shell' eval '! grep -qE "(^|/)(ba|da)?sh$" "$lab/files"'

# docker/compose.yaml, as its first lines say; what is added is the way to the sandbox.
command -v docker-compose >/dev/null && [ -n "${DOCKER_HOST:-}" ] || { echo 'skipped: no docker-compose here'; exit 0; }
"$docker" tag "$image" aweber-sync
cat >"$lab/sandbox.yaml" <<END
services:
  aweber-sync:
    network_mode: host
    environment:
      AWEBER_API_URL: $api
      AWEBER_AUTH_URL: $auth
      AWEBER_SYNC_REQUESTS_PER_MINUTE: 6000
END
compose_file=$root/docker/compose.yaml client=public-client
compose() {
    AWEBER_CLIENT_ID=$client docker-compose --project-name "$volume" -f "$compose_file" -f "$lab/sandbox.yaml" \
        "$@" >"$lab/out" 2>"$lab/err" </dev/null
}
job() { compose run --rm -T aweber-sync "$@" || { cat "$lab/out" "$lab/err"; fail "compose: $*"; }; }
is 'compose understands docker/compose.yaml' compose config || cat "$lab/err"
compose up || :
is 'up alone starts nothing' eval '! "$docker" ps -a --format "{{.Names}}" | grep -q "$volume"'
whole() { # TITLE: connect, run, and look
    job authorize --print-url
    url=$(grep -oh 'http://[^ ]*authorize[^ ]*' "$lab/out" "$lab/err" | head -1)
    job authorize --code "$(code_of "$url")"
    job run --since today
    job status --json
    is "$1: connected, run, and healthy" grep -q '"healthy": *true' "$lab/out"
    compose down --volumes
}
whole compose

# The lines for the secret of a confidential app, uncommented as the file says.
compose_file=$lab/compose.yaml client=confidential-client
sed -e 's/^\( *\)# \(AWEBER_CLIENT_SECRET_FILE\|secrets:\| *aweber_client_secret:\| *file:\)/\1\2/' \
    -e "s|context: .*|context: $root|" "$root/docker/compose.yaml" >"$compose_file"
install -m 400 -o 65532 /dev/stdin "$lab/client_secret" <<<"$client_secret"
compose config || { cat "$lab/err"; fail 'compose understands the lines for a secret'; }
is 'they name the file' grep -q "$lab/client_secret" "$lab/out"
whole 'compose with a secret in a file'
