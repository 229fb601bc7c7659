#!/bin/sh
# Sends thousands of generated calls to the app on the local stack, made from the OpenAPI description that it publishes.
set -eu
cd "$(dirname "$0")/.."

scripts/tool-venv.sh fuzz
exec "${PYTHON:-.venv/bin/python}" -m devstack.fuzz --schemathesis .venv-fuzz/bin/schemathesis "$@"
