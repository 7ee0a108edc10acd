# `make` says what there is. Needs GNU make 3.81 and Python 3.11 or newer, nothing else.

# Tried from left to right; the lock is tried on 3.11 and 3.13. `PYTHON=/path/to/python make test`.
PYTHON ?= python3.13 python3.12 python3.11 python3.14 python3 python
# Passed on: `make demo ARGS="--stay"`, `make test ARGS="-k chain"`.
ARGS ?=
# Which long tests: `make test-long PARTS="needs_postgres"`.
known := needs_postgres needs_browser long
PARTS ?= $(known)
ifneq ($(filter-out $(known),$(PARTS)),)
$(error PARTS are some of: $(known))
endif
# Most tests wait for something, so several at once; files are spread, for a file's servers start
# once, and in the order of their names, for the slow ones come first.
spread := -n 5 --dist loadfile --no-loadscope-reorder
empty :=
marks := $(subst $(empty) $(empty), or ,$(strip $(PARTS)))

# $(call with_python,ARGUMENTS): run the first Python that is new enough; an existing .venv first.
define with_python
for p in .venv/bin/python $(PYTHON); do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then exec "$$p" $(1); fi; \
done; \
echo 'Openbell needs Python 3.11 or newer, and none of "$(PYTHON)" is; install one, or say PYTHON=/path/to/python' >&2; \
exit 1
endef

.PHONY: help
help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s%s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: .venv/.runtime ## the main job on embedded parts: one command, one minute
	@.venv/bin/openbell demo $(ARGS)

.PHONY: drill
drill: .venv/.runtime ## runs that are harmed on purpose, and a count: `make drill ARGS="--runs 300"`
	@.venv/bin/openbell drill --runs 20 $(ARGS)

.PHONY: up
up: .venv/.runtime ## everything, staying: `make up ARGS="--sandbox"`
	@.venv/bin/openbell up $(ARGS)

.PHONY: test
test: .venv/.dev ## the whole suite, from a package index alone
	@.venv/bin/python -m pytest -m "not needs_postgres and not needs_browser and not long" $(spread) $(ARGS)

.PHONY: test-long
test-long: .venv/.dev ## what needs more; PARTS chooses by marker
	@.venv/bin/python -m pytest -m "$(marks)" $(ARGS)

.PHONY: bench
bench: .venv/.dev ## what the journal costs, as ratios measured side by side
	@.venv/bin/python -m scripts.benchmarks.chain $(ARGS)

.PHONY: check
check: .venv/.dev ## lint, types, arrows, house rules, secrets, compose
	@.venv/bin/python -m scripts.checks

.PHONY: format
format: .venv/.dev ## what a machine can tidy
	@.venv/bin/ruff check --quiet --fix-only .
	@.venv/bin/ruff format .

.PHONY: lock
lock: ## both locks anew from pyproject.toml; what still fits stays as it is
	@$(call with_python,-m scripts.checks.lock)

.PHONY: clean
clean: ## remove what make made; never var/, where the journal lies
	rm -rf .venv *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.runtime: requirements.lock pyproject.toml
	@$(call with_python,-m scripts.checks.environment runtime)

.venv/.dev: requirements-dev.lock pyproject.toml
	@$(call with_python,-m scripts.checks.environment dev)
