# One definition of each check, for people, the commit hook and CI alike. `make` lists the targets
# with what stands behind their ##.
.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-slow lint format bench torture openapi container clean
.PHONY: $(addprefix bench-,data latency precision banks service build coreset memory accuracy looks promise records recording retention reviewing batch page)
# Benches must not run side by side.
.NOTPARALLEL:

# Any Python from 3.11: the first of these that is one. PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell scripts/find_python.sh)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PORT ?= 8000

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## install all into .venv, with any Python from 3.11 (PYTHON=... names one)

# The stamp names the files that decide what is installed: an unchanged set-up takes no time.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || { python="$(PYTHON)"; test -n "$$python" && "$$python" -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[demo,dev]"
	touch $@

demo: $(STAMP) ## the main job on real photos: build, serve, judge, evaluate
	$(BIN)/python scripts/demo.py $(if $(DEMO_EXIT),--exit,)

# The port comes last, so that PORT=9000 make serve works.
serve: $(STAMP) ## the service on this machine (PORT=8000)
	$(BIN)/goodsguard serve --port $(PORT)

test: $(STAMP) ## every fast check of behaviour
	$(BIN)/python -m pytest -m "not slow" -n auto --dist worksteal

test-slow: $(STAMP) ## the checks that take minutes
	$(BIN)/python -m pytest -m slow

lint: $(STAMP) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## mend what of the style can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What is measured in bench/, one after the other, then the page of it all: bench/README.md.
# BOTTLE, WEIGHTS (a ResNet18's) and CARTONS name what is at hand; ELPV is installed by the set-up.
# QUICK=1 tries everything in minutes and writes to reports/bench. SKIP="accuracy service" leaves
# some out; `make bench-latency` runs one alone.
BENCHES := latency precision banks service build coreset memory accuracy looks promise records retention recording reviewing
WITH_WEIGHTS = $(if $(WEIGHTS),--weights $(WEIGHTS))
WITH_ELPV = --data data/elpv --category elpv_mono
TRIAL = $(if $(QUICK),--quick)
TRIALS := reports/bench

bench: $(addprefix bench-,$(filter-out $(SKIP),$(BENCHES))) bench-page ## measure speed, memory and accuracy (hours; QUICK=1: minutes)

bench-data: $(STAMP)
	$(BIN)/python scripts/prepare_elpv.py --out data/elpv

bench-latency bench-precision bench-build: bench-%: bench-data
	$(BIN)/python -m bench.$* $(WITH_ELPV) $(WITH_WEIGHTS) $(TRIAL)

# Needs a GPU, and is not among the others for that.
bench-batch: $(STAMP)
	$(BIN)/python -m bench.batch $(WITH_WEIGHTS) $(TRIAL)

# These two measure one preset: without a ResNet's weights that which brings its own.
bench-banks bench-service: bench-%: bench-data
	$(BIN)/python -m bench.$* $(WITH_ELPV) $(TRIAL) \
		$(if $(WEIGHTS),$(WITH_WEIGHTS),--preset embedded-patch)

bench-coreset: bench-data
	$(if $(WEIGHTS),$(BIN)/python -m bench.coreset --images data/elpv/elpv_mono/train/good \
		--weights $(WEIGHTS) --limit $(if $(QUICK),8 --passes 5 --out $(TRIALS),60),\
		@echo "bench-coreset is left out: it needs WEIGHTS")

bench-memory: $(STAMP)
	$(BIN)/python -m bench.memory $(if $(QUICK),--images 100 --vectors 400 --out $(TRIALS))

# Rows that are there are kept; a first run takes hours, most of them anomalib's. No trial of it.
bench-accuracy: bench-data
	$(if $(QUICK),@true,$(BIN)/python -m bench.accuracy $(SETS) $(WITH_WEIGHTS))

# What drawn damage says of looks, and what a promise is worth: on the presets with ResNet18.
SETS = --elpv data/elpv $(if $(BOTTLE),--bottle $(BOTTLE)) $(if $(CARTONS),--cartons $(CARTONS))

bench-looks: bench-data
	$(if $(QUICK),@true,$(BIN)/python -m bench.looks $(SETS) $(WITH_WEIGHTS) \
		$(if $(WEIGHTS),,--preset embedded-patch))

bench-promise: bench-data
	$(if $(WEIGHTS),$(BIN)/python -m bench.promise $(SETS) $(WITH_WEIGHTS) $(TRIAL),\
		@echo "bench-promise is left out: it needs WEIGHTS")

bench-records bench-retention: bench-%: $(STAMP)
	$(BIN)/python -m bench.$* $(TRIAL)

# What recording costs a busy service, which needs wrk; from a key to the next photo on the page
# Review, which needs Chromium.
bench-recording bench-reviewing: bench-%: bench-data
	$(BIN)/python scripts/build_bank.py $(WITH_ELPV) --preset embedded-patch --models $(TRIALS)/models
	$(BIN)/python -m bench.$* $(WITH_ELPV) --models $(TRIALS)/models $(TRIAL)

bench-page: $(STAMP)
	$(BIN)/python -m bench.page $(if $(QUICK),--results $(TRIALS) --page $(TRIALS)/README.md)

# Attacks and long runs against the real service, hours in all; what they found is written to
# reports/torture. `make -k torture` goes on after one that failed, `make torture-kills` runs one.
TORTURES := hostile_inputs openapi decoding_cost flips kills reloads drain overload soak

torture: $(addprefix torture-,$(TORTURES) summary) ## attacks and long runs against the real service (hours)

torture-%: $(STAMP)
	$(BIN)/python -m tests.torture.$*

# The committed copy that a test compares with; look at its diff before committing it.
openapi: $(STAMP) ## write docs/openapi.json anew
	$(BIN)/python scripts/export_openapi.py

# Builds the Dockerfile with buildah and starts the service inside; needs root and Debian.
container: ## build the image and try the service inside (root, Debian)
	scripts/check_container.sh

clean: ## remove what was installed and built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
