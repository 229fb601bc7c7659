# One command per intent; `make help` lists them. Each sets up what it needs first, inside this checkout.

# Any Python 3 that runs will do: scripts/bootstrap.py looks for the best one itself. It takes the one that is named
# with the command, as in `make test PYTHON=python3.11`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do \
	$$p -c "" 2> /dev/null && echo $$p && break; done)
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo up test test-all test-host test-browser test-clients check check-infra infra-snapshots audit-infra coverage bench soak fuzz clean

help: ## what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

setup:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) scripts/bootstrap.py $(if $(filter command,$(origin PYTHON)),--this)

demo: setup ## starts the local stack, runs real deletions through it and checks every outcome
	@$(RUN) -m devstack.demo

up: setup ## starts the local stack and leaves it running for you; ARGS="--open" opens the operator's page, "--func" runs the app in Core Tools
	@$(RUN) -m devstack $(ARGS)

test: setup ## the tests; ARGS="tests/unit -k pacing" some of them
	@$(RUN) -m pytest $(ARGS)

test-all: setup ## all tests and those that take minutes: outages of storage and identity, the demonstration
	@$(RUN) -m pytest -m "(slow or not slow) and not browser" $(ARGS)

test-browser: setup ## the operator's page in Chromium, against the local stack; needs Debian's chromium, installs the rest
	@$(RUN) -m scripts.browser_tools
	@$(RUN) -m pytest tests/browser -m browser -n0 $(ARGS)

test-host: setup ## what the Functions host does; ARGS="--func" asks the real one of the Core Tools the same
	@$(RUN) -m pytest tests/contract/test_host_http.py tests/contract/test_host_process.py tests/contract/test_host_queues.py $(ARGS)

test-clients: setup ## clients of others, generated from the description and official ones, on the local stack
	@$(RUN) -m tests.clients

check: setup ## lint, format, types, and which package may import which
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports --no-logo

coverage: setup ## branch coverage of shared/: 95 % at least, and all of the pure modules
	@$(RUN) -m pytest tests/unit tests/contract tests/worker --cov --cov-report=term $(ARGS)
	@$(RUN) -m coverage report --fail-under=100 --include="$$($(RUN) -m tests.pure_modules)"

bench: setup ## measures beside rivals, for hours; ARGS="--quick" a smoke test, "--parts single-messages" one part
	@scripts/bench.sh $(ARGS)

soak: setup ## thousands of requests under SIGKILLs, storms and lost replies; ARGS="--requests 500" a shorter one
	@$(RUN) -m devstack.soak $(ARGS)

fuzz: setup ## thousands of made-up HTTP calls after the OpenAPI description, by schemathesis
	@scripts/fuzz.sh $(ARGS)

check-infra: setup ## the templates: what the Bicep compiler says, and what the app relies on
	@$(RUN) -m scripts.infra_check

infra-snapshots: setup ## writes down again what the templates come to; needs the Bicep compiler
	@$(RUN) -m scripts.infra_check --write

audit-infra: setup ## the rules of checkov and azure-functions-doctor for the deployment; installs both
	@scripts/audit-infra.sh

clean: ## removes what set-up and tools left, .venv included
	@rm -rf .venv .venv-infra .venv-fuzz .venv-bench devstack/azurite/node_modules tests/browser/node_modules tests/clients/node_modules tests/clients/generated devstack/azurite/.install.lock build .stack htmlcov .coverage*
	@rm -rf .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -not -path "./.git/*" -prune -exec rm -rf {} +
