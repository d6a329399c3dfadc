#!/bin/sh
# Changes the core in many small ways and runs the native tests on each: see docs/mutants.md.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

PATH=$PWD/.cache/tools/bin:$PATH
VERSION=27.1.0

need_cc
if [ "$(cargo mutants --version 2>/dev/null)" != "cargo-mutants $VERSION" ]; then
    say "building cargo-mutants into .cache/tools, some minutes"
    cargo install --quiet --locked --root .cache/tools "cargo-mutants@$VERSION"
fi
exec python3 scripts/mutants.py "$@"
