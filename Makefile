# The menu of this project. Needs Python 3.11; everything else is installed into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
TESTS ?= tests
WORKERS ?= 2
export PYTHONUTF8 = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help
help: ## this menu
	@echo "LTI Badges"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: PORT=8000 LMS_PORT=9000 LMS=moodle|canvas (run) · REQUIRE=all TESTS=path WORKERS=2 (test) · ONLY=name,… (bench)"

# ------------------------------------------------------------------------------------------ environment
.venv/installed: setup.cfg pyproject.toml config/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say PYTHON=…")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the pinned dependencies into .venv"
	@mkdir -p build && $(BIN)/pip install -c config/constraints.txt -e '.[test,docs]' >build/install.log 2>&1 \
	    || { tail -n 40 build/install.log; exit 1; }
	@touch $@

.PHONY: install
install: .venv/installed ## make .venv and install the pinned dependencies

.PHONY: constraints
constraints: ## renew config/constraints.txt with the newest releases
	@rm -rf build/newest && $(PYTHON) -m venv build/newest && build/newest/bin/pip install -q -e '.[test,docs]'
	@head -2 config/constraints.txt > build/constraints.txt && build/newest/bin/pip freeze --exclude-editable >> build/constraints.txt
	@mv build/constraints.txt config/constraints.txt && git --no-pager diff --stat config/constraints.txt

# -------------------------------------------------------------------------------------------------- use
.PHONY: run
run: install ## start the tool and the demo LMS; Ctrl-C ends both
	@exec $(BIN)/python -m tests.simulator.run

.PHONY: gallery
gallery: install ## every page and component in every state, on http://localhost:8800/_gallery; PORT=…
	@exec $(BIN)/python -m tests.gallery

.PHONY: screenshots
screenshots: install ## pictures of every page of the demo: build/screenshots; renews docs/pictures
	@exec $(BIN)/python -m tests.gallery.screenshots

.PHONY: bench
bench: install ## the benchmarks; ONLY=name,… for some; writes build/bench.json
	@exec $(BIN)/python -m tests.bench

# ---------------------------------------------------------------------------------------------- quality
.PHONY: test
test: install ## every test; REQUIRE=all makes a missing browser, database or Node a failure
	@# in the order of the folders: files with few tests in them, as the browser's, are the slowest, not the last
	@$(BIN)/python -m pytest -n $(WORKERS) --dist=loadfile --no-loadscope-reorder $(TESTS)

.PHONY: guards
guards: install ## takes each guard against an attack out of a copy of the tree, and sees its test fail
	@$(BIN)/python -m tests.guards

.PHONY: test-fork
test-fork: install ## the LTI tests against the maintained fork pylti1p3next, in an environment of its own
	@rm -rf build/fork && $(PYTHON) -m venv build/fork
	@build/fork/bin/pip install -q -c config/constraints.txt '.[test]'
	@build/fork/bin/pip uninstall -q -y pylti1p3
	@build/fork/bin/pip install -q pylti1p3next
	@build/fork/bin/python -m pytest tests/unit/lti

.PHONY: format
format: install ## rewrite formatting
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix-only .

.PHONY: check-format
check-format: install ## formatting, without changing anything
	@$(BIN)/ruff format --check -q .

.PHONY: lint
lint: install ## ruff
	@$(BIN)/ruff check -q .

.PHONY: types
types: install ## mypy, strict
	@$(BIN)/mypy

.PHONY: layers
layers: install ## the layers and forbidden imports of setup.cfg
	@$(BIN)/lint-imports

.PHONY: templates
templates: install ## djlint over templates/
	@$(BIN)/djlint --lint --quiet templates

.PHONY: migrations
migrations: install ## migrate an empty SQLite database up, down and up; models equal head
	@rm -rf build/migrations && mkdir -p build/migrations
	@export LTI_TOOL_ENV=development LTI_TOOL_DATA_DIR=build/migrations \
	    && $(BIN)/lti-tool db upgrade && $(BIN)/lti-tool db downgrade base && $(BIN)/lti-tool db upgrade \
	    && $(BIN)/lti-tool db check

.PHONY: translations
translations: install ## every string is in messages.pot, every catalogue is complete
	@$(BIN)/python -m tests.translations check

.PHONY: extract
extract: install ## renew messages.pot and the catalogues made from it
	@$(BIN)/python -m tests.translations extract

.PHONY: docs
docs: install ## build the documentation into build/docs; a warning is an error
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

.PHONY: check
check: ## what .ci/run runs: all of the above in order, the tests last
	@for target in check-format lint types layers templates migrations translations docs; do \
	    echo "== $$target"; $(MAKE) $$target || exit 1; done
	@echo "== test"; $(MAKE) test

.PHONY: wheel
wheel: install ## build the wheel into dist/
	@rm -rf dist build/lib build/bdist.* && mkdir -p build && $(BIN)/python -m build --wheel --outdir dist . >build/wheel.log 2>&1 || { cat build/wheel.log; exit 1; }
	@ls dist

.PHONY: clean
clean: ## remove what builds left behind; data/ and .venv stay
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
