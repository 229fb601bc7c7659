# One target per task; `make help` lists them. Each first sets up what it needs, inside this checkout.

# Any working Python 3 will do, because scripts/bootstrap.py looks for the best one. If PYTHON is given with the command,
# as in `make test PYTHON=python3.11`, that interpreter is used.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do \
	$$p -c "" 2> /dev/null && echo $$p && break; done)
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo up test test-all test-host test-browser test-clients check check-infra infra-snapshots audit-infra coverage bench soak fuzz clean

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

setup:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) scripts/bootstrap.py $(if $(filter command,$(origin PYTHON)),--this)

demo: setup ## starts the local stack, runs real deletions through it and checks every outcome
	@$(RUN) -m devstack.demo

up: setup ## starts the local stack and leaves it running for you; ARGS="--open" opens the operator's page, "--func" runs the app in Core Tools
	@$(RUN) -m devstack $(ARGS)

test: setup ## runs the tests; ARGS="tests/unit -k pacing" runs some of them
	@$(RUN) -m pytest $(ARGS)

test-all: setup ## also runs the tests that take minutes: outages of storage and identity, the demonstration
	@$(RUN) -m pytest -m "(slow or not slow) and not browser" $(ARGS)

test-browser: setup ## tests the operator's page in Chromium against the local stack; needs Debian's chromium, installs the rest
	@$(RUN) -m scripts.browser_tools
	@$(RUN) -m pytest tests/browser -m browser -n0 $(ARGS)

test-host: setup ## checks the local Functions host point by point; ARGS="--func" checks the real one, which needs the Core Tools
	@$(RUN) -m pytest tests/contract/test_host_http.py tests/contract/test_host_process.py tests/contract/test_host_queues.py $(ARGS)

test-clients: setup ## runs generated and official clients, and the samples of docs/clients.md, against the local stack
	@$(RUN) -m tests.clients

check: setup ## checks lint, format, types, and which package imports which
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports --no-logo

coverage: setup ## measures the branch coverage of shared/: at least 95 %, and 100 % of the pure modules
	@$(RUN) -m pytest tests/unit tests/contract tests/worker --cov --cov-report=term $(ARGS)
	@$(RUN) -m coverage report --fail-under=100 --include="$$($(RUN) -m tests.pure_modules)"

bench: setup ## benchmarks the app against alternatives, for hours; ARGS="--quick" is a smoke test, "--parts single-messages" one part
	@scripts/bench.sh $(ARGS)

soak: setup ## sends thousands of requests under SIGKILLs, storms and lost replies; ARGS="--requests 500" is shorter
	@$(RUN) -m devstack.soak $(ARGS)

fuzz: setup ## sends thousands of HTTP calls that schemathesis generates from the OpenAPI description
	@scripts/fuzz.sh $(ARGS)

check-infra: setup ## compiles the templates, and checks that the app gets everything it relies on
	@$(RUN) -m scripts.infra_check

infra-snapshots: setup ## renews the evaluated templates in infra/snapshots; needs the Bicep compiler
	@$(RUN) -m scripts.infra_check --write

audit-infra: setup ## applies the rules of checkov and azure-functions-doctor to the deployment; installs both
	@scripts/audit-infra.sh

clean: ## removes everything that the other targets created, including .venv
	@rm -rf .venv .venv-infra .venv-fuzz .venv-bench devstack/azurite/node_modules tests/browser/node_modules tests/clients/node_modules tests/clients/generated devstack/azurite/.install.lock build .stack htmlcov .coverage*
	@rm -rf .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -not -path "./.git/*" -prune -exec rm -rf {} +
