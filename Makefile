# The commands of this project. `make` alone lists them; nothing here needs more than make and Python 3.11 or newer.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# What a user may set: make run CONFIG=path/to/pipeline.yml DATA=path/to/files ARGS="--help"
DEFAULT_CONFIG := config/pipeline.yml
CONFIG ?= $(DEFAULT_CONFIG)
DATA ?=
ARGS ?=
PORT ?= 3000
PYTHON ?=
PYTEST_ARGS ?=

export HEALTH_CONFIG := $(CONFIG)
ifneq ($(DATA),)
export HEALTH_DATA := $(DATA)
endif

# Nothing dials out: Dagster, dbt and dlt each have their own switch.
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DAGSTER_DISABLE_TELEMETRY := yes

VENV := .venv
BIN := $(VENV)/bin
# A stamp carries the hash of the lock it was installed from: a changed lock installs again, an unchanged one does nothing.
hash = $(shell cksum < $(1) | cut -d' ' -f1)
RUNTIME := $(VENV)/.runtime-$(call hash,requirements.lock)
DEV := $(VENV)/.dev-$(call hash,requirements-dev.lock)
MANIFEST := dbt_project/target/manifest.json
DBT_FILES := $(shell find dbt_project -type f \( -name '*.sql' -o -name '*.yml' -o -name '*.csv' \) -not -path '*/target/*' -not -path '*/logs/*')

.PHONY: help run ui setup test lint acceptance lock clean

help: ## this list
	@echo "make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(RUNTIME) $(MANIFEST) ## the virtual environment and dbt's manifest; other targets call it

run: setup ## sample company, whole pipeline, result: [CONFIG=file] [DATA=folder] [ARGS="..."]
ifeq ($(CONFIG),$(DEFAULT_CONFIG))
ifeq ($(DATA),)
	@$(BIN)/python -m sample --folder var/sample/landing
endif
endif
	@$(BIN)/health run $(ARGS)

ui: setup ## the Dagster UI on 127.0.0.1: [PORT=3000] [CONFIG=file]
	@PORT=$(PORT) $(BIN)/health ui

test: $(DEV) $(MANIFEST) ## unit, defs and integration tests: [PYTEST_ARGS="..."]
	@$(BIN)/python -m pytest tests/unit tests/defs tests/integration $(PYTEST_ARGS)

acceptance: $(DEV) $(MANIFEST) ## tests with real servers and clients
	@if compgen -G 'tests/acceptance/test_*.py' > /dev/null; then \
		$(BIN)/python -m pytest tests/acceptance $(PYTEST_ARGS); \
	else echo "acceptance: tests/acceptance has no test yet, nothing was run"; fi

lint: $(DEV) $(MANIFEST) ## ruff, mypy, import-linter, sqlfluff
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project

lock: $(DEV) ## pin every dependency again, from pyproject.toml
	@echo "not yet"

clean: ## removes the virtual environment, build output and caches; var/ (data) stays
	rm -rf $(VENV) dbt_project/target dbt_project/logs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build

$(VENV)/pyvenv.cfg:
	@python3 -m venv $(VENV)

$(RUNTIME): $(VENV)/pyvenv.cfg
	@$(BIN)/pip install -q --require-hashes --no-deps -r requirements.lock
	@touch $@

$(DEV): $(VENV)/pyvenv.cfg
	@$(BIN)/pip install -q --require-hashes --no-deps -r requirements-dev.lock
	@touch $@ $(RUNTIME)

$(MANIFEST): $(DBT_FILES) | $(RUNTIME)
	@$(BIN)/dbt --quiet parse --project-dir dbt_project --profiles-dir dbt_project --no-version-check
	@touch $@
