# Two commands do everything:
#   make quickstart   builds a dataset from dummy_data, and a page and a picture of it
#   make test         checks and tests
# `make docs` builds the site. Longer ones: make test-slow, test-exhaustive, test-minimal, test-torch,
# test-lowest (minutes), make examples, faults (hours; see docs/examples.md, docs/reliability.md). All
# make the environment they need, in .venv, with the python3 on the PATH (or PYTHON=...).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG := breakout_expert_v0
OUT := quickstart
MINIMAL := $(VENV)-minimal
LOWEST := $(VENV)-lowest
TORCH := $(VENV)-torch
EXAMPLES := examples-out
FRESH := $(VENV)-fresh
PYTHONS := 3.10 3.13
# Installs in a quarter of the time that pip takes. It trusts whom the system trusts, and compiles
# bytecode, both as pip does.
UV := $(BIN)/uv
export UV_SYSTEM_CERTS := 1
export UV_COMPILE_BYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TF_CPP_MIN_LOG_LEVEL := 2

.PHONY: quickstart test test-slow test-exhaustive test-minimal test-torch test-lowest docs dist test-dist examples faults \
	check format clean

quickstart: $(VENV)/installed
	@mkdir -p $(OUT)
	@echo "tfds build atari_replay/$(CONFIG) (what it prints is in $(OUT)/build.log)"
	@$(BIN)/tfds build atari_replay/$(CONFIG) --imports=tfds_atari_replay --manual_dir=dummy_data \
		--data_dir=$(OUT)/data --overwrite >$(OUT)/build.log 2>&1 || { cat $(OUT)/build.log; exit 1; }
	@echo "atari-replay show $(CONFIG)"
	@$(BIN)/atari-replay show $(CONFIG) --data_dir=$(OUT)/data --out=$(OUT)/episode.png
	@echo "atari-replay preview $(CONFIG)"
	@$(BIN)/atari-replay preview $(CONFIG) --data_dir=$(OUT)/data --out=$(OUT)/preview
	@echo "Next: source $(BIN)/activate; look at $(OUT)/preview/index.html; run README's first Python code."

test: check
	@$(BIN)/python -m pytest

test-slow: $(VENV)/installed-for-tests
	@$(BIN)/python -m pytest -m 'slow and not exhaustive'

test-exhaustive: $(VENV)/installed-for-tests
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -m 'exhaustive or hypothesis'

# In environments of their own: one with nothing but what reading needs, one with the lowest versions
# of all dependencies that setup.py allows.
test-minimal: $(VENV)/installed
	@$(UV) venv -q --clear --python $(BIN)/python $(MINIMAL)
	@$(UV) pip install -q --python $(MINIMAL) .
	@$(MINIMAL)/bin/python tests/minimal.py $(MINIMAL)/data

# PyTorch's wheels are large, so it has an environment of its own, without TensorFlow.
test-torch: $(TORCH)/installed
	@$(TORCH)/bin/python -m pytest -n 0 -m 'slow or not slow' tests/replay/test_torch.py tests/envs/test_neighbours.py tests/test_examples_torch.py

test-lowest: $(VENV)/installed
	@$(UV) venv -q --clear --python $(BIN)/python $(LOWEST)
	@$(UV) pip install -q --python $(LOWEST) --resolution=lowest-direct '.[all]'
	@$(LOWEST)/bin/tfds build atari_replay/$(CONFIG) --imports=tfds_atari_replay \
		--manual_dir=dummy_data --data_dir=$(LOWEST)/data
	@$(LOWEST)/bin/atari-replay show $(CONFIG) --data_dir=$(LOWEST)/data --out=$(LOWEST)/episode.png
	@$(LOWEST)/bin/atari-replay preview $(CONFIG) --data_dir=$(LOWEST)/data --out=$(LOWEST)/preview

docs: $(VENV)/installed
	@$(UV) pip install -q --python $(BIN)/python --editable '.[all,docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "Open site/index.html. Its search needs a server: python3 -m http.server --directory site"

# A wheel and an sdist.
dist: $(VENV)/installed
	@rm -rf dist build *.egg-info && $(UV) build -q
	@cd dist && sha256sum *.whl *.tar.gz

