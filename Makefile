# Every target sets up what it needs; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXPERIMENT ?= baseline
STUDY ?= v1_v2

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint smoke study ui clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# pip and not a resolver of its own: it is everywhere, and it takes torch from a local mirror where one is configured.
$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] <= (3, 13) else f"Python 3.11 to 3.13 is needed, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.11")'
	@echo "setting up $(VENV): a few minutes, 5.5 GB on Linux"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(VENV)/installed  ## make .venv with everything (5.5 GB on Linux: PyPI's torch brings CUDA)

demo: setup  ## train a tagger on the embedded sample album, then see its report
	$(BIN)/python -m tagger.train +experiment=baseline

test: setup  ## the quick tests
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-all: setup  ## the quick and the slow tests; NIGHTLY=1: those that repeat them otherwise, too
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m '$(if $(NIGHTLY),,not nightly)'

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

smoke: setup  ## two batches of an experiment: make smoke EXPERIMENT=resampling_focal
	$(BIN)/python -m tagger.train +experiment=$(EXPERIMENT) +debug=smoke

study: setup  ## train what is missing of a study, then compare: make study STUDY=v1_v2
	$(BIN)/python -m tagger.study study=$(STUDY)

ui: setup  ## MLflow with the runs side by side, on http://127.0.0.1:5000
	MLFLOW_DISABLE_TELEMETRY=$${MLFLOW_DISABLE_TELEMETRY:-true} $(BIN)/mlflow ui --backend-store-uri sqlite:///mlflow.db

clean:  ## remove runs and their records (asks first)
	@read -p "Remove runs/, mlruns/ and mlflow.db? [y/N] " answer && [ "$$answer" = y ] && rm -rf runs mlruns mlflow.db
