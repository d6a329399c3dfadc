#!/bin/sh
# Builds the modules with each available toolchain, separately, and reports. One that works is enough.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

report=
good=0
for way in rustup debian; do
    if scripts/wasm.sh --with $way build --target-dir target/toolchains/$way; then
        good=$((good + 1))
        built=target/toolchains/$way/wasm32-wasip1/release
        result="builds ($(wc -c <$built/portcullis.wasm) and $(wc -c <$built/portcullis-ai.wasm) bytes)"
    else
        result="not here"
    fi
    report="$report  $(printf '%-8s' $way) $result
"
done

printf '%s' "$report"
[ $good -gt 0 ] || fail "no toolchain builds the module"
