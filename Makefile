PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --constraint constraints.txt
# Two processes share the work; a notebook is one piece of it.
PYTEST := $(BIN)/python -m pytest --numprocesses 2
NBVAL := $(PYTEST) --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout=600
# JupyterLab refuses to run as root, which is the usual user inside a container.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab test false-alarms notebooks timings digits bench clean

lab: .venv/course-is-installed    ## open the course in JupyterLab
	$(BIN)/jupyter lab $(AS_ROOT) notebooks/00_start_here.ipynb

test: .venv/tests-are-installed    ## check everything: style, library, notebooks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(PYTEST)
	$(NBVAL) notebooks

false-alarms: .venv/tests-are-installed    ## run the timing notebook three times idle and three times on busy cores
	$(BIN)/python tests/false_alarms.py

notebooks: .venv/tests-are-installed    ## regenerate and execute the notebooks, and redraw figures/
	$(BIN)/python notebooks/build.py

timings: .venv/tests-are-installed    ## measure the timing figure again, on this machine, and redraw it
	OMP_NUM_THREADS=1 $(BIN)/python -m mvit2_lib.timing figures/quadratic_vs_linear.json
	$(BIN)/python notebooks/build.py --figures

digits: .venv/tests-are-installed    ## train the shipped digit model again (about two minutes)
	$(BIN)/python -m mvit2_lib.training

bench: .venv/tests-are-installed    ## compare speed and memory with timm
	OMP_NUM_THREADS=1 $(BIN)/python tests/bench/against_timm.py

clean:    ## remove the environment and all caches
	rm -rf .venv *.egg-info .pytest_cache .ruff_cache
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

.venv/course-is-installed: pyproject.toml constraints.txt torch-cpu.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --no-deps --requirement torch-cpu.txt
	$(INSTALL) --editable .
	touch $@

.venv/tests-are-installed: .venv/course-is-installed
	$(INSTALL) --editable '.[authors,references]'
	touch $@
