# Every target installs what it needs into .venv. Needed are make and Python 3.11 or newer.
# Another Python:      make test PYTHON=python3.13
# More for pytest:     make test ARGS="tests/storage -x"

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# A Python that is named on the command line must be there, also when .venv needs none any more.
ifeq ($(origin PYTHON),command line)
ifeq ($(shell command -v "$(firstword $(PYTHON))" 2>/dev/null),)
$(error Gatefold needs Python 3.11 or newer, and there is no $(PYTHON) here)
endif
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all test-pages mutants check check-lint check-format check-types check-imports check-locks check-deploy messages soak conformance bench pictures lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo ## Run the whole bot on this machine, without any account (PORT=n; SCRIPT=1: play a story and end; SCRIPT=season: a season of a club)
	@$(BIN)/gatefold sandbox $(if $(SCRIPT),--script $(if $(filter 1,$(SCRIPT)),story,$(SCRIPT))) $(if $(PORT),--port $(PORT))

test: $(READY) ## Run the fast tests: about 3 minutes on 2 cores
	@$(BIN)/python -m pytest -n auto -m "not pages and not slow" $(ARGS)

test-all: $(READY) ## Run every test; those of pages need Chromium
	@$(BIN)/python -m pytest -n auto $(ARGS)

test-pages: $(READY) ## Run the tests that look at pages, in headless Chromium
	@$(BIN)/python -m pytest -m pages $(ARGS)

soak: $(READY) ## Run 200 kills during bursts, 5 club seasons with kills, and every cell of the fault matrix: about 10 minutes (SEED=n repeats a run)
	@GATEFOLD_KILLS=200 GATEFOLD_SEASONS=5 GATEFOLD_MATRIX=full GATEFOLD_SEED=$(or $(SEED),0) \
		$(BIN)/python -m pytest -s tests/process/test_kill.py tests/process/test_club_kill.py tests/faults $(ARGS)

mutants: $(READY) ## Break the code in 100 places, and list what no test notices: about 20 minutes (SEED=n, SAMPLE=n)
	@$(BIN)/python .ci/mutants.py --seed $(or $(SEED),0) --sample $(or $(SAMPLE),100) $(ARGS)

check: check-lint check-format check-types check-imports check-locks check-deploy ## Lint, formatting, types, imports, lock files, deploy/ and the workflow

check-lint: $(READY)
	$(BIN)/ruff check .

check-format: $(READY)
	$(BIN)/ruff format --check .

check-types: $(READY)
	$(BIN)/mypy

check-imports: $(READY)
	$(BIN)/lint-imports --no-logo

# An index without data on vulnerabilities is reported for each package, and is not a failure.
check-locks: $(READY)
	@$(BIN)/pip-audit --progress-spinner off --disable-pip --require-hashes -r requirements.lock

check-deploy: $(READY)
	@sh deploy/check.sh $(BIN)

messages: $(READY) ## Update the message catalogue, and report what is not translated (ARGS=--check: only look; ARGS=--all: list all)
	@$(BIN)/python .ci/messages.py $(ARGS)

conformance: $(READY) ## Check whole stories against the OpenAPI files: make conformance SPECS=<folder>
	@test -n "$(SPECS)" || { echo "Name the folder of the OpenAPI files: make conformance SPECS=<folder>" >&2; exit 2; }
	@$(BIN)/python -m tests.conformance "$(SPECS)"

bench: $(READY) ## Write the table of docs/performance.md (ARGS=--quick: a first look; ARGS=--full: 100,000 interactions)
	@$(BIN)/python -m bench $(ARGS)

pictures: $(READY) ## Make the README's pictures again, from what the real bot sends; needs Chromium
	@$(BIN)/python .ci/pictures.py

clean: ## Remove the virtual environments, caches and builds (never data)
	rm -rf $(VENV) $(LOCK_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find bot migrations tests bench -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# ---------------------------------------------------------------- setting up

OLD_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# This must run on old Pythons, too, since they are the ones that print it.
define WHICH_PYTHON
import sys
if sys.version_info < (3, 11):
    sys.exit("Gatefold needs Python 3.11 or newer, and $(PYTHON) here is %d.%d. "
             "If there is a newer one, name it: make PYTHON=python3.13 ..." % sys.version_info[:2])
endef
export WHICH_PYTHON

# `make demo` installs only what the demo needs; everything else adds the development tools to the same venv.
$(VENV)/.demo: pyproject.toml requirements-demo.lock
	@$(MAKE) --no-print-directory venv
	@$(PIP) install --require-hashes -r requirements-demo.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(READY): pyproject.toml requirements-dev.lock
	@$(MAKE) --no-print-directory venv
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

.PHONY: venv
venv:
	@command -v $(PYTHON) >/dev/null || { echo "Gatefold needs Python 3.11 or newer, and there is no $(PYTHON) here." >&2; exit 1; }
	@$(PYTHON) -c "$$WHICH_PYTHON"
	@echo "Setting up $(VENV) (the first time takes about a minute)"
	@$(BIN)/python -c "$(OLD_ENOUGH)" 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)

# ---------------------------------------------------------------- locks

LOCK_VENV := .venv-lock
UV := uv==0.13.9
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(LOCK_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate

# One resolution for every supported Python and system. The largest lock is made first; the others start from it,
# so that they take its versions.
lock: ## Make all lock files again (UPGRADE=1: with the newest versions that pyproject.toml allows)
	@$(PYTHON) -m venv --clear $(LOCK_VENV)
	@$(LOCK_VENV)/bin/python -m pip --disable-pip-version-check --quiet install $(UV)
	@$(COMPILE) $(if $(filter 1,$(UPGRADE)),--upgrade) pyproject.toml --extra sandbox --group test --group check --group build \
		--output-file requirements-dev.lock
	@for lock in requirements requirements-demo requirements-build; do cp requirements-dev.lock $$lock.lock; done
	@$(COMPILE) pyproject.toml --output-file requirements.lock
	@$(COMPILE) pyproject.toml --extra sandbox --group build --output-file requirements-demo.lock
	@$(COMPILE) --group build --output-file requirements-build.lock
	@rm -rf $(LOCK_VENV)
