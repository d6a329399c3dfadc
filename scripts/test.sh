#!/bin/sh
# Runs every test and says at the end what ran. `make test` builds what this needs.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

ENVOY_BIN=$(scripts/envoy.sh)
MCP_PACKAGES=$(scripts/mcp.sh)
LLM_PACKAGES=$(scripts/llm_clients.sh)
REDIS_SERVER=$(scripts/redis.sh)
PORTCULLIS_WASM=$PWD/target/wasm32-wasip1/release/portcullis.wasm
PORTCULLIS_AI_WASM=$PWD/target/wasm32-wasip1/release/portcullis-ai.wasm
PORTCULLIS_TEST_HOOKS_WASM=$PWD/target/test-hooks/wasm32-wasip1/release/portcullis.wasm
PORTCULLIS_AI_TEST_HOOKS_WASM=$PWD/target/test-hooks/wasm32-wasip1/release/portcullis-ai.wasm
# Each test that was skipped adds a line here, and says so on standard error.
PORTCULLIS_TEST_SKIPS=$PWD/target/skipped-tests
export ENVOY_BIN LLM_PACKAGES MCP_PACKAGES REDIS_SERVER PORTCULLIS_TEST_SKIPS
export PORTCULLIS_WASM PORTCULLIS_AI_WASM PORTCULLIS_TEST_HOOKS_WASM PORTCULLIS_AI_TEST_HOOKS_WASM
: >"$PORTCULLIS_TEST_SKIPS"

failed=
cargo test --workspace --exclude portcullis-ai --features portcullis/envoy-tests,bench/envoy-tests,authority/redis-tests --no-fail-fast ||
    failed="cargo test"
# The core as the module that reads bodies has it. In a call of its own: see ai/Cargo.toml.
cargo test -p portcullis-core -p portcullis-ai --features portcullis-core/ai --no-fail-fast ||
    failed="${failed:+$failed, }cargo test with bodies"

scripts/compose_test.sh && containers="ran" || containers=$?
case $containers in
ran) ;;
77) containers="skipped, and why stands above" ;;
*) containers="failed" failed="${failed:+$failed, }compose-test" ;;
esac

say "ran: cargo test --workspace, with Envoy $("$ENVOY_BIN" --version | sed -n 's|.*version: [0-9a-f]*/\([0-9.]*\).*|\1|p') at $ENVOY_BIN"
say "and with Redis $("$REDIS_SERVER" --version | sed -n 's|.* v=\([0-9.]*\) .*|\1|p') at $REDIS_SERVER"
say "the tour in containers: $containers"
say "tests that were skipped, or a part of them: $(sort -u "$PORTCULLIS_TEST_SKIPS" | wc -l)"
sort -u "$PORTCULLIS_TEST_SKIPS" >&2
[ -z "$failed" ] || fail "$failed"
