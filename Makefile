# The two commands that matter: `make demo` and `make test`. Both install what is missing.

BIN := .venv/bin
QUICK := tests/unit/ tests/contract/
TESTS := $(wildcard $(QUICK)) $(filter-out $(QUICK) tests/bench/,$(wildcard tests/*/))

.PHONY: help install demo test lint bench proof fuzz audit pictures lock messages

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

install: ## make .venv/bin/hca-bind
	@.ci/install runtime

demo: install ## open the wizard on the embedded card and service
	@if [ -t 0 ] && [ -t 1 ]; then \
		exec $(BIN)/hca-bind demo; \
	else \
		echo "No terminal here: running hca-bind demo --autopilot register instead."; \
		exec $(BIN)/hca-bind demo --autopilot register; \
	fi

test: lint ## run every check and test
	$(BIN)/pytest -n 2 --dist loadfile $(TESTS)

lint: .dev ## run the checks that need no test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	shellcheck $(filter-out %.py,$(wildcard .ci/*)) tui/passthrough/hca-bind-connect

bench: .dev ## measure against the references (BENCH="first-frame --json FILE")
	PYTHONPATH=tests/system $(BIN)/python tests/bench $(BENCH)

proof: .dev .fuzz .audit ## prove what SECURITY.md promises: one table; fails where anything is missed
	$(BIN)/python tests/proof $(PROOF)

fuzz: .dev .fuzz ## fuzz every parser (FUZZ="--minutes 10", or "--runs 1000000 tlv piv")
	$(BIN)/python tests/fuzz $(FUZZ)

audit: .dev .audit ## check the locked versions against known vulnerabilities
	$(BIN)/python .ci/audit.py $(AUDIT)

messages: .dev ## bring the translations up to date with the sources
	$(BIN)/python .ci/messages.py

pictures: .dev ## draw the README's pictures with the program itself
	$(BIN)/python .ci/pictures.py

lock: .dev ## lock what pyproject.toml asks for (LOCK=--upgrade: the newest versions)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --no-header --generate-hashes $(LOCK) \
		pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile -q --universal --no-header --generate-hashes $(LOCK) \
		pyproject.toml --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --no-header $(LOCK) \
		--group build --output-file requirements-build.lock
	for group in fuzz audit; do \
		$(BIN)/uv pip compile -q --universal --no-header --generate-hashes $(LOCK) --group $$group \
			--constraints requirements-dev.lock --output-file requirements-$$group.lock; \
	done

.PHONY: .dev .fuzz .audit
.fuzz .audit:
	@$(BIN)/pip install --quiet --no-input --require-hashes --requirement requirements$(subst .,-,$@).lock

.dev:
	@.ci/system-packages test
	@.ci/install dev
