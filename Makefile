PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --constraint constraints.txt
# One thread for each kernel and test: with more, a busy core makes timings noise, and some cells thirty times as long.
export OMP_NUM_THREADS := 1
# Two processes share the work; a notebook, or a file of tests, is one piece of it. A hanging one is not begun again.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder --durations 20
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=600
# JupyterLab refuses to run as root, which is the usual user inside a container.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# A reader sees README, the library and the notebooks, and not what they are made from.
HIDDEN := __pycache__ *.egg-info source build.py constraints.txt torch-cpu.txt conftest.py
# For example: make lab LAB_OPTIONS="--port 8890 --no-browser"
LAB_OPTIONS ?=
PORT ?= 8000

.PHONY: lab present test test-all test-long site slides live wheels assignments notebooks timings digits bench clean

lab: COPIES := my_notebooks
present: COPIES := my_presentation
present: PRESENT := --present
lab: .venv/course-is-installed    ## open your own copy of the course in JupyterLab
present: .venv/course-is-installed    ## open copies to present from, with no stored answer under a question
lab present:
	@$(BIN)/python -m mvit2_lib.course.setup $(PRESENT)
	$(BIN)/jupyter lab $(AS_ROOT) --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/$(COPIES)/00_start_here.ipynb \
	  $(foreach name,$(HIDDEN),'--ContentsManager.hide_globs=$(name)') $(LAB_OPTIONS)

test: .venv/tests-are-installed    ## check everything: style, layers, library, notebooks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache
	$(PYTEST) $(NBVAL) tests notebooks

test-all: test test-long    ## everything

test-long: .venv/mobile-is-installed docs/node_modules    ## the long forms: real kills, time-outs, several processes, cells run again, false alarms
	$(PYTEST) --dist worksteal -m slow tests
	$(BIN)/python tests/false_alarms.py --idle 0 --busy 1

wheels: .venv/course-is-installed    ## fill wheels/, from which a room without a network installs
	mkdir -p wheels
	$(BIN)/python -m pip freeze --exclude-editable | grep -v '^torch==' > wheels/list.txt
	$(BIN)/python -m pip download --no-deps --dest wheels --requirement torch-cpu.txt
	$(BIN)/python -m pip download --no-deps --dest wheels --requirement wheels/list.txt 'setuptools>=77'

site: .venv/docs-are-installed docs/node_modules    ## the web site, into build/site
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -d build/doctrees docs build/site

slides: .venv/docs-are-installed docs/node_modules    ## one deck for each notebook and one of ninety minutes, into build/slides
	$(BIN)/python docs/slides.py build/slides

live: site    ## the web site for phones in the same network, with a QR code of the live page; PORT=8000
	$(BIN)/python docs/live_page.py build/site --port $(PORT)

assignments: .venv/tests-are-installed    ## the exercises as a course folder for nbgrader, into build/assignments
	$(BIN)/python notebooks/assignments.py build/assignments

notebooks: .venv/tests-are-installed    ## for authors: regenerate and execute the notebooks, and redraw figures/
	$(BIN)/python notebooks/build.py

timings: .venv/tests-are-installed    ## measure the timing figure again, on this machine, and redraw it
	$(BIN)/python -m mvit2_lib.course.timing figures/quadratic_vs_linear.json
	$(BIN)/python notebooks/build.py --figures

digits: .venv/tests-are-installed    ## train the shipped digit model again (about two minutes)
	$(BIN)/python -m mvit2_lib.course.digits

bench: .venv/mobile-is-installed    ## measure all forms of the model beside timm's, on a quiet machine (an hour)
	$(BIN)/python tests/bench/speed.py
	$(BIN)/python tests/bench/phone.py

clean:    ## remove the environment and all caches, and nothing of yours
	rm -rf .venv build docs/node_modules docs/notebooks docs/map.md *.egg-info .pytest_cache .ruff_cache
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

.venv/course-is-installed: pyproject.toml constraints.txt torch-cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "The course needs Python 3.10 or newer, and $(PYTHON) is " + sys.version.split()[0] + ": make lab PYTHON=python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --no-deps --requirement torch-cpu.txt
	$(INSTALL) --editable '.[course]'
	touch $@

.venv/tests-are-installed: .venv/course-is-installed
	$(INSTALL) --editable '.[course,deploy,keras,references,authors]'
	touch $@

.venv/docs-are-installed: .venv/course-is-installed
	$(INSTALL) --editable '.[course,deploy,keras,docs]'
	touch $@

docs/node_modules: docs/package-lock.json
	npm ci --prefix docs --no-fund --no-audit --ignore-scripts
	touch $@

.venv/mobile-is-installed: .venv/tests-are-installed
	$(INSTALL) --editable '.[course,deploy,keras,references,authors,mobile,backends,teaching,docs]'
	touch $@
