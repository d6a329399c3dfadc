#!/bin/sh
# Prints the folder of the Python packages of tests/envoy/llm_clients/requirements.txt, fetched once into .cache/: for
# PYTHONPATH.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh
python_packages "OpenAI's and Anthropic's clients (some 10 MB)" llm-clients tests/envoy/llm_clients/requirements.txt "openai, anthropic"
