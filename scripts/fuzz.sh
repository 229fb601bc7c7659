#!/bin/sh
# Sends thousands of made-up calls to the app on the local stack, after the description that it publishes.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-.venv/bin/python}
venv=.venv-fuzz
installed=$venv/installed-requirements.txt

if ! cmp -s requirements-fuzz.txt "$installed"; then
    "$python" -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --requirement requirements-fuzz.txt
    cp requirements-fuzz.txt "$installed"
fi

exec "$python" -m devstack.fuzz --schemathesis "$venv/bin/schemathesis" "$@"
