#!/bin/sh
# Fuzzes every target under fuzz/ for FUZZ_SECONDS, from the corpora in git; what it discovers stays in .cache/.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

if ! cargo fuzz --version >/dev/null 2>&1; then
    say "nothing was fuzzed: \`cargo install cargo-fuzz\` (it needs a C++ compiler), then again"
    say "\`make test\` replays the corpora in any case"
    exit 0
fi

# The flags that count coverage are unstable; this lets the stable compiler take them.
export RUSTC_BOOTSTRAP=1

# No sanitizer: `unsafe` is denied here, and what we get wrong panics.
for target in $(cargo fuzz list); do
    say "$target, for ${FUZZ_SECONDS:-30} s"
    mkdir -p ".cache/fuzz/$target"
    cargo fuzz run --sanitizer none --target-dir target/fuzz "$target" \
        "$PWD/.cache/fuzz/$target" "$PWD/fuzz/corpus/$target" -- -max_total_time="${FUZZ_SECONDS:-30}"
done
