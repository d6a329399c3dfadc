#!/bin/sh
# Counts the instructions of each step of the core with valgrind's callgrind, if that is installed.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

if ! command -v valgrind >/dev/null; then
    say "nothing was counted: install valgrind (Debian's package \`valgrind\`), then again"
    exit 0
fi

need_cc
cargo build -p bench --features steps --bin steps --profile bench
target/release/steps
