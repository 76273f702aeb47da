# One word per task, the same here and in CI.
#   make run    build, then serve on the embedded defaults (data under ./data)
#   make test   everything a change must pass
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CARGO := cargo
MANIFEST := core_rs/Cargo.toml
RUST := $(shell find core_rs -name '*.rs' -not -path '*/target/*') $(shell find core_rs -name Cargo.toml -not -path '*/target/*') core_rs/Cargo.lock core_rs/wire/lockstock.binpb
# With what the environment has: its maturin builds.
INSTALL := PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
PY_PATHS := server clients/python tests benchmarks docs proto

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# --- the environment -------------------------------------------------------------------------------

$(VENV)/.prerequisites:
	@command -v $(PYTHON) >/dev/null || { echo "Lockstock needs Python 3.11 or newer, and there is no '$(PYTHON)' on the PATH."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Lockstock needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) -V)."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Lockstock needs Python's venv module (on Debian: apt install python3-venv)."; exit 1; }
	@command -v $(CARGO) >/dev/null || { echo "Lockstock needs a Rust toolchain (cargo), 1.90 or newer: see rustup."; exit 1; }
	@mkdir -p $(VENV) && touch $@

$(VENV)/.packages: server/requirements.lock clients/python/pyproject.toml | $(VENV)/.prerequisites
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r server/requirements.lock
	$(INSTALL) -e clients/python
	@touch $@

$(VENV)/.built: $(VENV)/.packages pyproject.toml $(RUST)
	$(INSTALL) -e .
	@touch $@

.PHONY: build
build: $(VENV)/.built ## the environment, the extension module and the command `lockstock` in .venv

TUNING := $(abspath core_rs/target/tuning)
PROFDATA = $(shell rustc --print target-libdir)/../bin/llvm-profdata

