# Every target works on a fresh checkout: it makes the environment that it needs.
PYTHON ?= python3
VENV := .venv
RUNTIME_VENV := .venv-runtime
BIN := $(VENV)/bin
UNPINNED := -m pip --disable-pip-version-check install --quiet
PIP := $(UNPINNED) --constraint constraints.txt
# Files of tests run side by side, one process a core: most tests wait for processes that they start.
PYTEST := -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# Tests of the runtime that need more than a device has; the others run as on a device. These run one
# after the other: Ray takes all cores itself.
WITH_EXTRAS := $(addprefix tests/edge_runtime/,distributed bundle/test_signature.py inputs/test_heif.py web/test_page.py)

# Tests of the runtime that read images with the model in the wheel.
WITH_MODEL := $(addprefix tests/edge_runtime/,bundle cli deployment inference output \
  preprocessing/ink watch web test_errors.py) tests/campaigns/test_attack_files.py

.PHONY: build test test-oldest test-other-seed coverage lint lint-platforms bench page clean

SEED ?= 0
build: $(VENV)/.installed
	$(BIN)/model-build build --force --seed $(SEED)

test: lint $(RUNTIME_VENV)/.installed
	$(BIN)/python $(PYTEST) tests/model_build tests/test_*.py
	$(BIN)/python -m pytest $(WITH_EXTRAS)
	cd $(RUNTIME_VENV) && bin/python $(PYTEST) -c ../pyproject.toml --rootdir .. ../tests/edge_runtime ../tests/campaigns

# No test may depend on the figures of the model in exported/digits: the same with another one, which
# the wheel takes from beside the copy of edge_runtime.
OTHER := build/other-seed
OTHER_SEED ?= 7
test-other-seed: $(VENV)/.installed
	rm -rf $(OTHER)
	mkdir -p $(OTHER)
	$(BIN)/model-build build --epochs 12 --seed $(OTHER_SEED) --output $(OTHER)/exported
	cp -R edge_runtime $(OTHER)/
	$(call install_runtime,$(OTHER)/venv,$(OTHER)/edge_runtime)
	cd $(OTHER)/venv && bin/python $(PYTEST) -c ../../../pyproject.toml --rootdir ../../.. \
	  -p no:cacheprovider $(addprefix ../../../,$(WITH_MODEL))

# Of both packages and the processes that the tests start. Tests that limit or watch what a process
# writes see the measuring as well; their failures do not matter here.
coverage: $(VENV)/.installed
	rm -rf build/coverage
	mkdir -p build/coverage
	-$(BIN)/python -m coverage run -m pytest -q $(or $(TESTS),tests)
	$(BIN)/python -W ignore -m coverage combine --quiet
	$(BIN)/python -W ignore -m coverage json --quiet -o build/coverage/data.json
	$(BIN)/python -m tests.support.coverage_table build/coverage/data.json

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

# The runtime with the oldest libraries that its wheel takes; no warning is let pass.
OLDEST := numpy==2.2.0 onnxruntime==1.20.0 pillow==11.1.0 click==8.1.8
test-oldest:
	$(call install_runtime,build/oldest,edge_runtime,$(OLDEST))
	cd build/oldest && bin/python -W error -m pytest -c ../../pyproject.toml --rootdir ../.. \
	  -p no:cacheprovider ../../tests/edge_runtime ../../tests/campaigns

# Types as the other systems have them: no call that they lack where every user passes.
lint-platforms: $(VENV)/.installed
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin

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

# $(call install_runtime,ENVIRONMENT,SOURCE[,LIBRARIES]): the runtime as a device has it, the wheel and
# what it depends on, no TensorFlow; without LIBRARIES those of constraints.txt.
define install_runtime
rm -rf $(2)/build
$(PYTHON) -m venv --clear $(1)
$(1)/bin/python -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir $(1)/wheel ./$(2)
$(1)/bin/python $(if $(3),$(UNPINNED),$(PIP)) $(1)/wheel/*.whl $(3) pytest pytest-timeout pytest-xdist hypothesis
endef

$(RUNTIME_VENV)/.installed: $(shell find edge_runtime exported/digits -type f -not -path '*egg-info*' -not -path '*/build/*') constraints.txt
	$(call install_runtime,$(RUNTIME_VENV),edge_runtime)
	touch $@

clean:
	rm -rf $(VENV) $(RUNTIME_VENV) build edge_runtime/build
