# Octet on one machine. `make test` and `make compare` set everything up on a fresh Debian 12 as root, once.
.PHONY: help setup compare test unit unit-half unit-rest slow kernel test-kernel lab clients docs page guide lint bench clean
.DEFAULT_GOAL := help

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -q
PLUGIN := $(wildcard src/octet/cni/plugin/*.c src/octet/cni/plugin/Makefile)
WEB := $(wildcard web/*.json web/*.mjs web/src/*)
PAGE := src/octet/choose/page/bundle/page.js
SKIPS := report/skips.txt
unexport PYTHONDONTWRITEBYTECODE  # set in many containers: each of thousands of processes would compile us again
unit-half := $(addprefix tests/unit/,choose cli cni house)
unit-rest := $(filter-out $(unit-half:%=%/) %/__pycache__/,$(wildcard tests/unit/*/))

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: .setup-done $(PAGE)  ## packages, virtual environment, plugin, page (only what has changed)
.setup-done: pyproject.toml scripts/setup scripts/debian-packages web/package-lock.json $(PLUGIN)
	@scripts/setup
	@touch $@

$(PAGE): $(WEB) | .setup-done
	@npm run --prefix web --silent build

compare: setup  ## measure every candidate side by side: report/ (ARGS="--rounds 20" for narrower intervals)
	$(BIN)/octet compare --out report $(or $(ARGS),--quick)

test: export OCTET_SKIPS = $(CURDIR)/$(SKIPS)
test: setup lint  ## everything that CI checks
	@mkdir -p report && : > $(SKIPS)
	$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory -j2 --output-sync=target slow test-kernel  # neither looks at the clock
	$(MAKE) --no-print-directory kernel lab clients docs page
	@scripts/count-skips $(SKIPS)

unit: setup  ## decisions: no root, half a minute of a quiet machine's two processors
	@$(MAKE) --no-print-directory -j2 --output-sync=target unit-half unit-rest

unit-half unit-rest:
	$(PYTEST) $($@) -m 'not slow'

slow: setup  ## the slow ones, and every property again with many more examples
	$(PYTEST) tests/unit -m 'slow or hypothesis' --hypothesis-profile=long

kernel: setup  ## against a real kernel, in private namespaces
	$(PYTEST) tests/kernel

test-kernel: setup  ## against Debian's own kernel, in a virtual machine: what this machine's may lack
	PYTHONPATH=tests/support $(BIN)/python -m guest pytest -q tests/qemu @tests/qemu/conformance.txt --timeout 300 $(ARGS)

lab: setup  ## whole clusters on this machine
	$(PYTEST) tests/lab

clients: setup  ## programs that we did not write call our plugin
	$(PYTEST) tests/clients

docs: setup  ## what README and docs/ show is run
	$(PYTEST) tests/docs

guide: setup  ## docs/choosing-a-cni-provider.md anew (ARGS="--store report/results.json": with these figures)
	$(BIN)/python -m octet.choose.guide $(ARGS)

page: setup  ## the page in a real browser, and the pure parts of its script
	npm test --prefix web --silent
	$(PYTEST) tests/page

lint: setup  ## style, strict types, the floors of ARCHITECTURE.md
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	npm run --prefix web --silent lint

bench: setup  ## attach and detach, what policies cost, convergence on racks: docs/benchmarks.md
	$(BIN)/python -m octet.measure.bench --write docs/benchmarks.md
	$(BIN)/python -m octet.measure.bench_policy --write docs/benchmarks.md
	$(BIN)/python -m octet.measure.convergence --write docs/benchmarks.md

clean:  ## forget the set-up and what was built
	rm -rf .venv .setup-done report build web/node_modules web/build src/octet/choose/page/bundle .pytest_cache .mypy_cache .ruff_cache .hypothesis
	-$(MAKE) --silent -C src/octet/cni/plugin clean
