# `make` lists what there is to make. The tests themselves are in tests/run.py.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test test-long bench conformance lint format unit molecule docs tools venv collection clean

PYTHON ?= python3
run := $(PYTHON) -m tests.run
# What `make test` leaves to `make test-long`.
long_only := forky releases
# Scenarios of `make molecule`: all of them, or SCENARIO="layout nginx".
SCENARIO ?= $(filter-out $(long_only),$(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))
# What Molecule does with them: test, or converge, verify, destroy.
DO ?= test

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: export DEMO_BEGAN := $(shell date +%s)
demo: venv ## A working index on a host in a container, tried by twine and pip (DEMO_PORT=8080)
	@.venv/bin/python -m tests.ground demo up

demo-down: venv ## Remove the demo's host, and what belongs to it
	@.venv/bin/python -m tests.ground demo down

test: ## Everything that must pass; logs in .cache/test
	@$(run)

test-long: ## The same, and what takes too long for every day
	@$(run) --long

bench: ## Speed, as ratios measured side by side (QUICK=1, PARTS="serving uploads growth upstream operation nodes rollout", BEFORE=COMMIT). Writes bench/results.json
	@$(run) --live venv engine images collection
	@.venv/bin/python -m tests.bench $(if $(QUICK),--quick) $(if $(BEFORE),--before $(BEFORE)) $(PARTS)

conformance: ## Check our index and its peers with a public index behind them, and write the table of docs/one-url.md
	@$(run) --live venv engine images collection
	@.venv/bin/python -m tests.conformance --peers

lint: ## All linters over all files, ansible-test sanity, and the archive by Galaxy's importer; logs in .cache/test
	@$(run) lint sanity importer archive

format: venv ## Format the Python, and fix what ruff can fix
	@.venv/bin/ruff check --quiet --fix --exit-zero
	@.venv/bin/ruff format

unit: ## Unit tests, on the current and the oldest ansible-core, and on the newest pypiserver
	@$(run) --live unit unit-2.18 unit-pypiserver-newest

molecule: ## Molecule scenarios: all, or SCENARIO="layout nginx"; DO=converge keeps the host
	@$(run) --live $(if $(filter $(long_only),$(SCENARIO)),--long) --do '$(DO)' $(addprefix scenario-,$(SCENARIO))

docs: venv ## Make the reference pages: docs/variables.md, and the tables in the roles' READMEs
	@.venv/bin/python -m tests.reference

tools: venv ## Try publishers and installers on the demo's index, and write the table of docs/clients.md (TOOLS="uv pdm")
	@set -a; . .demo/demo.env; .venv/bin/python -m tests.clients --write $(TOOLS)

venv: ## Make .venv with what the tests need
	@tests/ground/bootstrap.sh

collection: venv ## Build the archive and install it into .cache/collections, if something changed
	@.venv/bin/python -m tests.collection

clean: ## Remove the proving ground's hosts and images, and all that runs have made here
	@$(PYTHON) -m tests.ground clean
	@rm -rf .cache .venv .venv-* .demo .ansible .ruff_cache .pytest_cache
