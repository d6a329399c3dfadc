#!/usr/bin/env python3
"""sbom.py BOM FOLDER: holds the SBOM of cargo-cyclonedx against `cargo tree --prefix depth` on standard input.

cargo-cyclonedx asks `cargo metadata`, which also lists what only tests, other members of the workspace or features that
are off would bring. What is compiled is what `cargo tree` prints: crates that it does not name go, and the edges are its.
"""

import json
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    # The crates of the workspace are named by their folder, which is a temporary one.
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
