#!/bin/sh
# envoy_config.sh [FILE]: prints envoy/envoy.yaml, or that file, ready to run. ${NAME:-default} becomes NAME from the
# environment or the default, ${POLICY} and ${MODELS_POLICY} become the files that these name, by default policies/tour.yaml
# and tour-models.yaml, indented like the placeholder.
set -eu
cd "$(dirname "$0")/.."

awk -v policy="${POLICY:-policies/tour.yaml}" -v models="${MODELS_POLICY:-policies/tour-models.yaml}" '
    /^ *\$\{(MODELS_)?POLICY\}$/ {
        file = /MODELS/ ? models : policy
        indent = $0
        sub(/\$.*/, "", indent)
        while ((getline line < file) > 0) print (line == "" ? line : indent line)
        close(file) # both may be the same one
        next
    }
    {
        while (match($0, /\$\{[A-Z_]+:-[^}]*\}/)) {
            name = value = substr($0, RSTART + 2, RLENGTH - 3)
            sub(/:-.*/, "", name)
            sub(/^[A-Z_]+:-/, "", value)
            if (name in ENVIRON) value = ENVIRON[name]
            $0 = substr($0, 1, RSTART - 1) value substr($0, RSTART + RLENGTH)
        }
        print
    }
' "${1:-envoy/envoy.yaml}"
