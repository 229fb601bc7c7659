#!/bin/sh
# tool-venv.sh NAME [OPTION...]: makes .venv-NAME from requirements-NAME.txt, and replaces it when that file changes.
# For tools whose dependencies must not mix with the app's. The options are passed to a second `pip install`.
set -eu
cd "$(dirname "$0")/.."

venv=.venv-$1
requirements=requirements-$1.txt
installed=$venv/installed-requirements.txt
shift

cmp -s "$requirements" "$installed" && exit 0
"${PYTHON:-.venv/bin/python}" -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --requirement "$requirements"
[ $# -eq 0 ] || "$venv/bin/pip" install --quiet "$@"
cp "$requirements" "$installed"
