#!/bin/sh
# The tour in containers: brings it up, lets its `tour` service send the requests, takes it down.
# Exit status 77, with a message, if it cannot run at all.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

skip() {
    say "the tour in containers is skipped: $*"
    exit 77
}

timeout 20 docker info >/dev/null 2>&1 || skip "no Docker engine answers"
if docker compose version >/dev/null 2>&1; then
    compose="docker compose"
elif command -v docker-compose >/dev/null; then
    compose=docker-compose
else
    skip "there is an engine, but neither \`docker compose\` nor \`docker-compose\`"
fi

slim=debian:bookworm-slim
scripts/base_images.sh $slim "$(sed -n 's/^FROM \(envoyproxy.*\)/\1/p' envoy/Dockerfile)" \
    "$(sed -n 's/^ *image: \(python.*\)/\1/p' docker-compose.yml)" || skip "its base images can be neither pulled nor made here"

# What `make` built goes into the images if it runs there. If this system's libc is newer it does not, and the
# images' own builder compiles, as with a plain `docker compose up`.
if docker run --rm -v "$PWD/target/debug:/built:ro" $slim /built/authority help >/dev/null 2>&1; then
    export PORTCULLIS_BUILDER=$slim
else
    scripts/base_images.sh "$(sed -n 's/^ARG BUILDER=//p' envoy/Dockerfile)" || skip "nothing here builds for its images"
fi

# A project and ports of its own: other containers on this engine, another tour included, are not touched.
export PORTCULLIS_PORT=0 PORTCULLIS_MODELS_PORT=0 PORTCULLIS_AUTHORITY_PORT=0
compose="timeout --foreground 1800 $compose -p portcullis-test-$$"
take_down() {
    $compose down --volumes --rmi local --timeout 5 >/dev/null 2>&1 || say "could not take the containers down"
    # The build stages stay as a cache, for a limited time.
    docker image prune --force --filter label=portcullis.stage=build --filter until=24h >/dev/null 2>&1 || true
}
trap take_down EXIT
trap 'exit 130' INT TERM

say "building the images"
$compose build --quiet >/dev/null

say "bringing up the containers"
$compose up -d || {
    $compose logs --tail 20
    fail "the containers did not come up"
}

tour=$($compose ps -aq tour)
timeout --foreground 120 docker logs -f "$tour"
[ "$(timeout 10 docker wait "$tour")" = 0 ] || {
    $compose logs --tail 20 envoy authority
    fail "the tour in containers"
}

# Access to the authority's admin port makes an operator: no other container may have it.
$compose exec -T upstream python3 - <<'EOF' || fail "another container's view of the authority"
import socket
import sys

socket.create_connection(("authority", 9000), timeout=5)
try:
    socket.create_connection(("authority", 9001), timeout=5)
except ConnectionRefusedError:
    sys.exit()
sys.exit("the admin port can be reached from another container")
EOF
say "the admin port is out of reach for other containers"