# Installs both where nothing else is, and builds a dataset from the logs that come with them.
test-dist: dist
	@for python in $(PYTHONS); do for file in dist/*.whl dist/*.tar.gz; do \
		echo "$$python, $$file" && rm -rf $(FRESH) && \
		$(UV) venv -q --python $$python $(FRESH) && \
		$(UV) pip install -q --python $(FRESH) "$$file[all]" && \
		(cd $(FRESH) && bin/tfds build atari_replay/$(CONFIG) --imports=tfds_atari_replay --data_dir=data \
		--manual_dir=$$(echo lib/python*/site-packages/tfds_atari_replay/dummy_data) >build.log 2>&1 || \
		{ cat build.log; exit 1; } && \
		bin/atari-replay preview $(CONFIG) --data_dir=data --out=preview) || exit 1; done; done

# Records logs, builds datasets, runs all examples with three seeds each, and prints what they scored.
examples: $(VENV)/installed-for-tests $(TORCH)/installed
	for game in breakout pong; do \
		$(BIN)/python examples/record_improving.py $$game --out=$(EXAMPLES)/logs && \
		for checkpoint in 1 5 10; do \
			$(BIN)/tfds build tfds_atari_replay/atari_replay --config=$${game}_epoch_$${checkpoint}_v0 \
				--manual_dir=$(EXAMPLES)/logs --data_dir=$(EXAMPLES)/data || exit 1; \
		done || exit 1; \
	done
	$(BIN)/python examples/run_all.py behaviour_cloning dqn \
		--data_dir=$(EXAMPLES)/data --out=$(EXAMPLES)/results
	$(TORCH)/bin/python examples/run_all.py dqn_torch decision_transformer \
		--data_dir=$(EXAMPLES)/data --out=$(EXAMPLES)/results
	$(BIN)/python examples/report.py $(EXAMPLES)/results

faults: $(VENV)/installed-for-tests
	PYTHONPATH=tests $(BIN)/python -m faults.fuzz
	PYTHONPATH=tests $(BIN)/python -m faults.disk
	PYTHONPATH=tests $(BIN)/python -m faults.disk --limits
	PYTHONPATH=tests $(BIN)/python -m faults.kill

check: $(VENV)/installed-for-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed-for-tests
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(MINIMAL) $(LOWEST) $(TORCH) $(FRESH) $(OUT) $(EXAMPLES) build dist site *.egg-info

$(VENV)/installed: setup.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Needs Python 3.10 to 3.13, got $$($(PYTHON) --version). Try make PYTHON=python3.12"; exit 1; }
	@echo "Installing into $(VENV); TensorFlow is large, this takes a minute or two."
	@$(PYTHON) -m venv $(VENV) || { echo "No venv module. On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install -qq uv
	@$(UV) pip install -q --python $(BIN)/python --editable '.[all]'
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	@echo "Installing what tests need."
	@$(UV) pip install -q --python $(BIN)/python --editable '.[all,test]'
	@# The oracle. Its own requirements (JAX, Flax, old gym) are not needed for its replay buffer.
	@$(UV) pip install -q --python $(BIN)/python --no-deps dopamine-rl==4.1.2
	@# The old emulator. Its last wheel is for Python 3.7 on Linux, but works on any, unpacked; else
	@# build it. Without it, what needs it is skipped.
	@case "$$(uname -sm)" in \
	"Linux x86_64") $(BIN)/pip install -qq --no-deps --only-binary=:all: --python-version 37 \
		--platform manylinux1_x86_64 --target $$($(BIN)/python -c \
		'import sysconfig; print(sysconfig.get_path("platlib"))') --upgrade atari-py==0.2.5;; \
	*) false;; esac || $(BIN)/pip install -qq '.[legacy]' || \
		echo "No atari-py: it has no wheel for $$(uname -sm) and could not be built."
	@touch $@

$(TORCH)/installed: setup.py
	@$(PYTHON) -m venv $(TORCH)
	@$(TORCH)/bin/pip install -qq --editable '.[envs,gym,preview]' torch==2.13.0 \
		pytest pytest-xdist hypothesis
	@# d3rlpy asks for an older gymnasium, which the docs' code of it does not use. So without it, what
	@# else d3rlpy needs.
	@$(TORCH)/bin/pip install -qq click colorama dataclasses-json h5py scikit-learn structlog
	@$(TORCH)/bin/pip install -qq --no-deps d3rlpy==2.8.1
	@# Neighbours, to and from which docs/neighbours.md has ways.
	@$(TORCH)/bin/pip install -qq 'minari[create]==0.5.4' stable-baselines3==2.9.2 \
		datasets==5.2.0 tensordict==0.15.3
	@touch $@
