#!/bin/sh
# Builds the module with each available toolchain, separately, and reports. One that works is enough.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

report=
good=0
for way in rustup debian; do
    if scripts/wasm.sh --with $way build --target-dir target/toolchains/$way; then
        good=$((good + 1))
        module=target/toolchains/$way/wasm32-wasip1/release/portcullis.wasm
        result="builds ($(wc -c <$module) bytes)"
    else
        result="not here"
    fi
    report="$report  $(printf '%-8s' $way) $result
"
done

printf '%s' "$report"
[ $good -gt 0 ] || fail "no toolchain builds the module"
