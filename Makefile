PYTHON ?= python3

.venv/.dev: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q --require-hashes -r requirements-dev.lock
	.venv/bin/pip install -q --no-build-isolation --no-deps -e .
	touch $@

.PHONY: test
test: .venv/.dev
	.venv/bin/python -m pytest tests -q
