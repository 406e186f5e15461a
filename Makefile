# `make demo` runs the main job, `make test` runs the tests, `make check` is what CI runs.
# Each creates its own environment first and needs only Python 3.11 with venv, Node 20, gcc, make and git.

PYTHON ?= python3
PORT ?= 8765
# Tests listen on port 0 and share nothing, so several workers can run at once: one more than two cores,
# because many tests wait for another process.
# `loadfile` keeps one file's tests together, so that a server or a browser starts once for its file.
# The files stay in the order of tests/conftest.py, which begins with those that take longest.
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder

BIN := .venv/bin
NPM := typescript/node_modules
WEB := examples/web
APPS := typescript/apps
VENDOR := tests/vendor
DEBIAN := /usr/bin/chromium-headless-shell /usr/bin/tmux /usr/bin/valgrind /usr/sbin/nginx /usr/sbin/pgbouncer /usr/bin/openssl
UV := VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/uv
# pip is the fallback for uv: on some machines only pip is configured with the package index.
install = $(UV) pip install --quiet -r $(1) || $(BIN)/pip install --quiet -r $(1)
# hatchling is locked as well, so the package is built with it and without another download.
package = $(UV) pip install --quiet --no-deps --no-build-isolation -e .

.DEFAULT_GOAL := check
.PHONY: demo demo-scale test test-long ready check fmt lint types types-mypy types-pyright types-node types-public others imports \
    client site recordings soak bench bench-full generate wheel dist release api

