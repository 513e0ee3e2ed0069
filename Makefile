# The whole workflow.  `make crash` and `make test` work on a fresh machine that has Python 3.11 or
# newer, make and git: they build the virtual environment .venv themselves.
#
#   make crash [SCENARIO=name] [SEED=n]   run a scenario and write the run below runs/
#   make test                             all fast tests
#   make check                            style, types, layers; changes nothing
#   make bench                            every figure beside its target, about three minutes
#   make soak                             long random runs
#   make readers                          exports through hftbacktest and nautilus_trader
#   make docs                             regenerate docs/reference and the outputs of the first-bot guide

SCENARIO ?= oct10_article
SEED     ?=
OUT      ?= runs

SHELL  := /bin/sh
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.made-from-pyproject

.DEFAULT_GOAL := help
.PHONY: help crash test check bench soak docs clean readers

help:
	@sed -n 's/^#   //p' Makefile

crash: $(STAMP)
	$(BIN)/exchange-sim run $(SCENARIO) $(if $(SEED),--seed $(SEED)) --out $(OUT)

test: $(STAMP)
	$(BIN)/python -m pytest -q -n auto --dist loadfile

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_tidy.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks

soak: $(STAMP)
	$(BIN)/python -m pytest -q -m soak

readers: $(STAMP)
	@if command -v uv >/dev/null 2>&1; \
	then uv pip install --quiet --python $(BIN)/python '.[readers]'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check '.[readers]'; fi
	$(BIN)/python -m pytest -q -m readers

docs: $(STAMP)
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.first_bot

clean:
	rm -rf $(VENV)

# The stamp is a copy of pyproject.toml: compared by content, so that a fresh checkout, a touched file
# or a branch change rebuilds the environment only when the dependencies really changed.
ifneq ($(shell cmp -s pyproject.toml $(STAMP) && echo same),same)
.PHONY: $(STAMP)
endif

$(STAMP):
	@set -e; \
	python=""; \
	candidates="$${PYTHON:-python3 python3.13 python3.12 python3.11}"; \
	for candidate in $$candidates; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "make: Python 3.11 or newer is needed; none of these is: $$candidates" >&2; \
	  echo "      Install it, or name it: make PYTHON=/path/to/python3.11 test" >&2; exit 1; fi; \
	rm -rf $(VENV); \
	if command -v uv >/dev/null 2>&1; then \
	  echo "making $(VENV) with uv and $$($$python --version)"; \
	  uv venv --quiet --python "$$(command -v $$python)" $(VENV); \
	  uv pip install --quiet --python $(BIN)/python --editable '.[dev]'; \
	else \
	  echo "making $(VENV) with $$($$python --version), takes about a minute"; \
	  "$$python" -m venv $(VENV) || { \
	    echo "make: $$python cannot make virtual environments (Debian, Ubuntu: apt install python3-venv)" >&2; \
	    rm -rf $(VENV); exit 1; }; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'; \
	fi; \
	cp pyproject.toml $(STAMP)
