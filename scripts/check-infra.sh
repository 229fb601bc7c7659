#!/bin/sh
# Checks what can be checked of the deployment without Azure: the templates' meaning (scripts/infra_check), checkov's
# rules and the readiness rules of azure-functions-doctor. No Bicep compiler runs here: none comes from a package
# registry. `azd provision --preview` compiles, and asks Azure what it would change.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-.venv/bin/python}
venv=.venv-infra
# checkov asks for pycep-parser 0.5.1, which takes seconds for each file; the parser of our own check serves both.
scripts/tool-venv.sh infra --no-deps "$(grep '^pycep-parser==' requirements-dev.txt)"

"$python" -m scripts.infra_check infra
"$venv/bin/checkov" --skip-download --quiet --compact --config-file infra/.checkov.yaml --directory infra

# The doctor reads a whole folder, virtual environments too, so it gets the package and what describes its deployment.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" scripts/package.py --into "$folder/app" > /dev/null
cp -R .funcignore .python-version azure.yaml infra "$folder/app"
"$venv/bin/azure-functions-doctor" doctor --profile deploy --path "$folder/app"