demo: .venv/.demo  ## Serve the demo on $(PORT)
	@DEMO_URL=$${DEMO_URL:-http://127.0.0.1:$(PORT)/api/_actions} \
	$(BIN)/yieldwire dev examples/demo.py --port $(PORT) --no-reload || { code=$$?; \
	[ $$code != 2 ] || echo "To serve the demo on another port: make demo PORT=$$(($(PORT) + 1))" >&2; exit $$code; }

demo-scale: .venv/.dev  ## Serve a demo with two servers, three workers, a balancer and Valkey on $(PORT)
	@$(BIN)/python examples/scale/run.py --port $(PORT)

test: ready  ## Run the tests
	$(BIN)/pytest $(PYTEST_ARGS)
	node --test tests/js/*.test.mjs
	cd typescript && npm test --silent
	node --test $(APPS)/apps.test.mjs

test-long: ready  ## Run the tests in Python with every variant and with more generated examples
	LONG=1 $(BIN)/pytest $(PYTEST_ARGS)

ready: .venv/.dev $(NPM)/.dev $(WEB)/dist $(APPS)/node_modules/.dev $(VENDOR)/node_modules/.dev | $(DEBIAN)  ## Install everything that the tests need

# The README's own test command is `make test`, so `check` runs the tests through it.
# Before them, both cores install, and then check everything else; what takes longest begins first.
check:  ## Run everything that CI runs
	$(MAKE) --no-print-directory -j2 ready .venv/.docs
	$(MAKE) --no-print-directory -j2 --output-sync=target types-mypy others types-pyright site types-public
	$(MAKE) --no-print-directory test

others:
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory types-node
	$(MAKE) --no-print-directory imports

fmt: .venv/.dev  ## Format the code and apply automatic fixes
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lint: .venv/.dev $(NPM)/.dev  ## Check format, lint rules and prose, and the npm package
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tests.style
	@set -e; for file in $$(find src -name '*.js' | sort); do \
	    echo "node --check $$file"; node --input-type=module --check < "$$file"; done
	cd typescript && npm run --silent check

types: types-mypy types-pyright types-node types-public  ## Check types: mypy, basedpyright and tsc

types-mypy: .venv/.dev
	$(BIN)/mypy

types-pyright: .venv/.dev
	$(BIN)/basedpyright --warnings

types-node: $(NPM)/.dev $(WEB)/dist
	cd typescript && npm run --silent types
	cd $(WEB) && npm run --silent types

# The Python whose packages it looks into is the first one on the path.
types-public: .venv/.dev  ## Check that type checkers need to infer nothing of what users import
	@report=$$(PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/basedpyright --ignoreexternal --verifytypes yieldwire) \
	|| { echo "$$report"; exit 1; }; echo "$$report" | grep 'Type completeness score'

imports: .venv/.dev  ## Check which module imports which
	$(BIN)/lint-imports

client: $(NPM)/.dev  ## Build the npm package, and the file that the server hands to browsers
	cd typescript && npm run --silent build

site: .venv/.docs  ## Build the documentation site into build/site, and check its links; VERSION=0.2 SITE=folder adds a version
	$(BIN)/python -m website $(or $(VERSION),dev) $(or $(SITE),build/site)

wheel: .venv/.dev  ## Build the wheel and the sdist into dist/
	rm -f dist/*.whl dist/*.tar.gz
	$(UV) build --quiet --no-build-isolation --no-create-gitignore --python $(BIN)/python --out-dir dist

dist: wheel .venv/.release $(NPM)/.dev  ## Build what is published: the wheel, the sdist, the npm package, and what they can need as CycloneDX
	cd typescript && node -e 'import("./scripts/build.mjs").then(({ buildPackage }) => buildPackage())'
	rm -f dist/*.tgz
	cd typescript && npm pack --silent --pack-destination ../dist
	sed 's/ --hash=.*//; s/ ;.*//; s/ \\$$//; /^ *$$/d' requirements/all.txt | $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml \
	    --mc-type library --short-PURLs --output-reproducible --validate -o dist/yieldwire-python.cdx.json -
	cd typescript && npm sbom --sbom-format cyclonedx --sbom-type library --omit dev --omit optional --omit peer --package-lock-only \
	    > ../dist/yieldwire-npm.cdx.json

release: .venv/.release  ## Write a version everywhere, and collect the changelog's fragments: VERSION=0.1.0
	sed -i 's/^version = .*/version = "$(or $(VERSION),$(error Name it: make release VERSION=0.1.0))"/' pyproject.toml
	npm version --prefix typescript --no-git-tag-version --allow-same-version $(VERSION)
	$(BIN)/towncrier build --yes --version $(VERSION)

api: .venv/.release $(NPM)/.dev  ## Compare what users import with the last release: Python fails if it breaks them, TypeScript shows what differs
	@tag=$$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null) || { \
	    echo "There is no tag of a release yet, such as v0.1.0: nothing to compare with."; exit 0; }; \
	echo "Compared with $$tag:"; rm -rf build/api; mkdir -p build/api; git archive $$tag typescript | tar -x -C build/api; \
	ln -s ../../../$(NPM) build/api/typescript/node_modules; declare="npx tsc -p tsconfig.json --noEmit false --emitDeclarationOnly --outDir"; \
	(cd build/api/typescript && $$declare ../$$tag) && (cd typescript && $$declare ../build/api/now) || exit 1; \
	(cd build/api && diff -ru $$tag now || echo "Types of the npm package differ: check that each change is allowed by docs/explanation/versions.md."); \
	$(BIN)/griffecli check yieldwire --search src --against $$tag

recordings: .venv/.docs | $(DEBIAN)  ## Record the moving pictures in docs/media from the product itself
	$(BIN)/python -m website.recordings

soak: .venv/.dev  ## Run the long tests that kill servers, cut streams and simulate faults
	$(BIN)/python -m tests.soak

bench:  ## Measure against other frameworks, into benchmarks/RESULTS.md; SCENES=A PEERS=ours,starlette measures a part
	@$(PYTHON) -c '$(OLD)'
	$(PYTHON) -m benchmarks $(if $(SCENES)$(PEERS),$(SCENES:%=--scenes %) $(PEERS:%=--peers %),--results benchmarks/RESULTS.md)

bench-full:  ## The same with every framework and longer windows
	@$(PYTHON) -c '$(OLD)'
	$(PYTHON) -m benchmarks --full --peers all --results benchmarks/RESULTS.md

