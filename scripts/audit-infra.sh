#!/bin/sh
# Applies the rules of checkov to the resources in the snapshots, and the readiness rules of azure-functions-doctor to
# the package. Both tools have very many dependencies, so `make check-infra` does without them.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-.venv/bin/python}
venv=.venv-infra
scripts/tool-venv.sh infra

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$python" -m scripts.infra_check.flattened "$folder/arm"
"$venv/bin/checkov" --skip-download --quiet --compact --config-file infra/.checkov.yaml --directory "$folder/arm" 2> "$folder/log" ||
    { cat "$folder/log" >&2; exit 1; }

# The doctor reads a whole folder, including virtual environments, so it gets a copy of only the app and its deployment.
"$python" scripts/package.py --no-libraries --into "$folder/app" > /dev/null
cp -R .funcignore .python-version azure.yaml infra "$folder/app"
"$venv/bin/azure-functions-doctor" doctor --profile deploy --path "$folder/app"
