# One line a recipe; CI calls only these. `make up` and `make test` need Python 3.11 or newer, make and a C library.
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help up down demo test test-all tools bench soak check format docs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

up: .venv/.base ## run everything here: Redis, API, workers, beat; Ctrl-C stops it
	@exec $(BIN)/argyll up

down: ## stop the `make up` of this directory
	@test ! -x $(BIN)/argyll || $(BIN)/argyll down

demo: .venv/.base ## twenty orders through the order flow, with a table of results
	@$(BIN)/python -m examples.order.demo

test: .venv/.test ## all tests but the slow ones
	$(PYTEST) -m "not slow" -n 2 --dist loadfile $(ARGS)

test-all: .venv/.test tools ## all tests
	$(PYTEST) $(ARGS)

tools: ## fetch what slow tests check deploy/ with: Prometheus, nginx, Helm; what cannot be had is left out
	@.ci/tools

bench: .venv/.bench ## every budget beside stock Celery, with plots, into var/bench; some twenty minutes
	@$(BIN)/python -m bench --plots $(ARGS)

soak: .venv/.bench ## half an hour under load: what grows, what is lost
	@$(BIN)/python -m bench.soak $(ARGS)

check: .venv/.dev ## formatting, lint and types
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

format: .venv/.dev ## format, and mend what lint can mend
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

docs: .venv/.base ## write the pages that are made from the code
	$(BIN)/argyll ale --reference > docs/scripts/ale-builtins.md
	$(BIN)/python deploy/grafana/build.py

clean: down ## remove the environment, all caches and var/, the private Redis in it included
	rm -rf .venv .cache var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Each stamp is younger than the pins it stands for; .ci/environment makes .venv and installs them.
.venv/.base: requirements/base.txt setup.cfg setup.py
	@.ci/environment base

.venv/.test: requirements/test.txt .venv/.base
	@.ci/environment test

.venv/.dev: requirements/dev.txt .venv/.test
	@.ci/environment dev

.venv/.bench: requirements/bench.txt .venv/.base
	@.ci/environment bench
