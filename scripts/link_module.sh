#!/bin/sh
# The linker of the module: wasm-ld, with another list of exports.
#
# The SDK exports every callback of Proxy-Wasm, and Envoy enters the VM for each that is exported, on every phase and
# every body chunk. So only those that the filter uses are exported. And the callback for request headers is our own
# function (src/host_abi.rs), which has to bear the name of the SDK's: the linker writes it under a name of the same
# length, and that name is replaced in its output.
#
# PORTCULLIS_WASM_LD names another wasm-ld than the compiler's own (Debian's, say). What is not the filter is linked
# as it is.
set -eu
# The module is bytes, not text.
export LC_ALL=C

ours=portcullis_request_head_
theirs=proxy_on_request_headers
exported="$ours _initialize proxy_abi_version_0_2_1 proxy_on_configure proxy_on_context_create proxy_on_delete \
    proxy_on_http_call_response proxy_on_memory_allocate proxy_on_request_trailers proxy_on_tick"
# The module that reads bodies, and answers to their end.
for_bodies="proxy_on_log proxy_on_request_body proxy_on_response_body proxy_on_response_headers proxy_on_response_trailers"

# rustc puts the folder of its own linker on the PATH.
linker=${PORTCULLIS_WASM_LD:-rust-lld}

fail() {
    echo "link_module.sh: $*" >&2
    exit 1
}

for argument; do
    case $argument in
    @*) fail "the arguments are in a file, which this script does not read: $argument" ;;
    esac
done
case " $* " in
*" --export $ours "* | *" --export=$ours "*) ;;
*) exec "$linker" "$@" ;;
esac

case " $* " in
*/portcullis_ai.wasm*) exported="$exported $for_bodies" ;;
esac

# Goes once over the arguments: each is taken from the front, and put back at the end unless it is an unused export.
output=
previous=
for argument; do
    shift
    symbol=
    case $previous in
    --export) symbol=$argument ;;
    -o) output=$argument ;;
    esac
    previous=$argument
    case $argument in
    --export) continue ;;
    --export=*) symbol=${argument#--export=} ;;
    esac
    if [ -z "$symbol" ]; then
        set -- "$@" "$argument"
        continue
    fi
    case " $exported " in
    *" $symbol "*) set -- "$@" --export "$symbol" ;;
    esac
done
[ -n "$output" ] || fail "no -o among the arguments"
"$linker" "$@"

# 030 is the length of both names, which stands before them.
length=$(printf '\030')
trap 'rm -f "$output.renamed"' EXIT
sed "s/$length$ours/$length$theirs/" "$output" >"$output.renamed"
grep -q "$length$theirs" "$output.renamed" || fail "the module has no export for request headers"
# Some versions of sed end the last line, which damages a module.
[ "$(wc -c <"$output")" -eq "$(wc -c <"$output.renamed")" ] || fail "sed changed the module's length"
cat "$output.renamed" >"$output"
