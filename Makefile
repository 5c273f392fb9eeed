# Everything that a bare machine needs is set up by the first target that needs it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests wait for servers half of their time, so there are more of them at once than cores.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(3 * (os.cpu_count() or 2) // 2)")

.PHONY: run test test-slow ui lint types arrows check bench clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(STAMP)

run: $(STAMP)
	$(BIN)/integration-assets run --customers 2000 --days 3

ui: $(STAMP)
	$(BIN)/integration-assets ui

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/basedpyright

arrows: $(STAMP)
	$(BIN)/lint-imports

check: lint types arrows

test: check
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)
	$(BIN)/pytest -n auto --dist loadfile -m slow

bench: $(STAMP)
	$(BIN)/python -m integration_assets_tests.benchmarks.cache_merge
	$(BIN)/python -m integration_assets_tests.benchmarks.unchanged_night
	$(BIN)/python -m integration_assets_tests.benchmarks.addresses
	$(BIN)/python -m integration_assets_tests.benchmarks.register_load
	$(BIN)/python -m integration_assets_tests.benchmarks.pages
	$(BIN)/python -m integration_assets_tests.benchmarks.installation_facts
	$(BIN)/python -m integration_assets_tests.benchmarks.installation_facts --stored --installations 20000
	$(BIN)/python -m integration_assets_tests.benchmarks.installation_accounts --facts

clean:
	rm -rf $(VENV) var
