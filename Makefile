# Each target sets up what it needs in .venv first; nothing is installed outside this folder,
# and one downloaded file is kept in ~/.cache/fieldpost for the next checkout.
#
#   make demo    a node, a broker and an outage, in front of your eyes; DEMO="--page" in a browser, too
#   make test    the test suite
#   make proof   the longer tests: the emulated board, real images, cables pulled
#   make soak    thousands of simulated node-days of faults; SOAK="--minutes 30" for longer
#   make reliability   break connections, brokers and power at every byte; docs/reliability.md
#   make collect   readings in a second into SQLite and PostgreSQL, memory, and SIGKILL; docs/collect.md
#   make mutants   change the core one place at a time: does a test notice? MUTANTS="--each 100" for more
#   make bench   against umqtt.simple and others; BENCH="--quick" for less
#   make brokers   against the brokers of others, fetched into ~/.cache/fieldpost/brokers;
#                docs/brokers.md, or BROKERS="--only nats rabbitmq" for build/brokers.json
#   make scale   thousands of nodes at a cluster of which parts fail, in network namespaces: needs root;
#                SCALE="--only rabbitmq --nodes 1000 --quick" for less; docs/scale.md
#   make home-assistant   install the Home Assistant that a test of `make proof` asks, 600 MB in
#                ~/.cache/fieldpost; it needs Python 3.13: PYTHON=python3.13
#   make check   ruff, the type check against the boards, and the layers: arrows go down
#   make generate   after a new module, key or sensor type: write all files that are made from others
#   make lock    after changing a pin in pyproject.toml: write the requirement files anew
#   make release   build what a release would be and say what it lacks; RELEASE=yes sets the tag
#
# PYTHON=…  which interpreter .venv is made with.   UMQTT=FILE  a copy of umqtt.simple to use.
# TESTS=…   what `make test` hands on to pytest, such as TESTS="-k outbox -x".

VENV := .venv
BIN := $(VENV)/bin
# Where it is set, each of the processes that tests start would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
OFFLINE := "Set-up needs a package registry, once. Offline, point pip at a folder of wheels: PIP_NO_INDEX=1 PIP_FIND_LINKS=DIR make …"

.PHONY: generate demo test proof long soak reliability collect bench brokers scale home-assistant check lint format types layers setup setup-dev lock release clean
.DEFAULT_GOAL := demo

# What is in .venv names the folder that it was made in, and works in no other.
ifneq ($(shell [ -f $(BIN)/fieldpost ] && ! grep -qF "$$(pwd -P)/$(BIN)/python" $(BIN)/fieldpost && echo moved),)
$(info This folder has been moved or copied, and $(VENV) with it: it is made anew.)
$(shell rm -rf $(VENV))
endif

demo: setup
	@$(BIN)/fieldpost demo $(DEMO)

test: setup-dev
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(TESTS)

proof: setup-dev
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --durations 25 \
		-m "slow and not long" $(TESTS)

# What takes minutes each: before a release, not at each change.
long: setup-dev
	@$(BIN)/python -m pytest -m long $(TESTS)

soak: setup-dev
	@$(BIN)/python host_tests/simulation/soak.py $(SOAK)

collect: setup-dev
	@PYTHONPATH=tools $(BIN)/python host_tests/collect_measured.py $(COLLECT)

reliability: setup-dev
	@$(BIN)/python host_tests/reliability.py

mutants: setup-dev
	@$(BIN)/python host_tests/mutants.py $(MUTANTS)

bench: setup-dev
	@PYTHONPATH=tools $(BIN)/python -m benchmarks $(BENCH)

brokers: setup
	@PYTHONPATH=tools $(BIN)/python -m brokers $(BROKERS)

# No part of .venv: it needs another Python, and pins hundreds of packages of its own.
HOME_ASSISTANT := $(or $(FIELDPOST_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fieldpost)/home-assistant/venv
home-assistant:
	@$(or $(PYTHON),python3.13) -m venv $(HOME_ASSISTANT)
	@$(HOME_ASSISTANT)/bin/python -m pip --disable-pip-version-check --quiet install \
	    --requirement host_tests/rigs/home_assistant_requirements.txt

scale: setup-dev
	@PYTHONPATH=tools $(BIN)/python -m scale $(SCALE)

generate: setup
	@PYTHONPATH=tools $(BIN)/python -m fieldpost.generate

# With -k, make tells of all four.
check: lint format types layers

lint: setup-dev
	$(BIN)/ruff check .

format: setup-dev
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/python tools/typecheck.py

# Which module may import which: the contracts in pyproject.toml.
layers: setup-dev
	PYTHONPATH=.:lib:tools $(BIN)/lint-imports --no-logo --no-cache

setup: $(VENV)/.fieldpost-setup lib/umqtt/simple.py
setup-dev: $(VENV)/.fieldpost-setup-dev lib/umqtt/simple.py

$(BIN)/python:
	@python=$(PYTHON); for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	    [ -n "$$python" ] && break; \
	    $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	        && python=$$p; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "Python 3.11 or newer with its venv module is needed: on Debian and Ubuntu, 'apt install python3 python3-venv'." >&2; \
	    exit 1; \
	fi; \
	$$python -m venv $(VENV)

$(VENV)/.fieldpost-setup: tools/requirements.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) (half a minute, once) …"
	@$(PIP) --require-hashes --no-deps -r tools/requirements.txt || { echo $(OFFLINE) >&2; exit 1; }
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python tools/launcher.py $(BIN)/fieldpost
	@touch $@

$(VENV)/.fieldpost-setup-dev: tools/requirements-dev.txt $(VENV)/.fieldpost-setup
	@echo "Adding what the tests need (half a minute, once) …"
	@$(PIP) --require-hashes --no-deps -r tools/requirements-dev.txt || { echo $(OFFLINE) >&2; exit 1; }
	@touch $@

lib/umqtt/simple.py: | $(VENV)/.fieldpost-setup
	@$(BIN)/fieldpost setup $(if $(UMQTT),--umqtt $(UMQTT))

# uv resolves for every platform at once, which pip cannot. Hashes are those of all files of a
# version, so one file serves every platform; no registry's address is written into it.
LOCK := $(BIN)/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate pyproject.toml
lock: setup
	@$(PIP) uv==0.13.9
	$(LOCK) --extra setup --extra emulator --output-file tools/requirements.txt
	$(LOCK) --all-extras --constraint tools/requirements.txt --output-file tools/requirements-dev.txt

release: setup-dev
	@$(BIN)/python tools/release.py $(if $(filter yes,$(RELEASE)),--tag)

clean:
	rm -rf $(VENV) build dist tools/*.egg-info .pytest_cache .ruff_cache
