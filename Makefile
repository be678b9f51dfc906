# Everything works from a clean clone with Python 3.11 or newer and make. `make help` lists it.

# The first of these that is new enough; PYTHON=/path/to/python overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null \
	&& echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
# Hashes are checked and nothing is compiled here: what is installed is what was locked.
LOCKED := --quiet --no-input --disable-pip-version-check --no-deps --no-compile \
	--only-binary=:all: --require-hashes
INSTALL := $(BIN)/python -m pip install $(LOCKED)
# --no-config and --no-emit-index-url: nothing of this machine's set-up gets into the files.
LOCK := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --no-annotate
CODE := $(wildcard app bench migrations tests)

export PIP_ROOT_USER_ACTION := ignore
# Modules are compiled when first imported and kept: the second start takes a third of the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test check format bench clean lock
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/run.stamp ## set up and serve on http://127.0.0.1:8000 (PORT=8080 for another port)
	@exec $(BIN)/payband serve

test: $(VENV)/dev.stamp ## run the test suite (ARGS="-k name" is passed on to pytest)
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(VENV)/dev.stamp ## format, lint, types and the direction of imports, as CI runs them
	@$(BIN)/ruff format --check --quiet $(CODE) || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/python -m pytest --quiet tests/contract/test_import_layers.py

format: $(VENV)/dev.stamp ## format the code and repair what ruff can
	@$(BIN)/ruff check --quiet --fix $(CODE) || true
	@$(BIN)/ruff format $(CODE)

bench: $(VENV)/bench.stamp ## measure imports, statistics, memory and start (ARGS="--help")
	@exec $(BIN)/python -m bench $(ARGS)

clean: ## remove what make made; the data in .payband stays
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: $(VENV)/run.stamp ## lock the dependencies of pyproject.toml again (ARGS=--upgrade for newer ones)
	@$(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check uv
	@$(LOCK) $(ARGS) --group pip --output-file requirements/pip.txt
	@$(LOCK) $(ARGS) pyproject.toml --output-file requirements/runtime.txt
	@$(LOCK) $(ARGS) pyproject.toml --extra embedded --group build \
		--constraint requirements/runtime.txt --output-file requirements/run.txt
	@$(LOCK) $(ARGS) pyproject.toml --extra embedded --group dev \
		--constraint requirements/run.txt --output-file requirements/dev.txt
	@$(LOCK) $(ARGS) pyproject.toml --extra embedded --group dev --group bench \
		--constraint requirements/dev.txt --output-file requirements/bench.txt

# The stamps keep pip away from a virtual environment that already is what the lock says.
$(VENV)/run.stamp: requirements/pip.txt requirements/run.txt
	@test -n "$(PYTHON)" || { echo "Payband needs Python 3.11 to 3.14. Install one, or name it: \
	make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version); this takes about half a minute, once."
	@$(PYTHON) -m venv --without-pip $(VENV)
	@# Python's own pip installs the locked one; without one, Python's bundled copy does, slower.
	@$(PYTHON) -m pip --python $(BIN)/python install $(LOCKED) -r requirements/pip.txt 2>/dev/null \
	|| { $(BIN)/python -m ensurepip >/dev/null && $(INSTALL) -r requirements/pip.txt; } \
	|| { echo "No pip for $(PYTHON); on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(INSTALL) -r requirements/run.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check \
	--no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "Adding the development tools to $(VENV)."
	@$(INSTALL) -r requirements/dev.txt
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp requirements/bench.txt
	@echo "Adding what the benchmarks compare with to $(VENV)."
	@$(INSTALL) -r requirements/bench.txt
	@touch $@
