#!/bin/sh
# Asks cargo-deny and cargo-audit about every dependency. What is not installed is built into .cache/, once.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

PATH=$PWD/.cache/tools/bin:$PATH

tool() { # tool NAME VERSION
    command -v "$1" >/dev/null && return
    need_cc
    say "building $1 into .cache/tools, some minutes"
    cargo install --quiet --locked --root .cache/tools "$1@$2"
}
tool cargo-deny 0.20.2
tool cargo-audit 0.22.2

failed=
cargo deny --workspace check bans licenses sources || failed="bans, licences or sources"

# Both read the advisory database from its git repository. Not reached means not checked, and that is no pass.
cargo deny --workspace check advisories && cargo audit --deny warnings || failed="${failed:+$failed; }advisories: found, or not to be checked from here"
[ -z "$failed" ] || fail "$failed"
