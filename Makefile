# What a developer does, on a machine with Python 3.11 or newer, git and make. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# make demo DATA=frames.gz SPEED=12 SECONDS=60
DATA ?=
SPEED ?=
SECONDS ?=
DEMO_OPTIONS := $(if $(DATA),--data "$(DATA)") $(if $(SPEED),--speed $(SPEED)) $(if $(SECONDS),--seconds $(SECONDS))

.DEFAULT_GOAL := help
.PHONY: help venv install demo test test-full lint types layers tidy check format docs bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(BIN)/python ## create the virtual environment

install: $(STAMP) ## install the project and its tools into it

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: $(STAMP) ## an emulated venue, a market maker on it, and a comparison of both books
	@$(BIN)/python -m nexustrader.cli.main demo $(DEMO_OPTIONS)

test: $(STAMP) ## the whole suite
	@$(BIN)/python -m pytest -n 2

test-full: $(STAMP) ## the same and what takes long: every crash boundary
	@$(BIN)/python -m pytest -n 2 -m ""

lint: $(STAMP) ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	@$(BIN)/mypy --strict

layers: $(STAMP) ## who may import whom
	@$(BIN)/lint-imports

tidy: $(STAMP) ## the house rules
	@$(BIN)/python -m pytest tests/tidy

check: lint types layers tidy ## all that needs no run of the product

format: $(STAMP) ## rewrite what ruff can
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

docs: $(STAMP) ## write what the code itself says into the documents: the tables of the venues
	@$(BIN)/python -m nexustrader.cli.main venues --write docs/venues

bench: $(STAMP) ## what a tick, an order, a durable record, a crash and a backtest cost on this machine
	@$(BIN)/python bench/journal.py
	@$(BIN)/python bench/tick_path.py
	@$(BIN)/python bench/order_path.py
	@$(BIN)/python bench/recovery.py
	@$(BIN)/python -W ignore bench/backtest.py
	@$(BIN)/python bench/kernel.py
	@$(BIN)/python -W ignore bench/memory.py

clean: ## remove what was generated, except the virtual environment
	@rm -rf build dist demo-out htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@rm -rf .import_linter_cache
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
