# `make table` and `make test` set up .venv and do everything a new user needs; the rest is plain snakemake.

PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
BIN := .venv/bin

.PHONY: table test test-labels test-slow test-slurm test-lowest coverage gpu-check check docs site pictures requirements clean

table: .venv/ready
	$(BIN)/snakemake --cores $(CORES)

# Two test files at a time, each from its first to its last test: some share a finished run of the workflow.
test: .venv/ready check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10

# Labels of clips, from files to tables, without the workflow: minutes.
test-labels: .venv/ready
	$(BIN)/python -m pytest tests/predict tests/cli tests/videos

# An hour of video, and real clips through training to the table where they lie beside the checkout.
test-slow: .venv/ready
	$(BIN)/python -m pytest -m slow

# A real SLURM on this machine, installed from Debian's packages if it is not there (as root).
test-slurm: .venv/ready
	$(BIN)/python -m tests.helpers.slurm_cluster install
	$(BIN)/python -m pytest -m slurm --durations=5 tests/workflow/test_slurm.py

# The tiny workflow with the lowest versions that pyproject.toml states, in an environment of its own (7 GB, a network).
test-lowest: .venv/ready
	$(BIN)/python -m tests.lowest_versions

# How often the intervals over test videos hold the truth, by simulation: what docs/coverage.csv has, in minutes.
coverage: .venv/ready
	$(BIN)/python -m perf.coverage

# On a machine with an NVIDIA GPU, in ten minutes and without a network: docs/gpu.md. A Python that has the packages
# already is named by PYTHON=…, on the command line.
ifeq ($(origin PYTHON), command line)
gpu-check: GPU_PYTHON := $(PYTHON)
else
gpu-check: GPU_PYTHON := $(BIN)/python
gpu-check: .venv/ready
endif
gpu-check:
	$(GPU_PYTHON) -m pytest -m gpu -rs tests/test_gpu.py; passed=$$?; $(GPU_PYTHON) -m perf.gpu && exit $$passed

# Seconds: format, lint, types, generated files, without running the workflow.
check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

# The installed packages, made anew when the pinned list changes. With TORCH=cpu, PyTorch comes without CUDA, which is two
# thirds of all: uv knows where PyTorch keeps that build, whose files have no checksums in the list.
.venv/ready: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=…")'
	$(PYTHON) -m venv .venv
ifeq ($(TORCH),cpu)
	awk '/^[^ ]/ {cuda = /^(torch|torchvision|triton|nvidia-.*|cuda-.*)==/} !cuda' requirements.txt > .venv/others.txt
	$(BIN)/pip install --quiet --require-hashes --no-deps -r .venv/others.txt
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip install --quiet --torch-backend cpu $$(grep -oE '^(torch|torchvision)==[0-9.]+' requirements.txt)
else
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
endif
	touch $@

# Files generated from the config model and the records of methods.
docs: .venv/ready
	$(BIN)/python -m tools.generate schema > configs/schema.json
	$(BIN)/python -m tools.generate docs > docs/config.md
	$(BIN)/python -m tools.generate methods
	$(BIN)/python -m tools.generate timm
	$(BIN)/python -m fsar records schema > configs/records.schema.json

# The site of the documents, in site/: opens without a server. Its packages come first (100 MB, a network).
site: .venv/ready
	$(BIN)/pip install --quiet ".[docs]"
	$(BIN)/python -m mkdocs build --strict

# The README's pictures, from the results of `make table`.
pictures: .venv/ready
	$(BIN)/python -m tools.pictures

# Pin the newest versions that pyproject.toml allows, one for all platforms, and ask whether each has files of them (needs
# uv).
requirements:
	uv pip compile --quiet --upgrade --universal --extra dev --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate -o requirements.txt pyproject.toml
	$(PYTHON) -m tools.platforms

clean:
	rm -rf data results logs .snakemake
