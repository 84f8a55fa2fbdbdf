# Everything a newcomer needs: `make demo` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= auto
ARGS ?=
N ?= 100
SEED ?= 0
TARGET ?= manifests

.PHONY: demo tools test test-all check static format lint types boundaries bench chaos fuzz lowest advisories clean

demo: $(READY)
	$(BIN)/forgeguard demo $(ARGS)

test: $(READY) tools
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-all: $(READY) tools
	$(BIN)/python -m pytest -n $(JOBS) --nightly all $(ARGS)

tools:
	scripts/install_test_tools.sh

check: static test

static: lint types boundaries

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

boundaries: $(READY)
	$(BIN)/forgeguard audit --all --strict

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chaos: $(READY)
	$(BIN)/python -m tests.chaos --number $(N) --seed $(SEED)

# Strange bytes for one reader: manifests, patches, payloads, configuration or sources.
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz $(TARGET) --number $(N) --seed $(SEED)

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

# The tests on the lowest versions that pyproject.toml allows; ARGS narrows them.
lowest: $(READY)
	$(PYTHON) -m venv .venv-lowest
	$(BIN)/python scripts/lowest_versions.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-lowest/constraints.txt -e '.[dev]'
	.venv-lowest/bin/python -m pytest -n $(JOBS) $(ARGS)

# Known advisories about the versions that we test with.
advisories: $(READY)
	scripts/look_for_advisories.sh

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ForgeGuard needs Python 3.11 or later; set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .venv-lowest .mypy_cache .ruff_cache .pytest_cache build dist