.PHONY: tuned
tuned: build ## build again, laid out by a profile of its work: 8 to 18 % less CPU a call; takes about 8 minutes
	@test -x $(PROFDATA) || { echo "make tuned needs rustup's llvm-tools: rustup component add llvm-tools"; exit 1; }
	@rm -f $(VENV)/.built  # where this breaks off, the next word builds the ordinary one
	rm -rf $(TUNING)/profile && mkdir -p $(TUNING)/profile
	CARGO_TARGET_DIR=$(TUNING)/counting RUSTFLAGS="-Cprofile-generate=$(TUNING)/profile" $(INSTALL) -e .
	@rm -f $(TUNING)/profile/*  # what ran while it was built
	$(BIN)/python benchmarks/run.py train
	$(PROFDATA) merge -o $(TUNING)/tuned.profdata $(TUNING)/profile/*.profraw
	CARGO_TARGET_DIR=$(TUNING)/tuned RUSTFLAGS="-Cprofile-use=$(TUNING)/tuned.profdata" LOCKSTOCK_TUNED=1 $(INSTALL) -e .
	@touch $(VENV)/.built

.PHONY: lock
lock: $(VENV)/.packages ## resolve the Python dependencies again into server/requirements.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-package lockstock --group dev -o server/requirements.lock pyproject.toml

# --- use -------------------------------------------------------------------------------------------

.PHONY: run
run: build ## build, then serve on the embedded defaults (data under ./data)
	exec $(BIN)/lockstock serve

.PHONY: demo
demo: build ## sell 10,000 units to 100,000 buyers, with a kill -9 in the middle
	$(BIN)/lockstock flash-sale

.PHONY: replay
replay: build ## make replay FILE=orders.csv: a shop's order lines through a server of its own, then verify
	@test -n "$(FILE)" || { echo "Name the file: make replay FILE=orders.csv"; exit 2; }
	$(BIN)/lockstock replay --own-server $(REPLAY_OPTIONS) "$(FILE)"

# --- tests -----------------------------------------------------------------------------------------

SEEDS ?= 5000
FROM ?= 0
SECONDS ?= 60
FUZZ_TARGETS := $(sort $(basename $(notdir $(wildcard core_rs/fuzz/fuzz_targets/*.rs))))

.PHONY: test test-rust test-python test-long planted-bugs sim fuzz
test: test-rust test-python ## everything a change must pass

test-rust:
	$(CARGO) test --quiet --manifest-path $(MANIFEST) --workspace

test-python: build
	$(BIN)/python -m pytest -m "not long"

test-long: build ## the seeded runs, for as long as wanted: make test-long LOCKSTOCK_SEEDS=100000
	LOCKSTOCK_SEEDS=$${LOCKSTOCK_SEEDS:-20000} $(CARGO) test --quiet --release --manifest-path $(MANIFEST) -p lockstock-stock --test agreement
	LOCKSTOCK_MUTATIONS=$${LOCKSTOCK_MUTATIONS:-20000} $(CARGO) test --quiet --profile sim --manifest-path $(MANIFEST) -p lockstock-targets --test seeded
	$(MAKE) sim SEEDS=$${LOCKSTOCK_SIM_SEEDS:-50000}
	$(BIN)/python -m pytest -m long
	$(MAKE) planted-bugs

planted-bugs: build ## plant one bug after the other and see each caught: make planted-bugs ONLY="one another"
	cd tests && ../$(BIN)/python -m planted.run $(ONLY)

.PHONY: crash
crash: build ## kill it, break its disk, cut its power, hundreds of times: make crash CRASHES=500 SEED=3
	LOCKSTOCK_CRASHES=$(or $(CRASHES),200) LOCKSTOCK_SEED=$(or $(SEED),1) $(BIN)/python -m pytest -m long tests/crash

sim: ## make sim SEEDS=5000 FROM=0: the whole node in one seeded thread; a seed that fails is printed
	$(CARGO) run --quiet --profile sim --manifest-path $(MANIFEST) -p lockstock-sim -- --seeds $(SEEDS) --from $(FROM)

# Without a sanitizer it runs on stable: nothing of ours is unsafe, and overflows and bounds are checked anyway.
fuzz: ## make fuzz SECONDS=60: libFuzzer on every reader of bytes, so long each; what fails is left in core_rs/fuzz
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo "make fuzz needs cargo-fuzz: cargo install cargo-fuzz"; exit 1; }
	cd core_rs && for target in $(FUZZ_TARGETS); do mkdir -p fuzz/corpus/$$target; $(CARGO) fuzz run -s none $$target \
		fuzz/corpus/$$target targets/corpus/$$target -- -max_total_time=$(SECONDS) -max_len=16384 -rss_limit_mb=2048; done

# --- benchmarks ------------------------------------------------------------------------------------
# On a machine with two cores and nothing else to do. The page is docs/benchmarks.md.

.PHONY: bench bench-quick bench-long bench-micro overload
bench: build ## ours and its peers in turn, three times, and the curves: about 20 minutes; writes the page
	$(BIN)/python benchmarks/run.py full $(BENCH_OPTIONS)

bench-quick: build ## every row once and shortly: about 3 minutes; prints
	$(BIN)/python benchmarks/run.py quick $(BENCH_OPTIONS)

bench-long: build ## tail, recovery, memory, growth, projection, buyers beside long work: over an hour; writes its part of the page
	$(BIN)/python benchmarks/run.py long $(BENCH_OPTIONS)

overload: build ## three times the peak, open loop: goodput, refusals, recovery; fails where a bound is missed
	$(BIN)/python benchmarks/overload.py

bench-micro: build ## what single steps cost: the state machine, the boundary between Python and Rust
	$(CARGO) bench --quiet --manifest-path $(MANIFEST) -p lockstock-stock -p lockstock-wire
	$(BIN)/python -m pytest benchmarks

# --- gates -----------------------------------------------------------------------------------------

.PHONY: lint
lint: build ## every gate but the tests
	$(BIN)/ruff check $(PY_PATHS)
	$(BIN)/ruff format --check $(PY_PATHS)
	$(BIN)/mypy server/lockstock_server clients/python/src/lockstock
	for suite in docs proto tests/unit tests/integration tests/e2e tests/model tests/crash tests/planted tests/supply_chain benchmarks; do $(BIN)/mypy $$suite; done
	$(BIN)/python -m mypy.stubtest lockstock_server._core --allowlist server/stubtest-allowlist.txt
	$(CARGO) fmt --manifest-path $(MANIFEST) --all --check
	$(CARGO) fmt --manifest-path core_rs/fuzz/Cargo.toml --check
	$(CARGO) clippy --quiet --manifest-path $(MANIFEST) --workspace --all-targets -- -D warnings
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against released.binpb
	$(BIN)/python proto/generate.py --check
	$(BIN)/python docs/generate.py --check
	cd tests && ../$(BIN)/python -m supply_chain

.PHONY: fmt
fmt: $(VENV)/.packages ## format everything
	$(BIN)/ruff check --fix-only $(PY_PATHS)
	$(BIN)/ruff format $(PY_PATHS)
	$(CARGO) fmt --manifest-path $(MANIFEST) --all

.PHONY: proto
proto: $(VENV)/.packages ## generate the stubs and the descriptor set from proto/
	$(BIN)/python proto/generate.py

.PHONY: docs
docs: build ## generate the pages of docs/ that are made from the code
	$(BIN)/python docs/generate.py

.PHONY: clean
clean: ## remove what was built (./data stays)
	rm -rf $(VENV) build dist core_rs/target core_rs/fuzz/target server/lockstock_server/_core*.so
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
