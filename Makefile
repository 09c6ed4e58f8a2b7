# make demo   set everything up and run the emergency department example
# make test   set everything up, then lint, types, import contracts and tests
# make test-long   the tests that take many seconds each
# make docs   build the documentation site into site/, strictly: every link leads somewhere
# make dist   build what is published, check it, and run the tutorial from it in an empty environment
# make test-image   build the container image and run functions in it; starts a Docker engine if none answers (root, Debian)
# make test-r-package   check the R package in r/ as CRAN does and run its tests against the command line
# make demo-aws     the proof of concept's three phases on an emulator of AWS (examples/lambda_step_compute), at no cost
# make bench     replicast beside what users would pick instead, on the same work; writes benchmarks/RESULTS.md (BENCH_ARGUMENTS='--rounds 1 --quick --write')
# make test-slurm   run on a real Slurm of one node, which is started for it (root, Debian)
# make torture      kill, damage and fail every request of a short run to every store; TORTURE_ARGUMENTS="--kills 100" scales it
# make matrix       one experiment in Python and R, everywhere it can be carried out and kept: the same bytes; MATRIX_ARGUMENTS="--stores folder"
# make smoke-aws    try a stack of its own in your AWS account, for cents, and remove it; asks first (or SMOKE_AWS=yes)
# All work in a fresh clone on a machine with Python 3.11+ and make.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGUMENTS ?=
SMOKE_ARGUMENTS ?=
BENCH_ARGUMENTS ?= --write
TORTURE_ARGUMENTS ?=
MATRIX_ARGUMENTS ?=
DEMO_OUTPUT ?= demo-results

.PHONY: bench demo docs dist test test-image test-r-package smoke-aws lint types contracts pytest format clean system demo-aws test-slurm test-long torture matrix

demo: $(VENV)/.demo
	$(BIN)/replicast run --experiment examples/emergency_department/experiment.toml --store $(DEMO_OUTPUT)/runs -o $(DEMO_OUTPUT)/tables
	@echo; echo "The collated tables:"; ls -l $(DEMO_OUTPUT)/tables

test: system $(VENV)/.test lint types contracts pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

contracts: $(VENV)/.test
	$(BIN)/lint-imports

pytest: $(VENV)/.test $(VENV)/.asl-validator
	$(BIN)/pytest -n 2 --dist worksteal -m "not slurm and not long" $(PYTEST_ARGUMENTS)

test-long: system $(VENV)/.test $(VENV)/.azurite
	$(BIN)/pytest -n 2 --dist worksteal -m "long and not slurm" --timeout 900 $(PYTEST_ARGUMENTS)

test-image: $(VENV)/.test
	REPLICAST_NO_SKIPS=all sh tools/docker-engine.sh $(BIN)/pytest -m docker --timeout 900 $(PYTEST_ARGUMENTS) tests/aws

test-r-package: system $(VENV)/.test
	@sh tools/r-package.sh $(BIN)/replicast

demo-aws: $(VENV)/.test
	@$(BIN)/python tools/demo_aws.py

torture: $(VENV)/.test
	@$(BIN)/python tools/torture.py $(TORTURE_ARGUMENTS)

matrix: system $(VENV)/.test
	@$(BIN)/python tools/matrix.py $(MATRIX_ARGUMENTS)

test-slurm: system $(VENV)/.test
	REPLICAST_NO_SKIPS=all $(BIN)/pytest -n 0 -m slurm $(PYTEST_ARGUMENTS) tests/places

bench: $(VENV)/.bench
	@$(BIN)/python benchmarks/bench.py $(BENCH_ARGUMENTS)

smoke-aws: $(VENV)/.test
	@$(BIN)/python tools/smoke_aws.py $(SMOKE_ARGUMENTS)

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet
	@echo "the site is in site/index.html"

dist: $(VENV)/.dist
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/python tools/try_dist.py dist

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

system:
	@sh tools/system-packages.sh

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "replicast needs Python 3.11 or newer, and there is none on the PATH"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian: apt install python3-venv)"; exit 1; }

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@touch $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@

$(VENV)/.dist: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt hatchling --editable '.[dist]'
	@touch $@

# Checks the state machine; from npm, so the tests skip where there is none.
$(VENV)/.asl-validator: Makefile | $(VENV)/.test
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-save --no-package-lock --prefix $(VENV)/node asl-validator@4.0.0 && touch $@ || \
	  echo "npm could not install asl-validator; the test of the state machine by it is skipped"; \
	else echo "npm is missing (Debian: apt install npm); the test of the state machine by asl-validator is skipped"; fi

# Azure's storage, emulated; from npm, so the tests skip where there is none.
$(VENV)/.azurite: Makefile | $(VENV)/.test
	@if command -v npm >/dev/null; then \
	  npm install --silent --no-save --no-package-lock --prefix $(VENV)/azurite azurite@3.35.0 && touch $@ || \
	  echo "npm could not install azurite; the tests of a store on Azure are skipped"; \
	else echo "npm is missing (Debian: apt install npm); the tests of a store on Azure are skipped"; fi

clean:
	rm -rf $(VENV) $(DEMO_OUTPUT) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
