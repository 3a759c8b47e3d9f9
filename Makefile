# The commands of this project. `make` alone lists them; nothing here needs more than make, bash and Python 3.11 or newer.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

DEFAULT_CONFIG := config/pipeline.yml
ifndef CONFIG
CONFIG := $(or $(HEALTH_CONFIG),$(DEFAULT_CONFIG))
endif
ifndef DATA
DATA := $(HEALTH_DATA)
endif
PORT ?= 3000
ARGS ?=
PYTEST_ARGS ?=
SIZE ?= 1m

# Nothing dials out: each tool has its own switch.
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DAGSTER_DISABLE_TELEMETRY := yes

BIN := .venv/bin
# A stamp carries the checksum of its lock: a changed lock installs again, an unchanged one does nothing.
checksum = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
RUNTIME := .venv/.runtime-$(call checksum,requirements.lock)
DEV := .venv/.dev-$(call checksum,requirements-dev.lock)
BENCH := .venv/.bench-$(call checksum,requirements-bench.lock)
SPARK := .venv/.spark-$(call checksum,requirements-spark.lock)
# dbt's manifest is made again when a file changes, comes (folders change) or goes.
MANIFEST := dbt_project/target/manifest.json
DBT_FILES := $(shell find dbt_project -mindepth 1 \( -name target -o -name logs -o -name dbt_packages -o -name '.*' \) -prune -o -print)

.PHONY: help run ui test lint acceptance bench setup spark lock reference clean

help: ## this list
	@echo 'usage: make TARGET [NAME=value ...]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: setup ## set up, run the whole pipeline, print the result; CONFIG=file DATA=folder ARGS="--help"
ifeq ($(CONFIG)$(DATA),$(DEFAULT_CONFIG))
	@$(BIN)/python -m sample --folder var/sample/landing
endif
	@$(BIN)/health run $(ARGS)

ui: setup ## the Dagster UI on 127.0.0.1; PORT=3000 CONFIG=file DATA=folder
	@PORT=$(PORT) $(BIN)/health ui

run ui: export HEALTH_CONFIG := $(CONFIG)
ifneq ($(DATA),)
run ui: export HEALTH_DATA := $(DATA)
endif

test: $(DEV) $(MANIFEST) ## unit, defs, oracle and integration tests; PYTEST_ARGS="-k name"
	@$(BIN)/python -m pytest tests --ignore=tests/acceptance -m 'not long' $(PYTEST_ARGS)

lint: $(DEV) $(MANIFEST) ## ruff, mypy, import-linter, sqlfluff; all five, also when one fails
	@failed=; \
	$(BIN)/ruff format --check . || failed+=' ruff-format'; \
	$(BIN)/ruff check . || failed+=' ruff'; \
	$(BIN)/mypy || failed+=' mypy'; \
	$(BIN)/lint-imports --no-logo || failed+=' import-linter'; \
	$(BIN)/python scripts/lint_sql.py || failed+=' sqlfluff'; \
	if [[ -n $$failed ]]; then echo "lint: failed:$$failed"; exit 1; fi

acceptance: $(DEV) $(SPARK) $(MANIFEST) ## the long tests, and those with real servers and clients; PYTEST_ARGS="-k name"
	@$(BIN)/python -m pytest tests -m 'acceptance or long' $(PYTEST_ARGS)

bench: $(BENCH) $(MANIFEST) ## the project beside a hand-written reference and peers; SIZE=1m|10m|100m ARGS="--rounds 1"
	@$(BIN)/python -m compileall -q dagster_project benchmarks
	@$(BIN)/python -m benchmarks --size $(SIZE) $(ARGS)

setup: $(RUNTIME) $(MANIFEST) ## only the virtual environment and dbt's manifest; PYTHON=python3.12
	@$(BIN)/python -m compileall -q dagster_project sample

spark: setup $(SPARK) ## the packages of engine spark, too (450 MB; docs/scale.md)

lock: $(DEV) ## pin the dependencies of pyproject.toml again; UPGRADE=1 takes newer ones
	@scripts/lock $(if $(UPGRADE),--upgrade)

reference: $(RUNTIME) ## write docs/reference again from the code; ARGS=--check only compares
	@$(BIN)/python scripts/reference.py $(ARGS)

clean: ## remove what was installed, built and cached; data in var/ stays
	rm -rf .venv build dbt_project/target dbt_project/logs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find dagster_project sample tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(RUNTIME):
	@scripts/setup requirements.lock
	@rm -f .venv/.runtime-* && touch $@

$(DEV):
	@scripts/setup requirements-dev.lock
	@rm -f .venv/.dev-* .venv/.runtime-* && touch $@ $(RUNTIME)

$(BENCH):
	@scripts/setup requirements-bench.lock
	@rm -f .venv/.bench-* .venv/.dev-* .venv/.runtime-* && touch $@ $(DEV) $(RUNTIME)

$(SPARK): | $(RUNTIME)
	@scripts/setup requirements-spark.lock
	@rm -f .venv/.spark-* && touch $@

$(MANIFEST): $(DBT_FILES) | $(RUNTIME)
	@$(BIN)/python -m dagster_project.components.dbt_process --quiet parse --project-dir dbt_project --profiles-dir dbt_project --no-version-check
	@touch $@
