# make demo   serve the chat on http://127.0.0.1:8000/ (PORT=8001 moves it)
# make test   everything: lint, types, all tests with coverage; what is missing is installed first
# make help   the other commands

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 8000
PYTEST_ARGS ?=
ROWS ?=
SUITES ?=
TARGETS ?=
SECONDS_EACH ?= 600

VENV := .venv
PY := $(VENV)/bin/python
CLIENT := webpy_socketio/static/vendor/socket.io.min.js
NPM_CI := npm ci --loglevel=error
SYSTEM := PYTHON=$(PYTHON) .ci/system-packages

# Two of the set-up steps at once would wait for the same lock of apt or write the same stamp.
.NOTPARALLEL:

.PHONY: help venv client npm demo test lint format unit matrix compiled wheel protocol-suites compliance fuzz clean system bench profile scale

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 25

# --- setting up ---------------------------------------------------------------------------------------------------

$(VENV)/.made: pyproject.toml setup.py
	@$(SYSTEM) venv
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -qq --editable '.[test]'
	@touch $@

venv: $(VENV)/.made ## the virtual environment .venv: this package, editable, and the test tools

node_modules/.made: package.json package-lock.json
	@$(SYSTEM) node npm
	$(NPM_CI)
	@touch $@

$(CLIENT): node_modules/.made
	@mkdir -p $(@D)
	cp node_modules/socket.io-client/dist/socket.io.min.js{,.map} $(@D)/
	cp node_modules/socket.io-client/LICENSE $(@D)/socket.io-client.LICENSE.txt
	@touch $@

client: $(CLIENT) ## the official client's bundle, from its npm package into webpy_socketio/static/vendor

tests/js/node_modules/.made: tests/js/package.json tests/js/package-lock.json
	@$(SYSTEM) node npm
	$(NPM_CI) --prefix tests/js
	@touch $@

npm: tests/js/node_modules/.made ## the npm packages of the tests

system: ## the Debian packages of the tests (as root they are installed, otherwise named)
	@$(SYSTEM) venv node npm chromium nginx openssl

# --- running ------------------------------------------------------------------------------------------------------

demo: venv ## the chat example on http://127.0.0.1:$(PORT)/
	@if ! command -v npm >/dev/null; then \
	    echo "npm is missing, so the pages have no Socket.IO client: install the Debian package npm, then \`make client\`."; \
	elif ! $(MAKE) --no-print-directory client; then \
	    echo "npm could not bring the Socket.IO client, so the pages have none: \`make client\` tries again."; \
	fi
	@exec env SOCKETIO_HOST=127.0.0.1 SOCKETIO_PORT=$(PORT) $(PY) example/main_app.py

# --- checking -----------------------------------------------------------------------------------------------------

test: system venv client npm lint ## all checks and all tests, with the gates on coverage
	$(PY) -m coverage erase
	$(PY) -m tests.support.side_by_side $(PYTEST_ARGS)

lint: venv ## ruff and mypy --strict
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: venv ## let ruff mend what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

unit: venv ## the tests without a browser, Node, real clients and the example: about a minute
	$(PY) -m pytest -m 'not browser and not npm' --ignore=tests/integration --ignore=tests/example $(PYTEST_ARGS)

matrix: client npm ## the tests without a browser on every Python found, and with the oldest dependencies
	ROWS="$(ROWS)" $(PYTHON) -m tests.support.matrix $(PYTEST_ARGS)

.venvs/compiled/.made: pyproject.toml
	@$(SYSTEM) venv
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -qq 'setuptools>=77' mypy types-gevent '.[test]'
	$(@D)/bin/python -m pip uninstall -qq --yes webpy_socketio
	@touch $@

compiled: system .venvs/compiled/.made client npm ## the tests without a browser, with the hot modules compiled (a C compiler is needed)
	.venvs/compiled/bin/python -m tests.support.compiled $(PYTEST_ARGS)

wheel: venv client ## build sdist and wheel into dist/ and check what is inside
	rm -rf build dist
	$(PY) -m build -q
	$(PY) -m tests.support.check_wheel dist/*.whl

protocol-suites: venv ## the official protocol suites against our apps; SUITES= names a directory with copies of them
	@[ -n "$(SUITES)" ] || { echo "make protocol-suites SUITES=<directory of the suites' repositories>" >&2; exit 2; }
	$(PY) -m tests.compliance.run_protocol_suites "$(SUITES)"

compliance: venv ## the Autobahn|Testsuite against our WebSockets, about ten minutes; needs a CPython 2.7 for the suite
	$(PY) -m tests.compliance.run_autobahn

.venvs/fuzz/.made: pyproject.toml
	@$(SYSTEM) venv
	@[ -x $(@D)/bin/python ] || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -qq atheris==3.0.0 --editable .
	@touch $@

fuzz: .venvs/fuzz/.made ## the fuzzer, ten minutes for each decoder; TARGETS= and SECONDS_EACH= for less
	nice -n 19 .venvs/fuzz/bin/python -m tests.fuzz.run $(TARGETS) --seconds $(SECONDS_EACH)

# --- measuring ----------------------------------------------------------------------------------------------------

BENCH := .venvs/bench
# Debian's build is one with profile-guided optimisation; the results say which Python was taken.
BENCH_PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' \
    2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))
BENCH_ARGS ?=

$(BENCH)/.made: pyproject.toml
	@$(SYSTEM) venv
	$(BENCH_PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install -qq --editable . python-socketio gevent-websocket uvicorn uvloop websockets matplotlib
	@touch $@

bench/node_modules/.made: bench/package.json bench/package-lock.json
	@$(SYSTEM) node npm
	$(NPM_CI) --prefix bench
	@touch $@

bench: $(BENCH)/.made bench/node_modules/.made ## all servers side by side, about 20 minutes; BENCH_ARGS= for less
	$(BENCH)/bin/python bench/compare.py --rounds 5 --seconds 1.5 --write $(BENCH_ARGS)

profile: $(BENCH)/.made ## where the time of a message goes, by layer: about a minute
	$(BENCH)/bin/python bench/layers.py --write

scale: $(BENCH)/.made ## how cost grows, and 150,000 connections on this machine: about eight minutes
	$(BENCH)/bin/python bench/growth.py --write
	$(BENCH)/bin/python bench/scale.py --write

clean: ## remove all that the other commands made
	rm -rf $(VENV) .venvs .compiled build dist *.egg-info node_modules tests/js/node_modules webpy_socketio/static/vendor
	rm -rf .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
