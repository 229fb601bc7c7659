#!/bin/sh
# Measures, in the environment of the app; plots and asynchronous clients have one of their own.
set -eu
cd "$(dirname "$0")/.."

scripts/tool-venv.sh bench
exec "${PYTHON:-.venv/bin/python}" -m bench "$@"
