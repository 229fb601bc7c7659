#!/bin/sh
# Sends thousands of made-up calls to the app on the local stack, after the description that it publishes.
set -eu
cd "$(dirname "$0")/.."

scripts/tool-venv.sh fuzz
exec "${PYTHON:-.venv/bin/python}" -m devstack.fuzz --schemathesis .venv-fuzz/bin/schemathesis "$@"
