#!/bin/sh
# Fuzzes every target under fuzz/ from the corpora in git, for FUZZ_SECONDS each (30), or until each has run FUZZ_RUNS times.
# Discoveries and progress stay in .cache/fuzz/, where the next run continues. FUZZ_TARGETS selects targets.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

PATH="$PWD/.cache/tools/bin:$PATH"
if ! cargo fuzz --version >/dev/null 2>&1; then
    say "nothing was fuzzed: \`cargo install --locked --root .cache/tools cargo-fuzz\` (it needs a C++ compiler), then again"
    say "\`make test\` replays the corpora in any case"
    exit 0
fi

# The flags that count coverage are unstable; this lets the stable compiler take them.
export RUSTC_BOOTSTRAP=1

runs=${FUZZ_RUNS:-0}
seconds=${FUZZ_SECONDS:-$([ "$runs" -gt 0 ] && echo 1000000 || echo 30)}
# An interrupted run loses at most one slice.
slice=300

# Executions count only for the code that they ran.
code=$(git ls-tree HEAD core fuzz/ Cargo.toml | grep -v 'fuzz/corpus$' | git hash-object --stdin | cut -c1-12)
git diff --quiet HEAD -- core fuzz Cargo.toml || code="$code+"
folder=.cache/fuzz
# A line for each slice: target, executions, seconds, edges, features.
tally=$folder/tally-$code
mkdir -p "$folder"
touch "$tally"

executions() { awk -v target="$1" '$1 == target { sum += $2 } END { print sum + 0 }' "$tally"; }

fuzz() {
    target=$1
    shift
    log=$folder/$target.log
    # No sanitizer: `unsafe` is denied here, and our faults panic. Programs are chosen letter by letter, so comparisons
    # need no tracing; without it they run at twice the speed.
    case $target in
        state) set -- --target-dir target/fuzz-state --no-trace-compares "$target" "$@" -max_len=128 ;;
        *) set -- --target-dir target/fuzz "$target" "$@" ;;
    esac
    if ! cargo fuzz run --sanitizer none "$@" -timeout=25 >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        return 1
    fi
    awk -v target="$target" '
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") edges = $(i + 1); if ($i == "ft:") features = $(i + 1) } }
        /^Done / { runs = $2; took = $5 }
        END { print target, runs, took, edges, features }' "$log" >>"$tally"
}

findings=0
for target in ${FUZZ_TARGETS:-$(cargo fuzz list)}; do
    mkdir -p "$folder/$target"
    left=$seconds
    while [ "$left" -gt 0 ]; do
        before=$(executions "$target")
        if [ "$runs" -gt 0 ] && [ "$before" -ge "$runs" ]; then
            break
        fi
        say "$target: $before executions so far"
        bound=$((left < slice ? left : slice))
        set -- "$PWD/$folder/$target" "$PWD/fuzz/corpus/$target" -- -max_total_time="$bound"
        if [ "$runs" -gt 0 ]; then
            set -- "$@" -runs=$((runs - before))
        fi
        if ! fuzz "$target" "$@"; then
            findings=$((findings + 1))
            break
        fi
        left=$((left - bound))
    done
done

echo "| target | executions | seconds | a second | edges | features |"
echo "|---|--:|--:|--:|--:|--:|"
awk '
    { if (!($1 in runs)) order[++n] = $1; runs[$1] += $2; took[$1] += $3; edges[$1] = $4; features[$1] = $5 }
    END {
        for (i = 1; i <= n; i++) {
            t = order[i]; all += runs[t]; time += took[t]
            printf "| `%s` | %d | %d | %d | %d | %d |\n", t, runs[t], took[t], runs[t] / (took[t] ? took[t] : 1), edges[t], features[t]
        }
        printf "| all | %d | %d | | | |\n", all, time
    }' "$tally"
say "as of commit $(git rev-parse --short HEAD), the code is $code; $findings of the targets found something"
[ "$findings" -eq 0 ] || fail "see fuzz/artifacts/"
