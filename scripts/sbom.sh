#!/bin/sh
# Writes target/sbom/portcullis.cdx.json, portcullis-ai.cdx.json and authority.cdx.json, CycloneDX 1.5: which crates are in the module and in
# the authority, without build and test dependencies. The compiler's own std is not listed.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh
tool cargo-cyclonedx 0.5.9

# The same commit gives the same file: the commit's time, and no random serial number.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH

# It writes next to every manifest of the workspace, so it works on a copy.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
cp -r Cargo.toml Cargo.lock authority bench core src testing "$copy/"
mkdir -p target/sbom

sbom() { # sbom PACKAGE MANIFEST TARGET
    cargo cyclonedx --quiet --manifest-path "$copy/$2" --target "$3" --no-build-deps \
        --format json --spec-version 1.5 --override-filename bom
    cargo tree --locked --manifest-path "$copy/$2" -p "$1" --target "$3" --edges normal --prefix depth --no-dedupe |
        python3 scripts/sbom.py "$copy/${2%Cargo.toml}bom.json" "$copy" >"$copy/$1.json"
    cp "$copy/$1.json" "target/sbom/$1.cdx.json"
    say "target/sbom/$1.cdx.json, for $3"
}
sbom portcullis Cargo.toml wasm32-wasip1
sbom portcullis-ai ai/Cargo.toml wasm32-wasip1
sbom authority authority/Cargo.toml "$(rustc -vV | sed -n 's/^host: //p')"
