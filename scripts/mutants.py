"""Runs cargo-mutants over the core, a few mutants at a time, and stores the outcome of each.

A shard is some mutants of one file. Outcomes are kept below .cache/mutants as long as that file is unchanged;
a missed mutant is tried again once the tests have changed. So an interrupted run continues where it stopped.

    MUTANTS_FILES    only files whose path contains one of these words
    MUTANTS_FRESH    1: forgets what is known of these files
    MUTANTS_JOBS     copies of the source in use at once (1)
    MUTANTS_NICE     niceness of builds and tests (8)
    MUTANTS_SHARD    mutants of a shard (12)
    MUTANTS_SHARDS   ends after so many shards (all)
    MUTANTS_TIMEOUT  seconds that the tests of one mutant may take (300)
"""

import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
STATE = ROOT / ".cache" / "mutants"
SURVIVORS = ROOT / "docs" / "mutants.md"
NICE = ["nice", "-n", os.environ.get("MUTANTS_NICE") or "8"]

# The checks first: what decides about a request matters more than what fetches a list.
ORDER = [
    "core/src/authorization.rs",
    "core/src/credential.rs",
    "core/src/request",
    "core/src/policy/route",
    "core/src/verification.rs",
    "core/src/verification/claims.rs",
    "core/src/verification/introspection.rs",
    "core/src/verification/token.rs",
    "core/src/verification/check",
    "core/src/verification/status_list",
    "core/src/verification/held_keys.rs",
    "core/src/verification/signature",
    "core/src/evaluation.rs",
]

# The mutants are in the core, whose unit tests run with the tables of the filter's package.
CORE = "portcullis-core"
PACKAGES = [CORE, "portcullis"]
TARGETS = ["--lib", "--test=config", "--test=decisions", "--test=introspection"]

# Tests that take seconds and check sizes, or repeat what shorter ones check. They run only on mutants that the others
# miss.
SLOW = [
    "a_million_entries_take_25_bytes_each_at_the_most",
    "the_library_that_envoy_had",
    "the_longest_paths_cost_one_pass",
    "tokens_whose_keys_nobody_has",
]
# Seconds each, and about one file only.
SLOW_REPLICA = "revocation::replica"

OUTCOMES = {"CaughtMutant": "caught", "MissedMutant": "missed", "Timeout": "timeout", "Unviable": "unviable"}


def fail(text):
    sys.exit(f"\033[1;31mfailed:\033[0m {text}")


def number(name, otherwise):
    return int(os.environ.get(name) or otherwise)


# === sources and mutants ===


