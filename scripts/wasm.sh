#!/bin/sh
# wasm.sh [--with rustup|debian] [--of MANIFEST] COMMAND [OPTION...]: runs cargo's COMMAND (build, clippy) for both modules,
# or for that of another manifest, with the toolchain that is available. `build` writes
# target/wasm32-wasip1/release/portcullis.wasm and portcullis-ai.wasm; `compiler` prints which compiler is used.
#
# rustup: the toolchain in use; its target is added if missing. debian: Debian's compiler with its own std sources,
# for machines without rustup or without access to its server.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

target=wasm32-wasip1

# Only the linker of .cargo/config.toml makes a module that answers requests.
unset CARGO_TARGET_WASM32_WASIP1_LINKER

# One commit and one compiler make one module, byte for byte, in any folder (`make reproduce`): panics name the
# source files, so this machine's folders are replaced by names that are the same everywhere. RUSTFLAGS and the like are
# ignored for the same reason. Still required: the same compiler (commit and host) and the same registry, whose name is
# in the paths below CARGO_HOME. Cargo's own `trim-paths` does this, but is unstable.
flags() { # flags RUSTC [FLAG...]: the compiler's flags, apart by cargo's separator, since folders may have spaces
    sysroot=$("$1" --print sysroot)
    commit=$("$1" --version --verbose | sed -n 's/^commit-hash: //p')
    shift
    # The last match counts. rustup's std names its sources /rustc/COMMIT, or, with the component rust-src, after
    # that component's folder.
    set -- "$@" \
        "--remap-path-prefix=$(pwd -P)=/portcullis" \
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
        "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
    (IFS=$(printf '\037') && printf '%s' "$*")
}

has_target() { # the std of the target lies in the compiler's sysroot: from rustup or a distribution
    libdir=$(rustc --print target-libdir --target $target 2>/dev/null) && ls "$libdir"/libstd-*.rlib >/dev/null 2>&1
}

rustup_ready() {
    command -v cargo >/dev/null || return 1
    has_target && return
    command -v rustup >/dev/null || return 1
    say "adding the target $target with rustup"
    timeout 120 rustup target add $target >&2 && has_target
}

rustup_cargo() {
    command=$1
    shift
    if [ "$command" = compiler ]; then
        rustc --version
        return
    fi
    need_cc
    # shellcheck disable=SC2086 # a list
    CARGO_ENCODED_RUSTFLAGS=$(flags rustc) cargo "$command" --release --target $target $package --lib "$@"
}

debian_parts="rustc-web cargo-web rust-web-src lld-19 wasi-libc"

debian_ready() {
    # shellcheck disable=SC2086 # a list
    dpkg -s $debian_parts >/dev/null 2>&1 || apt_install "a compiler for $target" $debian_parts gcc libc6-dev || return 1
    needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(/usr/bin/rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$needed" "$found" | sort -V | head -n 1)" = "$needed" ] && return
    say "Debian's rustc is $found and $needed is needed: the newer one is among its security updates"
    return 1
}

# RUSTC_BOOTSTRAP: -Zbuild-std is unstable, and Debian has no std built for this target, only its sources.
debian_cargo() {
    command=$1
    shift
    if [ "$command" = compiler ]; then
        echo "Debian's $(/usr/bin/rustc --version)"
        return
    fi
    # shellcheck disable=SC2086 # a list
    env -u RUSTUP_TOOLCHAIN \
        RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
        PORTCULLIS_WASM_LD=wasm-ld-19 \
        CARGO_ENCODED_RUSTFLAGS="$(flags /usr/bin/rustc -Lnative=/usr/lib/wasm32-wasi)" \
        /usr/bin/cargo "$command" --release --target $target -Zbuild-std=std,panic_abort $package --lib "$@"
}

way=any
if [ "${1-}" = --with ]; then
    way=$2
    shift 2
fi
of=
if [ "${1-}" = --of ]; then
    of=$2
    shift 2
fi
case $way in
rustup) rustup_ready ;;
debian) debian_ready ;;
any)
    if rustup_ready; then
        way=rustup
    elif debian_ready; then
        way=debian
    else
        fail "neither rustup nor Debian's packages bring a compiler for $target"
    fi
    ;;
*) fail "--with rustup or --with debian, not $way" ;;
esac

if [ -n "$of" ] || [ "${1-}" = compiler ]; then
    package="--manifest-path $of"
    "${way}_cargo" "$@"
    exit
fi
# One after the other: built together, the core would have the features of both.
for module in portcullis portcullis-ai; do
    package="-p $module"
    "${way}_cargo" "$@"
done
if [ "$1" = build ]; then
    built=target
    previous=
    for argument; do
        [ "$previous" = --target-dir ] && built=$argument
        previous=$argument
    done
    # A library's name has no dash.
    cp "$built/$target/release/portcullis_ai.wasm" "$built/$target/release/portcullis-ai.wasm"
fi
