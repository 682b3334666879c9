# `make` alone lists what there is. Every target sets up what it needs in .venv first.

PYTHON ?= python3
DATA ?=
FILE ?=
SEED ?=

VENV_PYTHON := .venv/bin/python
FLASK := $(VENV_PYTHON) -m flask --app wsgi
CHECKED := app community config graph tests tools wsgi.py

# What Python compiled is kept, to start in half the time; `make clean` takes it away.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo fuzz client run test test-browser pictures properties check audit format bench migrate oracles villages simulate lock bench-real hosts clean main-env dev-env bench-env

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: main-env ## see a village borrow on its own trust: SQLite, sample people, a running server
	@$(VENV_PYTHON) tools/demo.py

run: main-env ## serve the database that DATABASE_URL names (config/example.env lists the settings)
	@$(VENV_PYTHON) -m gunicorn --config config/gunicorn.py wsgi:app

migrate: main-env ## bring the database's tables up to date
	@$(FLASK) db upgrade

villages: main-env ## carry real villages through the main job: DATA=folder of village files
	@$(FLASK) villages --data $(or $(DATA),../shared/data)

simulate: main-env ## live through 20 villages in which something is planted, and tell what was found: SEED=1
	@$(FLASK) simulate --seed $(or $(SEED),1)

oracles: main-env ## compare with answers worked out elsewhere: FILE=cases.json [DATA=folder]
	@$(if $(FILE),,echo 'make oracles needs FILE=cases.json' >&2; exit 2)
	@$(VENV_PYTHON) -m tests.oracles $(FILE) $(if $(DATA),--data $(DATA))

setup: dev-env ## make .venv for building and testing

test: dev-env ## run every test, on a PostgreSQL and a Redis of their own
	@$(VENV_PYTHON) -m pytest tests -n auto --dist worksteal

test-browser: dev-env ## look at every page in Chromium; pictures go to var/screenshots
	@$(VENV_PYTHON) -m pytest tests/browser -n 2 --dist worksteal

pictures: dev-env ## walk the tours of docs/guides through a small demo, and take their pictures anew
	@$(VENV_PYTHON) -m tests.pictures

fuzz: dev-env ## send made-up requests to every route of real servers, on both databases
	@$(VENV_PYTHON) -m tests.fuzz

client: dev-env ## generate a typed Python client from the API's document into var/client
	@$(VENV_PYTHON) tools/make_client.py

properties: dev-env ## run properties of loans on 10,000 loans each, and longer lives and loads
	@ARITHMETIC_EXAMPLES=10000 $(VENV_PYTHON) -m pytest tests/unit/community/test_arithmetic_properties.py -n 2
	@PURE=100 $(VENV_PYTHON) -m pytest tests/unit/community/test_pure_machine.py
	@MACHINE=4 CHAOS=6 $(VENV_PYTHON) -m pytest tests/integration/test_guarantees_machine.py tests/integration/test_chaos.py -s

check: dev-env ## format, lint, types and imports, without changing a file
	@$(VENV_PYTHON) -m ruff format --check --quiet $(CHECKED) || { echo 'run: make format' >&2; exit 1; }
	@$(VENV_PYTHON) -m ruff check $(CHECKED)
	@$(VENV_PYTHON) -m mypy
	@.venv/bin/lint-imports --no-cache --no-logo
	@$(VENV_PYTHON) tools/audit.py

audit: dev-env ## ask for known faults of the libraries; fails when nobody answers
	@$(VENV_PYTHON) tools/audit.py --strict

format: dev-env ## put the code into the common format
	@$(VENV_PYTHON) -m ruff format --quiet $(CHECKED)
	@$(VENV_PYTHON) -m ruff check --fix --select I $(CHECKED)

bench: bench-env ## measure speed and print the figures
	@$(VENV_PYTHON) -m tests.bench

hosts: dev-env ## two servers and a worker on addresses of their own, one server killed (root, Linux)
	@$(VENV_PYTHON) -m tests.hosts

bench-real: bench-env ## measure the graph methods on real data: DATA=folder of its files
	@$(VENV_PYTHON) -m tests.bench.real --data $(or $(DATA),../shared/data)

lock: ## choose library versions anew from requirements.txt and requirements/dev.txt
	@$(PYTHON) tools/setup_env.py lock

clean: ## remove .venv and all caches (a demo's database stays)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

main-env dev-env bench-env:
	@command -v "$(PYTHON)" >/dev/null || { echo 'make: there is no $(PYTHON); name a Python 3.11 or newer: make PYTHON=/path/to/python' >&2; exit 1; }
	@"$(PYTHON)" tools/setup_env.py $(@:-env=)
