# Everything here sets up its own virtual environment in .venv first; nothing outside this folder is touched.
#
#   make demo    a real book recorded, verified, traced, and forged in vain
#   make demo-year  a year made up in the shape of a national platform's (GIFTS=1000000, or SCALE=0.0001)
#   make test    lint, types and all tests
#   make help    the other targets

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: demo demo-year test lint types bench campaign help clean

# The first Python that is new enough; `make PYTHON=/path/to/python3.12 test` overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PROCESSES ?= 2
# How large a year is made up: so many gifts, or this scale of ten thousand million.
SCALE ?= 0.0001
GIFTS ?= $(shell awk 'BEGIN { printf "%.0f", $(SCALE) * 10000000000 }')
BIN := .venv/bin
READY := .venv/ready

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "charitychain needs Python 3.11 or newer; this machine has $$(python3 --version 2>&1). Set PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(READY)  ## a real book recorded, verified, traced, and forged in vain
	@$(BIN)/python examples/demo.py

demo-year: $(READY)  ## a synthetic year of a million gifts recorded, traced, reported (GIFTS=, SCALE=)
	@$(BIN)/python examples/platform_year --gifts $(GIFTS)

test: lint types  ## lint, types and all tests
	$(BIN)/python -m pytest -n $(PROCESSES)

lint: $(READY)  ## ruff
	$(BIN)/ruff check .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy charitychain $(wildcard tests/typing)

bench: $(READY)  ## measure speed on this machine
	@$(BIN)/python -c 'import pymerkle' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]' \
		|| echo "pymerkle is not to be had; the table says so where it is missing" >&2
	$(BIN)/python -m tests.bench

campaign: $(READY)  ## long runs of the model, of receipts, of killed writers and of flipped bits
	CHARITYCHAIN_HISTORIES=6000 $(BIN)/python -m pytest -n $(PROCESSES) tests/unit/test_against_model.py -k thousands
	CHARITYCHAIN_FLIPS=all $(BIN)/python -m pytest -n $(PROCESSES) tests/tamper/test_flips.py
	CHARITYCHAIN_HISTORIES=6000 $(BIN)/python -m pytest -n $(PROCESSES) tests/unit/test_receipts.py tests/tamper/test_lies_at_random.py
	CHARITYCHAIN_FLIPS=all $(BIN)/python -m pytest -n $(PROCESSES) tests/tamper/test_receipts.py
	CHARITYCHAIN_FLIPS=all CHARITYCHAIN_HISTORIES=600 $(BIN)/python -m pytest -n $(PROCESSES) tests/unit/test_independent_verifier.py
	CHARITYCHAIN_KILLS=1500 $(BIN)/python -m pytest tests/crash/test_writer_kill.py -k random_kills

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

clean:  ## remove the virtual environment and all caches
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
