#!/usr/bin/env python3
"""sbom.py BOM FOLDER: corrects the SBOM of cargo-cyclonedx by `cargo tree --prefix depth` on standard input.

cargo-cyclonedx uses `cargo metadata`, which also lists crates of tests, of other workspace members and of disabled
features. `cargo tree` prints what is compiled: crates that it does not name are removed, and the edges are taken from it.
"""

import json
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    # Workspace crates are named by their folder, which is temporary.
    bom = json.loads(file.read().replace(sys.argv[2], "/portcullis"))

root = bom["metadata"]["component"]
known = {(part["name"], part["version"]): part for part in [root, *bom["components"]]}

edges = {}
above = []
for line in sys.stdin:
    depth, name, version = re.match(r"(\d+)(\S+) v(\S+)", line).groups()
    if (name, version) not in known:
        sys.exit(f"cargo-cyclonedx does not list {name} {version}, which `cargo tree` does")
    reference = known[name, version]["bom-ref"]
    edges.setdefault(reference, set())
    del above[int(depth) :]
    if above:
        edges[above[-1]].add(reference)
    above.append(reference)

if not above or above[0] != root["bom-ref"]:
    sys.exit("`cargo tree` has another root than the SBOM")
bom["components"] = [part for part in bom["components"] if part["bom-ref"] in edges]
bom["dependencies"] = [{"ref": part, "dependsOn": sorted(edges[part])} for part in sorted(edges)]
json.dump(bom, sys.stdout, indent=2)
print()
