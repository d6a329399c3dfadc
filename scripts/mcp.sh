#!/bin/sh
# Prints the folder of the Python packages of docs/mcp/requirements.txt, fetched once into .cache/: for PYTHONPATH.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

wanted=docs/mcp/requirements.txt
cached=.cache/mcp

# Compiled parts fit one Python only, so that after an upgrade they are fetched again.
usable() {
    cmp -s $wanted $cached/requirements.txt && PYTHONPATH=$cached python3 -c 'import mcp.server, uvicorn' 2>/dev/null
}

if ! usable; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "the MCP SDK needs Python 3.10 or newer"
    say "fetching the MCP SDK (some 10 MB) into .cache/"
    mkdir -p .cache
    unpacked=$(mktemp -d "$PWD/$cached.XXXXXX")
    trap 'rm -rf "$unpacked"' EXIT
    # Without what the packages ask for themselves: the file names all of it.
    PIP_ROOT_USER_ACTION=ignore pip install --quiet --no-deps --target "$unpacked" --requirement $wanted >&2 ||
        fail "no MCP SDK: pip could not fetch it"
    cp $wanted "$unpacked"
    # Renamed into place, so that an interrupted fetch is not used.
    rm -rf $cached && mv "$unpacked" $cached
    usable || fail "the MCP SDK that was fetched does not run here"
fi
echo "$PWD/$cached"
