# Every target works on a fresh checkout: it makes the environment that it needs.
PYTHON ?= python3
VENV := .venv
RUNTIME_VENV := .venv-runtime
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# Tests of the runtime that need more than a device has; the others run as on a device.
WITH_EXTRAS := $(addprefix tests/edge_runtime/,distributed bundle/test_signature.py web/test_page.py)

.PHONY: build test lint bench page clean

build: $(VENV)/.installed
	$(BIN)/model-build build --force

test: lint $(RUNTIME_VENV)/.installed
	$(BIN)/python -m pytest tests/model_build tests/test_*.py
	$(BIN)/python -m pytest $(WITH_EXTRAS)
	cd $(RUNTIME_VENV) && bin/python -m pytest -c ../pyproject.toml --rootdir .. ../tests/edge_runtime ../tests/campaigns

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

# ARGS="--quick" tries it; ARGS="--help" says what else there is.
bench: $(VENV)/.installed
	$(BIN)/python $(PIP) --editable '.[bench]'
	$(BIN)/python -m benchmarks $(ARGS)

# A folder for any web server, build/page; and onnxruntime-web where `edge-runtime demo`, and a wheel
# that is built then, find it.
PAGE := edge_runtime/src/edge_runtime/web/static
page: $(VENV)/.installed
	rm -rf build/npm build/page $(PAGE)/onnxruntime-web
	mkdir -p build/npm
	cp $(PAGE)/package.json build/npm/
	npm install --prefix build/npm --ignore-scripts --no-package-lock --no-audit --no-fund --silent
	cd build/npm && ../../$(BIN)/edge-runtime demo --export ../page
	cp -r build/page/onnxruntime-web $(PAGE)/

$(VENV)/.installed: pyproject.toml edge_runtime/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --editable edge_runtime --editable '.[dev]'
	touch $@

# The runtime as a device has it: the wheel and what it depends on, no TensorFlow.
$(RUNTIME_VENV)/.installed: $(shell find edge_runtime exported/digits -type f -not -path '*egg-info*' -not -path '*/build/*') constraints.txt
	rm -rf edge_runtime/build
	$(PYTHON) -m venv --clear $(RUNTIME_VENV)
	$(RUNTIME_VENV)/bin/python -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir $(RUNTIME_VENV)/wheel ./edge_runtime
	$(RUNTIME_VENV)/bin/python $(PIP) $(RUNTIME_VENV)/wheel/*.whl pytest hypothesis
	touch $@

clean:
	rm -rf $(VENV) $(RUNTIME_VENV) build edge_runtime/build
