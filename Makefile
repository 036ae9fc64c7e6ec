# make demo    set everything up, add an illustrated handbook, and search it by text, image and both
# make test    set everything up and run the tests
# make soak    kill a writer 300 times at every step of what it does, read 5,000 damaged files, fuzz the readers
#              (KILLS=300 FILES=5000 FUZZ_SECONDS=120 SEED=1)
# make check   lint, types, layers, spelling
.PHONY: help setup demo test soak check format clean
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two torch threads on two cores slow each other down: one in tests.
export OMP_NUM_THREADS ?= 1

help:
	@sed -n 's/^# \(make\|  \)/\1/p' Makefile

setup: $(STAMP)

# torch first, and alone: the constraints name the CPU build, and a later resolution would bring CUDA.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "plait needs Python 3.11 or later, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	$(BIN)/python examples/demo.py

test: setup
	$(BIN)/python -m pytest -q

KILLS ?= 300
FILES ?= 5000
FUZZ_SECONDS ?= 120
SEED ?= 1
soak: setup
	$(BIN)/python -m tests.index.soak --kills $(KILLS) --seed $(SEED)
	$(BIN)/python -m tests.data.soak.mutations --files $(FILES) --seed $(SEED)
	$(BIN)/python -m tests.data.soak.fuzz --seconds $(FUZZ_SECONDS) --seed $(SEED)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/typos

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .ci-venv dist build demo-library .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
