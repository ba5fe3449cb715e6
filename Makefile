# Every command of this project. `make help` lists them.
# Environments are built in local folders: .tools (uv, where the machine has none), .venv, .venv-demo without development tools,
# and .venv-release with those of a release; nothing else is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DEMO := .venv-demo
RELEASE := .venv-release
# One dot a second while the rest of a recipe line runs.
DOTS = (while sleep 1 >/dev/null 2>&1; do printf .; done) & dots=$$!; trap 'kill $$dots; echo' EXIT;
PYTEST_ARGS ?=
# Many tests wait for processes of their own: the cores have time for twice as many.
TESTS_AT_ONCE = $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')

# A company's own certificate authority sits in the system's store: uv is told to look there (older and newer name).
export UV_SYSTEM_CERTS := 1
export UV_NATIVE_TLS := 1
export UV_LINK_MODE := copy
# Without bytecode each process would compile every module anew, which takes longer than most commands.
unexport PYTHONDONTWRITEBYTECODE

UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN_UV := $(if $(filter .tools/bin/uv,$(UV)),PYTHONPATH=.tools) $(UV)

.DEFAULT_GOAL := help
.PHONY: help setup demo stack stack-stop hostile fuzz audio-fuzz clients test unit coverage release docs chaos proof check wording format bench lock clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## build the environment (every other command does so by itself)

.tools/bin/uv:
	@echo "Fetching uv into .tools (this machine has none)"
	@$(PYTHON) -m pip install --progress-bar off --disable-pip-version-check --no-warn-script-location --root-user-action=ignore --target .tools uv

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ttsq needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }

