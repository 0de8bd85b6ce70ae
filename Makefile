# make reproduce   both models in a small size on rendered cars: a table and pictures, in minutes
# make demo        the small U-Net on a page in the browser, for photographs of one's own
# make test        format, lint, unit tests, notebooks
# Each sets up what it needs. Another Python: make PYTHON=python3.12 test

PYTHON ?= python3
BIN := .venv/bin
# Whole files for each worker, the longest first, so that both end at one time.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder
TESTS := tests/protocol tests/training tests/cli notebooks tests
NBVAL := --ignore=notebooks/exercises --nbval-current-env --nbval-sanitize-with=tests/nbval.cfg --nbval-cell-timeout=1800

# Where this is set, as in many containers, TensorFlow would be compiled at each import: 11 s for 5.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: reproduce demo test test-platforms test-jax notebooks site lock

reproduce: .venv/installed
	$(BIN)/python -m unet_tf reproduce

# The U-Net of `make reproduce`, which this goes on with; a run's record is the last that it writes.
UNET := runs/reproduce/article_unet-corrected/seed0
PORT ?= 8000
demo: .venv/demo $(UNET)/result.json
	$(BIN)/python -m unet_tf demo $(UNET)/best.keras --port $(PORT) --open

$(UNET)/result.json: | .venv/installed
	$(BIN)/python -m unet_tf reproduce --recipe article_unet

.venv/demo: requirements-demo.txt | .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The notebooks are compared on rendered data, whatever $UNET_DATA and notebooks/data hold.
RENDERED = UNET_DATA="$$($(1)/python -c 'from unet_tf import rendered; print(rendered.write("cars"))')"

# One pytest run over unit tests and notebooks, so that its summary is the last thing printed;
# two workers, each with whole files (a notebook's cells need one another).
test: .venv/installed
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(call RENDERED,$(BIN)) $(BIN)/python -m pytest -q $(WORKERS) --nbval $(NBVAL) $(TESTS)

# The exact tested versions, and this project in editable mode. Python compiles what is imported,
# when it is: pip would compile all 15,000 files.
.venv/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing the tested versions into .venv (3 GB, once)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements.lock -e .
	@touch $@

# What Colab and Kaggle ship (August 2026): Python 3.12 or 3.13, these versions.
PLATFORMS := tensorflow==2.20.0 keras==3.13.2 numpy==2.0.2 kaggle==2.0.2
test-platforms: .venv-platforms/installed
	$(call RENDERED,.venv-platforms/bin) .venv-platforms/bin/python -m pytest -q $(WORKERS) --nbval-lax $(NBVAL) $(TESTS)

.venv-platforms/installed: requirements.txt
	$(PYTHON) -m venv .venv-platforms
	.venv-platforms/bin/python -m pip install --quiet -r requirements.txt $(PLATFORMS) -e .
	@touch $@

# What trains and predicts, with Keras on JAX, to which tf.data feeds: the same tests.
test-jax: .venv-jax/installed
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest -q tests/network tests/predict/test_saved.py \
	  $(addprefix tests/training/test_,checkpoint.py fitting.py backends.py) \
	  $(addprefix tests/protocol/test_,runs_of_recipes.py class_runs.py)

.venv-jax/installed: requirements.lock
	$(PYTHON) -m venv .venv-jax
	.venv-jax/bin/python -m pip install --quiet --no-compile -r requirements.lock jax -e .
	@touch $@

# Rebuild the executed notebooks from notebooks/py.
notebooks: .venv/installed
	$(BIN)/python notebooks/refresh.py

# The course as static pages, from the committed outputs; a link to nothing is an error.
site: .venv-site/installed
	.venv-site/bin/sphinx-build -q -W --keep-going -c site notebooks site/_build/html
	@echo "Open site/_build/html/index.html"

.venv-site/installed: site/requirements.txt
	$(PYTHON) -m venv .venv-site
	.venv-site/bin/python -m pip install --quiet -r site/requirements.txt
	@touch $@

# One file for Python 3.11 to 3.13, with markers. Wants uv on the path.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url \
	  --upgrade requirements.txt -o requirements.lock