def sources():
    """Every file that a build reads, according to git, also uncommitted ones."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    return [path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()]


def digest(paths):
    sha = hashlib.sha256()
    for path in sorted(paths):
        sha.update(path.encode() + b"\0" + hashlib.sha256((ROOT / path).read_bytes()).digest())
    return sha.hexdigest()


def is_test(path):
    return path.startswith(("testing/", "tests/")) or path.endswith("tests.rs")


def mutants():
    """Their names by file."""
    listed = subprocess.run(
        ["cargo", "mutants", "--list", "--json", "--package", CORE],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    by_file = collections.defaultdict(list)
    for mutant in json.loads(listed.stdout):
        by_file[mutant["file"]].append(mutant["name"])
    return by_file


def without_place(name):
    """`core/src/a.rs:3:5: replace …` without the line and the column, which move."""
    return re.sub(r":\d+:\d+: ", ": ", name, count=1)


def accepted():
    """Rows of the table of survivors: how often a mutant of that name may survive."""
    rows = collections.Counter()
    for line in SURVIVORS.read_text().splitlines():
        row = re.match(r"\| `(core/src/[^`]+)` \| `(.+)` \| (\d+) \| .+ \|$", line)
        if row:
            rows[f"{row[1]}: {row[2].replace(chr(92) + '|', '|')}"] += int(row[3])
    return rows


# === known outcomes ===


class Known:
    """The outcomes of the mutants of each file."""

    def __init__(self, tests):
        self.path = STATE / "outcomes.json"
        self.tests = tests
        self.files = json.loads(self.path.read_text()) if self.path.exists() else {}

    def of(self, file):
        """Outcome and digest of the tests by name, for the file as it is now."""
        source = digest([file])
        known = self.files.get(file)
        if not known or known["source"] != source:
            known = self.files[file] = {"source": source, "mutants": {}}
        return known["mutants"]

    def is_open(self, file, name):
        outcome, tests = self.of(file).get(name, (None, None))
        return outcome is None or (outcome in ("missed", "timeout") and tests != self.tests)

    def learn(self, file, outcomes):
        for name, outcome in outcomes.items():
            self.of(file)[name] = [outcome, self.tests]
        text = json.dumps(self.files, indent=1)
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)

    def forget(self, file):
        self.files.pop(file, None)

    def salvage(self):
        """The outcomes of an interrupted shard, without misses: those mutants would have met more tests."""
        for shard in STATE.glob("out-*/shard.json"):
            begun = json.loads(shard.read_text())
            if begun["source"] == digest([begun["file"]]):
                outcomes = read_outcomes(shard.parent)
                self.learn(begun["file"], {name: out for name, out in outcomes.items() if out in ("caught", "unviable")})


def read_outcomes(output):
    """By name, as far as cargo-mutants came."""
    report = output / "mutants.out" / "outcomes.json"
    outcomes = json.loads(report.read_text())["outcomes"] if report.exists() else []
    mutants = [outcome for outcome in outcomes if isinstance(outcome["scenario"], dict)]
    return {outcome["scenario"]["Mutant"]["name"]: OUTCOMES[outcome["summary"]] for outcome in mutants}


# === copies of the source, changed in place ===


class Tree:
    def __init__(self, index, paths):
        self.path = STATE / f"tree-{index}"
        self.output = STATE / f"out-{index}"
        self.take_over(paths)

    def take_over(self, paths):
        """Updates the copy. Unchanged files keep their times, so cargo rebuilds only what it must."""
        wanted = {self.path / path for path in paths}
        self.path.mkdir(parents=True, exist_ok=True)
        for top in self.path.iterdir():
            if top.name != "target":
                for old in [top, *top.rglob("*")]:
                    if old.is_file() and old not in wanted:
                        old.unlink()
        for path in paths:
            new, old = ROOT / path, self.path / path
            if not old.exists() or old.read_bytes() != new.read_bytes():
                old.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(new, old)
        # Without debug information of their own, linking takes half the time.
        with (self.path / ".cargo" / "config.toml").open("a") as config:
            config.writelines(f"\n[profile.dev.package.{package}]\ndebug = false\n" for package in PACKAGES)
        self.state = digest(paths)
        self.warm_up()

    def warm_up(self):
        """Reuses the dependencies that were built for this checkout."""
        built, ours = ROOT / "target" / "debug", self.path / "target" / "debug"
        if ours.exists() or not (built / "deps").exists():
            return
        ours.mkdir(parents=True)
        for folder in ("build", "deps", ".fingerprint"):
            shutil.copytree(built / folder, ours / folder, symlinks=True, copy_function=shutil.copy2)

    def environment(self):
        # Always the copy's own folder: with a shared one, two runs would build each other's mutants.
        return {**os.environ, "CARGO_TARGET_DIR": str(self.path / "target")}

    def must_be_green(self, skipped):
        """The tests must pass without any mutant, or their verdict on one means nothing. Checked once for each state."""
        seen = STATE / "green"
        state = f"{self.state} {' '.join(skipped)}"
        if seen.exists() and state in seen.read_text().splitlines():
            return
        command = [*NICE, "cargo", "test", *packages("--package"), *TARGETS, "--quiet", "--", *skipped]
        ran = subprocess.run(command, cwd=self.path, env=self.environment(), capture_output=True, text=True, check=False)
        if ran.returncode:
            fail(f"the tests fail without any mutant:\n{ran.stdout}{ran.stderr}")
        with seen.open("a") as green:
            green.write(f"{state}\n")

    def try_out(self, file, names, skipped):
        """The outcomes of these mutants."""
        self.must_be_green(skipped)
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)
        begun = {"file": file, "source": digest([file])}
        (self.output / "shard.json").write_text(json.dumps(begun))
        command = [
            *NICE, "cargo", "mutants", "--no-config", f"--file={file}", "--in-place", "--no-shuffle", "--baseline=skip",
            "--package", CORE, *packages("--test-package"),
            "--timeout", str(number("MUTANTS_TIMEOUT", 300)), "--build-timeout", "900",
            "--output", str(self.output), "--colors=never", "--no-times",
            *(f"--cargo-arg={target}" for target in TARGETS),
            *(f"--re=^{pattern(name)}$" for name in names),
            "--", "--", *skipped,
        ]  # fmt: skip
        ran = subprocess.run(command, cwd=self.path, env=self.environment(), capture_output=True, text=True, check=False)
        outcomes = read_outcomes(self.output)
        # cargo-mutants 27.1 does not apply --re to fields that are removed from a struct: there may be more of these.
        outcomes = {name: outcomes[name] for name in names if name in outcomes}
        if len(outcomes) < len(names):
            fail(f"cargo-mutants left out {sorted(set(names) - set(outcomes))}:\n{ran.stdout}{ran.stderr}")
        return outcomes


def packages(option):
    return [f"{option}={package}" for package in PACKAGES]


def pattern(name):
    return re.sub(r"([\\.+*?()|\[\]{}^$#&~-])", r"\\\1", name)


def skips(file):
    names = [*SLOW]
    if not file.startswith(("core/src/revocation", "core/src/cache.rs")):
        names.append(SLOW_REPLICA)
    return [f"--skip={name}" for name in names]


def work(tree, file, names):
    """First the quick tests; what they miss meets all."""
    outcomes = tree.try_out(file, names, skips(file))
    missed = [name for name, outcome in outcomes.items() if outcome == "missed"]
    if missed:
        outcomes.update(tree.try_out(file, missed, []))
    return outcomes


# === the run ===


def rank(file):
    place = next((i for i, start in enumerate(ORDER) if file.startswith(start)), len(ORDER))
    return (place + file.startswith("core/src/revocation"), file)


def shards(known, by_file):
    size = number("MUTANTS_SHARD", 12)
    for file in sorted(by_file, key=rank):
        left = [name for name in by_file[file] if known.is_open(file, name)]
        for at in range(0, len(left), size):
            yield file, left[at : at + size]


def run(known, by_file, paths):
    todo = list(shards(known, by_file))
    wanted = todo[: number("MUTANTS_SHARDS", len(todo))]
    print(f"{sum(map(len, by_file.values()))} mutants; {len(todo)} shards to run, {len(wanted)} of them now", flush=True)
    if not wanted:
        return
    trees = queue.Queue()
    for index in range(number("MUTANTS_JOBS", 1)):
        trees.put(Tree(index, paths))

    def shard(file, names):
        tree = trees.get()
        try:
            return file, work(tree, file, names)
        finally:
            trees.put(tree)

    with concurrent.futures.ThreadPoolExecutor(trees.qsize()) as pool:
        running = [pool.submit(shard, file, names) for file, names in wanted]
        try:
            for done, ended in enumerate(concurrent.futures.as_completed(running), 1):
                file, outcomes = ended.result()
                known.learn(file, outcomes)
                missed = [name for name, outcome in outcomes.items() if outcome in ("missed", "timeout")]
                print(f"[{done}/{len(wanted)}] {file}: {len(outcomes)} run, {len(missed)} survive", flush=True)
                for name in missed:
                    print(f"    {outcomes[name]}: {name}", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def report(known, by_file):
    """Prints the summary; returns whether every survivor is accepted."""
    left = accepted()
    unexpected = []
    columns = ("mutants", "run", "caught", "missed", "accepted", "timeout", "unviable")
    total = collections.Counter()
    print(f"\n{'':48}" + "".join(f"{column:>10}" for column in columns))
    for file in sorted(by_file, key=rank):
        outcomes = known.of(file)
        row = collections.Counter(mutants=len(by_file[file]))
        for name in by_file[file]:
            if name not in outcomes:
                continue
            outcome = outcomes[name][0]
            row["run"] += 1
            if outcome == "missed" and left[without_place(name)] > 0:
                left[without_place(name)] -= 1
                outcome = "accepted"
            elif outcome == "missed":
                unexpected.append(name)
            row[outcome] += 1
        total.update(row)
        print(f"{file:48}" + "".join(f"{row[column]:>10}" for column in columns))
    print(f"{'':48}" + "".join(f"{total[column]:>10}" for column in columns))
    for name in unexpected:
        print(f"survives, and is not in {SURVIVORS.relative_to(ROOT)}: {name}")
    everything = total["run"] == total["mutants"]
    if not everything:
        print(f"{total['mutants'] - total['run']} of these were not run yet: make mutants continues with them")
    for name, times in left.items():
        if times > 0 and everything and name.split(": ")[0] in by_file:
            print(f"in {SURVIVORS.relative_to(ROOT)}, and does not survive: {name}")
            unexpected.append(name)
    return not unexpected


def main():
    STATE.mkdir(parents=True, exist_ok=True)
    paths = sources()
    known = Known(digest(filter(is_test, paths)))
    known.salvage()
    by_file = mutants()
    words = os.environ.get("MUTANTS_FILES", "").split()
    if words:
        by_file = {file: names for file, names in by_file.items() if any(word in file for word in words)}
    if os.environ.get("MUTANTS_FRESH"):
        for file in by_file:
            known.forget(file)
    run(known, by_file, paths)
    if not report(known, by_file):
        fail("mutants survive that nobody accepted")


if __name__ == "__main__":
    main()
