#!/bin/sh
# Runs the benchmarks in the app's environment; plots and asynchronous clients use a separate one.
set -eu
cd "$(dirname "$0")/.."

scripts/tool-venv.sh bench
exec "${PYTHON:-.venv/bin/python}" -m bench "$@"
