# Every target sets itself up in .venv; all it needs is make and Python 3.11 or newer.
# Another Python:      make test PYTHON=python3.13
# More for pytest:     make test ARGS="tests/storage -x"

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_VENV := .venv-bench
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-pages check check-lint check-format check-types check-imports check-locks check-deploy messages soak conformance bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(READY) ## The whole bot on this machine, without any account (SCRIPT=1: plays a story by itself and ends)
	@$(BIN)/gatefold sandbox $(if $(filter 1,$(SCRIPT)),--script)

test: $(READY) ## All tests but those that need a browser
	@$(BIN)/python -m pytest -m "not pages" $(ARGS)

test-pages: $(READY) ## The tests that look at pages, in headless Chromium
	@$(BIN)/python -m pytest -m pages $(ARGS)

soak: $(READY) ## 200 kills amid bursts, and every cell of the fault matrix: about 5 minutes (SEED=n repeats a run's choices)
	@GATEFOLD_KILLS=200 GATEFOLD_MATRIX=full GATEFOLD_SEED=$(or $(SEED),0) \
		$(BIN)/python -m pytest -s tests/process/test_kill.py tests/faults $(ARGS)

check: check-lint check-format check-types check-imports check-locks check-deploy ## Lint, formatting, types, who imports whom, lock files, deploy/

check-lint: $(READY)
	$(BIN)/ruff check .

check-format: $(READY)
	$(BIN)/ruff format --check .

check-types: $(READY)
	$(BIN)/mypy

check-imports: $(READY)
	$(BIN)/lint-imports --no-logo

# Says loudly when there is nobody to ask whether a package is known to be vulnerable, and does not fail for that.
check-locks: $(READY)
	@$(BIN)/python .ci/audit.py

check-deploy: $(READY)
	@sh deploy/check.sh $(BIN)

messages: $(READY) ## Update the message catalogue, and report what is not translated (ARGS=--check: only look; ARGS=--all: list all)
	@$(BIN)/python .ci/messages.py $(ARGS)

conformance: $(READY) ## Whole stories against the platforms' OpenAPI files: make conformance SPECS=<folder>
	@test -n "$(SPECS)" || { echo "Name the folder of the OpenAPI files: make conformance SPECS=<folder>" >&2; exit 2; }
	@$(BIN)/python -m tests.conformance "$(SPECS)"

bench: $(BENCH_VENV)/.ready ## The table of docs/performance.md (ARGS=--quick: a taste; ARGS=--full: 100,000 interactions)
	@$(BENCH_VENV)/bin/python -m bench $(ARGS)

clean: ## Remove the virtual environments, caches and builds (never data)
	rm -rf $(VENV) $(BENCH_VENV) $(LOCK_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find bot migrations tests bench -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# ---------------------------------------------------------------- setting up

OLD_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# Written to run on any old Python, which is the one that must say it.
define WHICH_PYTHON
import sys
if sys.version_info < (3, 11):
    sys.exit("Gatefold needs Python 3.11 or newer, and $(PYTHON) here is %d.%d. "
             "If there is a newer one, name it: make PYTHON=python3.13 ..." % sys.version_info[:2])
endef
export WHICH_PYTHON

$(READY): pyproject.toml requirements-dev.lock
	@command -v $(PYTHON) >/dev/null || { echo "Gatefold needs Python 3.11 or newer, and there is no $(PYTHON) here." >&2; exit 1; }
	@$(PYTHON) -c "$$WHICH_PYTHON"
	@echo "Setting up $(VENV) (the first time takes about a minute)"
	@$(BIN)/python -c "$(OLD_ENOUGH)" 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# A venv of its own: what is measured beside us must not come near the tests, nor near a host.
$(BENCH_VENV)/.ready: requirements-bench.lock
	@$(PYTHON) -c "$$WHICH_PYTHON"
	@echo "Setting up $(BENCH_VENV)"
	@$(PYTHON) -m venv --clear $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements-bench.lock
	@touch $@

# ---------------------------------------------------------------- locks

LOCK_VENV := .venv-lock
LOCK_TOOLS := pip==26.3 pip-tools==7.6.2
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(LOCK_VENV)/bin/pip-compile --quiet --no-config \
	--generate-hashes --allow-unsafe --strip-extras --newline=lf \
	--no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# The larger lock is made first; the others start from it, so that they take its versions (and its hashes).
# pip-compile locks for the Python it runs on: the oldest that we support. What only newer ones need is kept by hand.
lock: ## Make all lock files anew (UPGRADE=1: with the newest versions that pyproject.toml allows)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "The locks are made with Python 3.11, the oldest that we support: make lock PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(LOCK_VENV)
	@$(LOCK_VENV)/bin/python -m pip --disable-pip-version-check --quiet install $(LOCK_TOOLS)
	@$(COMPILE) $(if $(filter 1,$(UPGRADE)),--upgrade) --extra sandbox --extra test --extra check \
		--build-deps-for editable --output-file requirements-dev.lock pyproject.toml
	@cp requirements-dev.lock requirements.lock
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@cp requirements-dev.lock requirements-build.lock
	@$(COMPILE) --only-build-deps --build-deps-for wheel --output-file requirements-build.lock pyproject.toml
	@cp requirements-dev.lock requirements-bench.lock
	@$(COMPILE) --extra bench --output-file requirements-bench.lock pyproject.toml
	@for lock in requirements.lock requirements-dev.lock requirements-bench.lock; do cat .ci/python-3.13.lock >> $$lock; done
	@rm -rf $(LOCK_VENV)
	@! grep -E '^[a-z0-9-]+==' requirements.lock | grep -vxFf requirements-dev.lock || \
		{ echo "These versions of requirements.lock are not those of requirements-dev.lock." >&2; exit 1; }
