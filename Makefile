# Two commands are enough: `make demo` shows what Banyan does, `make test` proves that it does. Each sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-extract test check bench soak screenshots serve stop kafka kafka-stop registry system

VENV := .venv
PYTHON := $(VENV)/bin/python
MANAGE := $(PYTHON) manage.py
PIP := $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-input --prefer-binary

# What is installed is named after what asked for it, so an unchanged list is never installed again.
RUNTIME := $(VENV)/.runtime-$(shell cksum < requirements.txt | cut -d' ' -f1)
DEV := $(VENV)/.dev-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(RUNTIME)  ## Install Banyan into .venv and make its databases
	@$(MANAGE) migrate --verbosity 0
	@echo "Ready: $(PYTHON) manage.py help"

demo: $(RUNTIME)  ## Set everything up, backtest and sweep a strategy on real prices, then trade live on paper
	@$(MANAGE) demo

demo-extract: $(RUNTIME)  ## Carve risk out of a running app over Kafka: compare, hand over, kill, and the way back
	@$(PYTHON) -m extract.demo

# Three processes for two cores, since tests of what crosses a network mostly wait. Each begins with its own part of the
# tests, so that what a part needs is compiled and started in one of them, and takes over from others when it is done.
# They start hundreds of processes, which need not compile the sources each.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(DEV) system  ## Set everything up and run every test
	@$(PYTHON) -m tests.prepare
	@$(PYTHON) -m pytest -n 3 --dist worksteal

# Of each excuse bandit says that some part of its line would have needed none.
LOOKED_AT := --quiet --recursive --configfile pyproject.toml manage.py settings extract apps platform

# Comparing models with migrations asks the database only for its history, and goes on without one.
check: export DATABASE_URL := postgresql:///none?host=/nonexistent
check: $(DEV)  ## Check style, types, imports, migrations, schemas, the API's contract, and for known holes
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	PYTHONPATH=.:platform $(VENV)/bin/lint-imports
	$(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(MANAGE) schemas check
	$(MANAGE) api_schema check
	$(PYTHON) -m bandit $(LOOKED_AT) 2> >(grep -v 'but no failed test' >&2)
	@$(PYTHON) .ci/audit-packages

bench: $(DEV) system  ## Measure Banyan's speed; with PEERS=1 beside the peers of requirements-bench.txt
	@$(PYTHON) -m tests.benchmarks $(if $(PEERS),--install-peers)

soak: $(DEV)  ## Run every crash point, then the property tests for half an hour, or MINUTES=600; KEEP=1 writes docs/soak.md
	@$(PYTHON) -m pytest -n 2 --dist worksteal -q -m soak $(if $(KEEP),-p tests.soak.faults) tests
	@$(PYTHON) -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(KEEP),--keep)

screenshots: $(DEV) system  ## Take the pictures of docs/screenshots anew, of the console over the sample
	@$(PYTHON) -m tests.browser.screenshots

serve: $(RUNTIME)  ## Serve the console on http://127.0.0.1:8000, over a pipeline that trades sample accounts on paper
	@$(MANAGE) serve --sample

stop:  ## Stop the embedded database, which stays up between commands
	@$(MANAGE) stop_database

kafka: $(RUNTIME)  ## Start an Apache Kafka broker of this checkout, without Docker: needs Java and Maven
	@$(MANAGE) kafka start

registry: $(RUNTIME)  ## Start a schema registry of this checkout, for development: built once by Maven
	@$(MANAGE) registry start

kafka-stop:  ## Stop it
	@$(MANAGE) kafka stop

system:
	@.ci/system-packages

$(PYTHON):
	@.ci/make-venv $(VENV)

$(RUNTIME): | $(PYTHON)
	@echo "Installing what Banyan runs on into $(VENV) (once; a minute or two) …"
	@$(PIP) -r requirements.txt
	@touch $@

$(DEV): | $(PYTHON)
	@echo "Installing Banyan and the tools for its tests into $(VENV) (once; a minute or two) …"
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(RUNTIME)