$(STAMP): requirements.txt pyproject.toml | python $(filter .tools/bin/uv,$(UV))
	@echo "Installing the packages of $< into $(VENV)"
	@$(RUN_UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@$(RUN_UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes $<
	@$(RUN_UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -m compileall -q api_models worker migrations
	@touch $@

$(DEMO)/.ready: requirements-runtime.txt | python $(filter .tools/bin/uv,$(UV))
	@echo "Installing the $$(grep -c == $<) packages of $< into $(DEMO)"
	@$(RUN_UV) venv --quiet --allow-existing --python $(PYTHON) $(DEMO)
	@$(DOTS) $(RUN_UV) pip sync --quiet --python $(DEMO)/bin/python --require-hashes $<
	@$(RUN_UV) pip install --quiet --python $(DEMO)/bin/python --no-deps --editable .
	@echo "Compiling what a run imports"
	@$(DOTS) $(DEMO)/bin/python -c 'import worker.cli.run.command, worker.emulator.server'
	@touch $@

demo: $(DEMO)/.ready ## speak a sample file with no key, no server, no Docker
	@$(DEMO)/bin/python -m worker.cli run examples/welcome.csv --rehearse --out audio/welcome

stack: $(STAMP) ## the production shape without Docker: PostgreSQL, Valkey, S3, emulator, two workers, gateway; Ctrl-C ends it
	@$(BIN)/python -m tests.stack

stack-stop: $(STAMP) ## end the stack that runs in this folder
	@$(BIN)/python -m tests.stack stop

test: $(STAMP) ## run the whole test suite; real servers are started by it
	@$(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist worksteal $(PYTEST_ARGS)

unit: $(STAMP) ## run the unit tests alone
	@$(BIN)/python -m pytest -q -n $(TESTS_AT_ONCE) --dist worksteal tests/unit $(PYTEST_ARGS)

coverage: $(STAMP) ## run the unit tests and report which lines they reach; no threshold
	@$(BIN)/python -m pytest -q -n $(TESTS_AT_ONCE) --dist worksteal --cov=worker --cov=api_models --cov-report=term:skip-covered tests/unit $(PYTEST_ARGS)

$(RELEASE)/.ready: requirements-release.txt | python $(filter .tools/bin/uv,$(UV))
	@$(RUN_UV) venv --quiet --allow-existing --python $(PYTHON) $(RELEASE)
	@$(RUN_UV) pip sync --quiet --python $(RELEASE)/bin/python --require-hashes $<
	@touch $@

release: $(STAMP) $(RELEASE)/.ready ## build wheel and sdist of ttsq and of its client into dist/, twice, compare the bytes and check them
	@rm -rf dist && mkdir -p dist/again
	@for project in . clients/python; do for folder in dist dist/again; do \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(RUN_UV) build --quiet --python $(BIN)/python --out-dir $$folder $$project || exit 1; \
	done; done
	@for file in dist/*.whl dist/*.tar.gz; do cmp "$$file" "dist/again/$$(basename "$$file")" || exit 1; done
	@rm -r dist/again
	@$(RELEASE)/bin/python -m twine check --strict dist/*
	@for wheel in dist/*.whl; do $(RELEASE)/bin/check-wheel-contents $$wheel || exit 1; done
	@ls -l dist

docs: $(STAMP) ## build the documentation's site in .docs/html, without a network; its search needs no server
	@$(BIN)/python -m tests.site .docs/html

chaos: $(STAMP) ## hurt a real cluster at random for MINUTES (2), and see that nothing is lost; SEED repeats a plan
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),2) $(if $(SEED),--seed $(SEED))

proof: $(STAMP) ## a million jobs, EXAMPLES (2000) random histories of the store, and other examples for all properties
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=random $(PYTEST_ARGS)
	@PLAN_ROWS=1000000 STORE_MACHINE_EXAMPLES=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest tests/integration/store/test_plans_at_scale.py tests/integration/store/test_machine.py $(PYTEST_ARGS)
	@THOROUGH=1 $(BIN)/python -m pytest tests/integration/audio/test_takes.py tests/unit/dispatch/test_late_ticks.py tests/integration/store/test_machine.py tests/unit/documents/test_readers.py tests/e2e/test_installed.py $(PYTEST_ARGS)
	@OWNERSHIP_MACHINE_EXAMPLES=$(or $(OWNERSHIP_EXAMPLES),5000) $(BIN)/python -m pytest tests/integration/artifacts/test_ownership_machine.py $(PYTEST_ARGS)

hostile: $(STAMP) ## set every HTTP client before hostile servers, EXCHANGES (50000) with each
	@EXCHANGES=$(or $(EXCHANGES),50000) $(BIN)/python -m pytest -q -s --hypothesis-profile=random tests/hostile $(PYTEST_ARGS)

fuzz: $(STAMP) ## send 10,000 requests made from the API's description, good and bad, to a running gateway
	@FUZZ_EXAMPLES=330 $(BIN)/python -m pytest -q -s tests/integration/gateway/test_schema.py

audio-fuzz: $(STAMP) ## take CONTAINERS (5000) damaged audio files through a worker; SEED chooses others
	@AUDIO_FUZZ=$(or $(CONTAINERS),5000) $(if $(SEED),AUDIO_FUZZ_SEED=$(SEED)) $(BIN)/python -m pytest -q -s -p no:logging tests/integration/execution/test_audio_fuzz.py

clients: $(STAMP) ## try the gateway with other people's clients: LiteLLM, LangChain, OpenAI's SDKs, the AI SDK
	@$(BIN)/python -m tests.clients.environment
	@$(BIN)/python -m pytest -q tests/e2e/clients $(PYTEST_ARGS)

# B608 asks what ruff's S608 asks, which is answered on the line.
check: $(STAMP) ## lint, types, import rules, dependencies, security
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/deptry --no-ansi .
	@$(BIN)/python -m tests.wording
	@$(BIN)/bandit --quiet --recursive --severity-level medium --skip B608 api_models worker migrations clients/python/src

wording: $(STAMP) ## list phrases that are not plain technical English
	@$(BIN)/python -m tests.wording

format: $(STAMP) ## format the code and mend what can be mended by itself
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

bench: $(STAMP) ## measure everything, or BENCH="NAME …": a table, a plot and the figures of each
	@$(BIN)/python -m benchmarks $(BENCH)

lock: | $(filter .tools/bin/uv,$(UV)) ## choose the newest versions anew and write the requirements files
	@rm -f uv.lock
	@$(RUN_UV) lock --quiet --python $(PYTHON)
	@$(RUN_UV) export --quiet --python $(PYTHON) --only-group release --no-emit-project --no-header --no-annotate --format requirements.txt --output-file requirements-release.txt
	@$(RUN_UV) export --quiet --python $(PYTHON) --group dev --group docs --all-extras --no-emit-project --no-header --no-annotate --format requirements.txt --output-file requirements.txt
	@$(RUN_UV) export --quiet --python $(PYTHON) --no-dev --no-emit-project --no-header --no-annotate --format requirements.txt --output-file requirements-runtime.txt
	@rm -f uv.lock

clean: ## remove the environment and all caches
	@rm -rf $(VENV) $(DEMO) $(RELEASE) .docs .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
