#!/bin/sh
# reproduce.sh [--with rustup|debian]
# Builds the modules of the last commit twice, as differently as one machine allows: in two clones, one of them with
# spaces in its path, with two CARGO_HOMEs and two target folders. Prints the common hash of each, or fails if they differ.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

way=$*
git rev-parse --quiet --verify HEAD >/dev/null || fail "no git repository to clone"
[ -z "$(git status --porcelain)" ] || say "what is not committed is not built here"

clones=$(mktemp -d)
trap 'rm -rf "$clones"' EXIT
trap 'exit 130' INT TERM
mkdir -p target/reproduce

# Another CARGO_HOME with the same crates in it: nothing is fetched twice.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$clones/second/cargo home" "$cargo_home/registry"
for entry in "$cargo_home"/*; do
    ln -s "$entry" "$clones/second/cargo home/"
done

build() { # build FOLDER TARGET CARGO_HOME COPY
    say "building in $1"
    git clone --quiet --no-hardlinks . "$1"
    # shellcheck disable=SC2086 # words
    (cd "$1" && CARGO_HOME=$3 scripts/wasm.sh $way build --locked --target-dir "$2")
    mkdir -p "target/reproduce/$4"
    for module in portcullis portcullis-ai; do
        cp "$2/wasm32-wasip1/release/$module.wasm" "target/reproduce/$4/"
    done
}
build "$clones/first" "$clones/first/target" "$cargo_home" first
build "$clones/second/longer path of a clone" "$clones/second/built" "$clones/second/cargo home" second

hash() { python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; }
for module in portcullis portcullis-ai; do
    first=$(hash target/reproduce/first/$module.wasm)
    if [ "$first" != "$(hash target/reproduce/second/$module.wasm)" ]; then
        cmp target/reproduce/first/$module.wasm target/reproduce/second/$module.wasm >&2 || true
        fail "two builds, two modules $module.wasm: they are in target/reproduce/"
    fi
    echo "$first  $module.wasm"
done
# shellcheck disable=SC2086 # words
say "both builds are equal, of $(git rev-parse --short HEAD), by $(scripts/wasm.sh $way compiler)"
