#!/bin/sh
# Prints the folder of the Python packages of docs/mcp/requirements.txt, fetched once into .cache/: for PYTHONPATH.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh
python_packages "the MCP SDK (some 10 MB)" mcp docs/mcp/requirements.txt "mcp.server, uvicorn"
