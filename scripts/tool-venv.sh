#!/bin/sh
# tool-venv.sh NAME [OPTION...]: .venv-NAME for a tool whose dependencies must not mix with the app's, made from
# requirements-NAME.txt, and made anew when that file changes. Options are those of a second `pip install`.
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
