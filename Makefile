# Hourglass on a laptop. `make` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-day test test-sources test-orders kill-matrix concurrency chaos lint up down status land dag validate show new try compile generate bench clean lock

SOURCE ?= github
PARTITION ?= 2021-07-21T06
CLOUD ?= local

# The first Python 3.11 that runs: a pyenv shim may be on PATH and yet refuse.
PYTHON ?= $(shell for p in python3.11 /usr/bin/python3.11 python3; do \
	"$$p" -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" 2>/dev/null && echo "$$p" && break; done)
PY := .venv/bin/python
# Two files of tests at a time, each lane with a local cloud of its own.
LANES := -n 2 --dist loadfile --no-loadscope-reorder
LOCAL := $(PY) -m local
IN_CLOUD := $(LOCAL) exec --
HOURGLASS := PYTHONPATH=plugins $(PY) -m hourglass

help: ## list the targets
	@echo "Hourglass: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install all that is needed into .venv and .local (a few minutes, once)
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 is missing. On Debian and Ubuntu: apt-get install -y python3.11 python3.11-venv" >&2; exit 1; fi
	@$(PYTHON) local/bootstrap.py

demo: setup ## two real hours through all seven stages, then what came out
	@$(PY) -m local.demo

demo-day: setup ## [SCALE=1]: a day of five platforms through the whole daily DAG, then what its marts say
	@PYTHONPATH=plugins $(PY) -m local.demo_day $(if $(SCALE),--scale $(SCALE))

test: setup ## unit, integration and end-to-end tests
	@$(PY) -m pytest $(LANES) tests/unit
	@.local/venvs/spark/bin/python -m pytest $(LANES) tests/spark
	@$(PY) -m pytest $(LANES) tests/integration tests/warehouse tests/e2e tests/chaos

test-sources: setup ## every shipped source's DAG on generated data (make test runs one of each kind)
	@HOURGLASS_TEST_SOURCES=all $(PY) -m pytest tests/e2e/test_sources.py

test-orders: setup ## the marts of four platforms day after day, late and shuffled, and by a full refresh (make test does the last two)
	@HOURGLASS_TEST_ORDERS=all $(PY) -m pytest tests/warehouse/test_recomputation.py

chaos: setup ## [SEQUENCES=30] [SEED=1]: random sequences of files, clears, backfills, kills and faults, against an oracle
	@$(PY) -m tests.chaos --sequences $(or $(SEQUENCES),30) $(if $(SEED),--seed $(SEED))

kill-matrix: setup ## [MOST=3]: kill everything at every stage, heal it, write docs/reference/kill-matrix.md
	@$(PY) -m pytest tests/kills
	@PYTHONPATH=plugins $(PY) -m tests.kills $(MOST)

concurrency: setup ## [HOURS=24]: a day of one source and four others at once, write docs/reference/concurrency.md
	@PYTHONPATH=plugins $(PY) -m tests.concurrency $(HOURS)

lint: setup ## ruff, mypy, import-linter, sqlfluff, the sources and what is generated from them
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@PYTHONPATH=plugins:. .venv/bin/lint-imports
	@.venv/bin/sqlfluff lint include/sql include/dbt/models
	@$(HOURGLASS) validate
	@$(HOURGLASS) schema --check
	@$(HOURGLASS) schema --docs --check
	@$(HOURGLASS) compile --check

up: setup ## start or repair the local cloud, with Airflow's interface
	@$(LOCAL) up --airflow

down: ## stop the local cloud; its data stay
	@if [ -x $(PY) ]; then $(LOCAL) down; fi

status: setup ## show the local cloud's parts
	@$(LOCAL) status

land: setup ## SOURCE= PARTITION= FILES="a b" [CLOUD=google]: put files where a partition expects them
	@if [ -z "$(FILES)" ]; then \
		echo 'which files? make land SOURCE=github PARTITION=2021-07-21T08 FILES="a.json.gz b.json.gz"' >&2; exit 2; fi
	@$(if $(filter google,$(CLOUD)),$(LOCAL),$(IN_CLOUD) $(LOCAL)) land --source $(SOURCE) --partition $(PARTITION) $(FILES)

dag: setup ## SOURCE= PARTITION=: run one partition by `airflow dags test`
	@$(LOCAL) dag --source $(SOURCE) --partition $(PARTITION)

validate: setup ## [FILES="a.yaml b.yaml"]: check source files, all of them by default
	@$(HOURGLASS) validate $(FILES)

show: setup ## SOURCE= [TASKS=1]: a source's resolved configuration, and its DAG's tasks
	@$(HOURGLASS) show $(SOURCE) $(if $(TASKS),--tasks)

new: setup ## SOURCE= [FROM=sample.json.gz] [DAILY=1]: write a new source's files
	@$(HOURGLASS) new $(SOURCE) $(if $(FROM),--from $(FROM)) $(if $(DAILY),--daily)

try: setup ## SOURCE= SAMPLE="a b" [PARTITION=]: refine and gate local files; nothing is published
	@if [ -z "$(SAMPLE)" ]; then echo 'which file? make try SOURCE=github SAMPLE=a.json.gz' >&2; exit 2; fi
	@$(LOCAL) up && PYTHONPATH=plugins $(IN_CLOUD) $(PY) -m hourglass try $(SOURCE) --sample $(SAMPLE) \
		$(if $(filter-out file,$(origin PARTITION)),--partition $(PARTITION))

compile: setup ## [SOURCES="a b"]: write the dbt models of sources, all of them by default
	@$(HOURGLASS) compile $(SOURCES)

generate: setup ## SOURCE= PARTITION= TO=folder [ROWS=1000]: write test data, and what a run must come to
	@if [ -z "$(TO)" ]; then \
		echo 'into which folder? make generate SOURCE=github PARTITION=2026-01-05T06 TO=.local/generated' >&2; exit 2; fi
	@$(HOURGLASS) generate $(SOURCE) --partition $(PARTITION) --to "$(TO)" $(if $(ROWS),--rows $(ROWS))

bench: setup ## measure speed, each beside a peer in the same run
	@$(PY) -m benchmarks

lock: setup ## write the installed versions to local/constraints.txt
	@.venv/bin/uv pip freeze --python $(PY) --exclude uv > local/constraints.txt

clean: down ## stop the local cloud and remove its data and logs (what is installed stays)
	@rm -rf .local/cloud .local/test-cloud .local/demo.json .local/demo-day.json
