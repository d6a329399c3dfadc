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

ours=portcullis_request_head_
theirs=proxy_on_request_headers
exported="$ours _initialize proxy_abi_version_0_2_1 proxy_on_configure proxy_on_context_create proxy_on_delete \
    proxy_on_http_call_response proxy_on_memory_allocate proxy_on_request_trailers proxy_on_tick"

# rustc puts the folder of its own linker on the PATH.
linker=${PORTCULLIS_WASM_LD:-rust-lld}

case " $* " in
*" --export $ours "*) ;;
*) exec "$linker" "$@" ;;
esac

output=
previous=
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    if [ "$previous" = -o ]; then
        output=$argument
    fi
    previous=$argument
    if [ "$argument" = --export ]; then
        symbol=$1
        shift
        count=$((count - 1))
        previous=$symbol
        case " $exported " in
        *" $symbol "*) set -- "$@" --export "$symbol" ;;
        esac
    else
        set -- "$@" "$argument"
    fi
done
"$linker" "$@"

# 030 is the length of both names, which stands before them.
LC_ALL=C sed "s/$(printf '\030')$ours/$(printf '\030')$theirs/" "$output" >"$output.renamed"
cat "$output.renamed" >"$output"
rm "$output.renamed"
grep -q "$(printf '\030')$theirs" "$output" || {
    echo "link_module.sh: the module has no export for request headers" >&2
    exit 1
}
