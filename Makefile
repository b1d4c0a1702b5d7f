# Everything a developer does, by name. Needs python3 (3.11 or newer) with venv, make and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo services test lint format docs site bench bench-bounces chaos lock wheel clean

help: ## List these targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

install: $(STAMP) ## Make .venv and install the locked dependencies and Pressrun itself

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: Python 3.11 or newer is needed as '$(PYTHON)'; or say: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: '$(PYTHON)' has no venv; install it first: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)  # cut off half way: anew
	@echo "Installing the locked dependencies into $(VENV) (a minute or so, only once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: install ## Send the sample issue to 1,000 people and a local server, for real
	@$(BIN)/mailer demo

services: ## Bring the servers that the tests need, where this system can
	@sh tests/services/install.sh

test: install services lint ## All set-up and the whole suite
	$(BIN)/python -m tests.run $(PYTEST_ARGS)

lint: install ## ruff, mypy --strict and the import rules
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## Mend what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install ## Write the pages anew that are made from the program, and man/mailer.1
	@$(BIN)/python -m docs.write

site: install ## Build the documentation as a site, in build/site
	@$(BIN)/mkdocs build --strict --quiet --clean

bench: install ## Measure, and write docs/benchmarks.md and docs/benchmarks-people.md
	$(BIN)/python -m bench
	$(BIN)/python -m bench.people --out docs

bench-bounces: install ## Read real bounces beside other readers; PRESSRUN_CORPUS names their folder
	@$(BIN)/python -m bench.bounces

chaos: install services ## The long tests: faults everywhere, long histories, Postfix, a soak
	$(BIN)/python -m pytest -m chaos $(PYTEST_ARGS)

lock: install ## Resolve the dependencies anew and write requirements.lock
	@test -x build/lock/bin/uv || { $(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet uv; }
	build/lock/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  pyproject.toml --group dev --output-file requirements.lock

wheel: install ## Build dist/pressrun-*.whl
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean: ## Remove .venv and all that was built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