generate: .venv/.dev  ## Write generated files: the lock files, the TypeScript of run statuses and error codes, the table of clients, the blocking client
	$(LOCK) --all-extras --group build --group dev -o requirements/dev.txt
	$(LOCK) --extra cli --extra limits --extra links --extra demo --group build -c requirements/dev.txt -o requirements/demo.txt
	$(LOCK) --extra cli --extra server --extra redis --extra postgres --extra openai --group bench -c requirements/dev.txt -o requirements/bench.txt
	$(LOCK) --group docs -c requirements/dev.txt -o requirements/docs.txt
	$(LOCK) --group release -c requirements/dev.txt -o requirements/release.txt
	$(LOCK) --extra all -c requirements/dev.txt -o requirements/all.txt
	$(subst pyproject.toml,$(PEERS_IN)/python/requirements.in,$(LOCK)) -c requirements/bench.txt -o $(PEERS_IN)/python/requirements.txt
	npm install --package-lock-only --no-audit --no-fund --prefix $(PEERS_IN)/node
	$(BIN)/python typescript/scripts/status.py
	$(BIN)/python typescript/scripts/errorcode.py
	$(BIN)/python -m tests.vendor.conformance
	$(BIN)/python -m tests.client.generate

# ---- the environment

PEERS_IN := benchmarks/peers
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links --no-annotate pyproject.toml

# One line instead of a list of packages that do not fit.
OLD := import sys; sys.exit(sys.version_info < (3, 11) and "Yieldwire needs Python 3.11 or newer, and $(PYTHON) is \
    Python %d.%d: name another one, such as make PYTHON=python3.12 demo" % sys.version_info[:2])

$(BIN)/uv:
	@$(PYTHON) -c '$(OLD)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv

.venv/.demo: $(BIN)/uv requirements/demo.txt pyproject.toml
	$(call install,requirements/demo.txt)
	$(package)
	@touch $@

.venv/.dev: $(BIN)/uv requirements/dev.txt pyproject.toml
	$(call install,requirements/dev.txt)
	$(package)
	@touch $@ .venv/.demo

.venv/.docs: requirements/docs.txt .venv/.dev
	$(call install,requirements/docs.txt)
	@touch $@

.venv/.release: requirements/release.txt .venv/.dev
	$(call install,requirements/release.txt)
	@touch $@

$(NPM)/.dev: typescript/package.json typescript/package-lock.json
	cd typescript && npm ci --silent --no-audit --no-fund
	@touch $@

# Not `client`: running the tests must not change committed files.
SOURCES := $(NPM)/.dev $(shell find typescript/src typescript/scripts -type f)
typescript/dist/index.js: $(SOURCES)
	cd typescript && node -e 'import("./scripts/build.mjs").then(({ buildPackage }) => buildPackage())'

$(APPS)/node_modules/.dev: $(APPS)/package-lock.json $(shell find $(APPS) -maxdepth 2 -name package.json)
	cd $(APPS) && npm ci --silent --no-audit --no-fund
	@touch $@

$(VENDOR)/node_modules/.dev: $(VENDOR)/package.json $(VENDOR)/package-lock.json
	cd $(VENDOR) && npm ci --silent --no-audit --no-fund
	@touch $@

$(WEB)/node_modules/.dev: $(WEB)/package.json $(WEB)/react/package.json $(WEB)/vue/package.json $(WEB)/package-lock.json
	cd $(WEB) && npm ci --silent --no-audit --no-fund
	@touch $@

# Of the sources, because `make lint` builds the package again, and that changes nothing in these pages.
$(WEB)/dist: $(SOURCES) $(WEB)/node_modules/.dev $(shell find $(WEB)/plain $(WEB)/react $(WEB)/vue -type f) $(WEB)/actions.gen.ts \
    | typescript/dist/index.js
	cd $(WEB) && npm run --silent build
	@touch $@

# The browser tests use Debian's Chromium as a headless shell, which takes half the time of the one with windows,
# with Debian's nginx in between, tests/stores uses Debian's PgBouncer, tests/eventpath counts with Debian's Valgrind,
# and tests/cli shows what a person sees in Debian's tmux.
# RUNLEVEL=1 keeps Debian from starting nginx and PgBouncer when they are installed.
# They are one target, because two that install at the same time would lock each other out.
$(DEBIAN) &:
	@as_root=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; \
	{ command -v apt-get >/dev/null && $$as_root apt-get update -qq && \
	  $$as_root apt-get install -y -qq --no-install-recommends \
	  chromium-headless-shell fonts-dejavu-core tmux valgrind nginx-light pgbouncer openssl; } </dev/null >&2 \
	|| echo "Not all of $(DEBIAN) could be installed: the tests that need them will fail." >&2
