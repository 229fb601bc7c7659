#!/bin/sh
# Rules of others for the deployment: checkov's for what the snapshots say that Azure would create, and the readiness
# rules of azure-functions-doctor for the package. Both tools bring half of PyPI, so they stay out of `make check-infra`.
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

# The doctor reads a whole folder, virtual environments too, so it gets the app and what describes its deployment.
"$python" scripts/package.py --no-libraries --into "$folder/app" > /dev/null
cp -R .funcignore .python-version azure.yaml infra "$folder/app"
"$venv/bin/azure-functions-doctor" doctor --profile deploy --path "$folder/app"
