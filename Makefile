# One definition of each check, for people, the commit hook and CI alike.
#   make demo    the main job on real images        make test    every fast check of behaviour
.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-slow lint format bench openapi container clean

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PORT ?= 8000

help:
	@echo "setup  demo  serve  test  test-slow  lint  format  bench  openapi  container  clean"

setup: $(STAMP)

# The stamp names the files that decide what is installed: an unchanged set-up takes no time.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[demo,dev]"
	touch $@

demo: $(STAMP)
	$(BIN)/python scripts/demo.py $(if $(DEMO_EXIT),--exit,)

# The port comes last, so that PORT=9000 make serve works.
serve: $(STAMP)
	$(BIN)/uvicorn app.main:app --no-access-log --no-server-header --port $(PORT)

test: $(STAMP)
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Accuracy against anomalib's PatchCore on the same images and weights, then the coreset's speed.
# BOTTLE, WEIGHTS and CARTONS name what is at hand; ELPV is installed by the set-up.
bench: $(STAMP)
	$(BIN)/python scripts/prepare_elpv.py --out data/elpv
	$(BIN)/python bench/accuracy.py --elpv data/elpv $(if $(BOTTLE),--bottle $(BOTTLE)) \
		$(if $(CARTONS),--cartons $(CARTONS)) $(if $(WEIGHTS),--weights $(WEIGHTS))

# The committed copy that a test compares with; look at its diff before committing it.
openapi: $(STAMP)
	$(BIN)/python scripts/export_openapi.py

# Builds the Dockerfile with buildah and starts the service inside; needs root and Debian.
container:
	scripts/check_container.sh

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
