# Deed's commands. `make` alone lists them; every recipe is plain POSIX sh.

TARGET := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help run test fmt audit bench bench-queue bench-lifecycle bench-webhooks bench-audit anchors judges example-github crash chaos-worker tools

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{printf "%-22s %s\n", $$1, $$2}'

run: tools ## Build Deed and run all of it here, with a PostgreSQL of its own
	@echo 'Building Deed (the first build takes some minutes)'
	@cargo build --release --locked -p deed
	@exec $(TARGET)/release/deed up

test: tools ## Format, lints and every quick test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	scripts/with-test-postgres scripts/run-tests

fmt: ## Format the code
	cargo fmt --all

audit: tools ## Licences, known vulnerabilities and sources of our dependencies (cargo-deny)
	@cargo deny --version >/dev/null 2>&1 || { \
	  echo 'cargo-deny is missing; get it with: cargo install --locked cargo-deny' >&2; exit 1; }
	cargo deny check

bench: tools ## Compare our notarize with one-row inserts of pgbench
	cargo build --release --locked -p deed -p deed-bench
	$(TARGET)/release/deed-bench run

# Folder in which npm keeps pg-boss and its Node.js; outside the repository.
PG_BOSS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deed/pg-boss

bench-queue: tools ## Compare our queue with npm pg-boss on 20,000 no-op jobs
	cargo build --release --locked -p deed -p deed-bench
	mkdir -p '$(PG_BOSS)' && cp bench/pg-boss/package.json bench/pg-boss/drain.mjs '$(PG_BOSS)/'
	npm install --prefix '$(PG_BOSS)' --no-audit --no-fund --no-package-lock
	$(TARGET)/release/deed-bench queue --pg-boss '$(PG_BOSS)'

chaos-worker: tools ## Kill, stop and mislead workers, and count ticks and jobs
	cargo build --release --locked -p deed -p deed-bench
	$(TARGET)/release/deed-bench chaos-worker

crash: tools ## Kill the API under load, again and again, and check every chain
	cargo build --release --locked -p deed -p deed-bench
	$(TARGET)/release/deed-bench crash

bench-lifecycle: tools ## Work under a gate over HTTP, and the sweep of 100,000 deadlines
	cargo build --release --locked -p deed -p deed-bench
	$(TARGET)/release/deed-bench lifecycle

bench-webhooks: tools ## A healthy endpoint beside one that hangs with 500,000 deliveries
	cargo build --release --locked -p deed -p deed-bench
	$(TARGET)/release/deed-bench webhooks

bench-audit: tools ## Audit 1,000,000 entries, against the bare signature checks
	cargo build --release --locked -p deed -p deed-bench
	$(TARGET)/release/deed-bench audit

# Folder of a virtual environment with SeaweedFS and boto3; outside the repository.
ANCHORS_VENV ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deed/anchors-venv

anchors: tools ## Anchors in SeaweedFS under Object Lock: attacked, away, written by dying workers
	cargo build --release --locked -p deed -p deed-bench
	python3 -m venv '$(ANCHORS_VENV)'
	'$(ANCHORS_VENV)/bin/pip' install --quiet --disable-pip-version-check -r bench/anchors/requirements.txt
	$(TARGET)/release/deed-bench anchors --venv '$(ANCHORS_VENV)'

judges: tools ## Have independent implementations check our signatures and hashes
	cargo build --release --locked -p deed
	python3 scripts/judges/run.py

example-github: tools ## Notarize, export and verify 329 real GitHub deliveries
	cargo build --release --locked -p deed
	python3 scripts/github/run.py

tools:
	@scripts/check-tools
