# Everything a developer or CI does. `make` lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# Programs that are brought once.
TOOLS := $(TARGET)/tools
LOCAL := cargo run --quiet --package local --bin table-order-local --
WITH_SERVICES := $(TARGET)/debug/with-services
VENV := $(CURDIR)/.venv
# What the stacks are checked with, and what is built for AWS.
INFRA := $(TARGET)/tools/infra
CARGO_LAMBDA := $(INFRA)/bin/cargo-lambda
LAMBDA_TARGET := aarch64-unknown-linux-gnu
FUNCTIONS := $(notdir $(wildcard functions/*))
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(TOOLS)/bin/cargo-deny
CARGO_LLVM_COV_VERSION := 0.9.1
CARGO_LLVM_COV := $(TOOLS)/bin/cargo-llvm-cov
LLVM_COV := $(CARGO_LLVM_COV) llvm-cov
# Least share of lines, in percent, that tests must run.
COVERAGE := 80
# What tests are written in, and the measurements. Folders named `tests`, with tests/bench among them, never count.
NOT_COUNTED := --ignore-filename-regex '/shared/src/testing/'
# Checks every query against PostgreSQL as it compiles, and writes what it learnt to a folder.
LEARN_QUERIES := env SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$(TARGET)/queries \
	$(WITH_SERVICES) --only postgres cargo check --quiet --package shared --all-features

# What libjpeg-turbo is built with, which decodes and encodes pictures, and what the scripts of `infra` read JSON with.
PROGRAMS := cmake nasm jq
MISSING_PROGRAMS = $(strip $(foreach program,$(PROGRAMS),$(if $(shell command -v $(program)),,$(program))))

# Room for what is built next, in GB. The first time .ci/run takes 8; what makes a later build faster comes on top.
ROOM := $(if $(wildcard $(TARGET)/debug),2,12)

# What checks the files of Prometheus and Alertmanager, and PostgreSQL's exporter for a test of what it tells. Debian's packages
# are unpacked, not installed: servers would be started with them.
PROMETHEUS_PACKAGES := prometheus prometheus-alertmanager prometheus-postgres-exporter
PROMETHEUS_TOOLS := promtool amtool $(if $(shell command -v apt-get),prometheus-postgres-exporter)
MISSING_PROMETHEUS_TOOLS = $(strip $(foreach tool,$(PROMETHEUS_TOOLS),$(if \
	$(shell command -v $(tool) || command -v $(TOOLS)/bin/$(tool)),,$(tool))))

# Everything that compiles the service.
run watch migrate migrate-down seed reset openapi openapi-check fuzz keys lint doc bench faults security seeded \
	coverage learn-queries test: programs

##@ Every day

.PHONY: help
help: ## list the tasks
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: ## start the service in one process, on port 8000 (PORT=…)
	@cargo run --package local --bin table-order-local -- run

.PHONY: watch
watch: ## start the service in the shape it has in production, on port 8000 (PORT=…)
	@cargo build
	@$(TARGET)/debug/table-order-local watch

.PHONY: test
test: $(WITH_SERVICES) ## run every test, on servers of their own
	@status=0; \
	$(WITH_SERVICES) cargo test --workspace --all-features --no-fail-fast 2>&1 | tee $(TARGET)/test.log || status=$$?; \
	awk '/^test result:/ {passed += $$4; failed += $$6; ignored += $$8} \
		END {printf "\n%d passed, %d failed, %d skipped\n", passed, failed, ignored}' $(TARGET)/test.log; \
	exit $$status

.PHONY: check
check: format-check lint doc queries-check deny ops-check infra-check ## what CI checks besides the tests

##@ In the shape of production, while `make watch` is running

# Which of a function's samples, and where functions are invoked.
EVENT ?= $(firstword $(wildcard events/$(FUNCTION).json events/$(FUNCTION).*.json))
LAMBDA ?= http://127.0.0.1:9000

.PHONY: invoke
invoke: ## invoke a function with a sample of its events: make invoke FUNCTION=fanout (EVENT=events/fanout.menu.changed.json)
	@[[ -f "$(EVENT)" ]] || { echo "Name a function: make invoke FUNCTION=fanout. Samples: $$(ls events | tr '\n' ' ')" >&2; exit 1; }
	@curl --silent --show-error --fail-with-body --data @$(EVENT) $(LAMBDA)/2015-03-31/functions/$(FUNCTION)/invocations
	@echo

# The environment of what is running.
WATCHED := $(TARGET)/local/watch.env

.PHONY: events
events: ## messages that the fan-out parked, or that RabbitMQ's queues gave up
	@[[ ! -f $(WATCHED) ]] || . $(WATCHED); $(LOCAL) events list

.PHONY: events-replay
events-replay: ## send them again (IDS="…" for some of them)
	@[[ ! -f $(WATCHED) ]] || . $(WATCHED); $(LOCAL) events replay $(IDS)

##@ Database

.PHONY: migrate
migrate: ## bring the database up to date (DATABASE_URL, or the private one of `make run`)
	@$(LOCAL) migrate

.PHONY: migrate-down
migrate-down: ## take the last migration back
	@$(LOCAL) migrate-down

.PHONY: migration
migration: ## begin a migration: make migration NAME=add_something
	@[[ "$${NAME:-}" =~ ^[a-z0-9_]+$$ ]] || { echo "Name it: make migration NAME=add_something" >&2; exit 1; }
	@version=$$(date -u +%Y%m%d%H%M%S); \
	for way in up down; do \
		file=migrations/$${version}_$${NAME}.$$way.sql; touch $$file; echo "Made $$file"; \
	done

.PHONY: seed
seed: ## add the demo stores that are missing
	@$(LOCAL) seed

.PHONY: reset
reset: ## drop the private database and pictures of `make run`
	@$(LOCAL) reset

.PHONY: queries
queries: learn-queries ## after a change of SQL: check every query and write .sqlx anew
	@rm -rf .sqlx && cp -r $(TARGET)/queries .sqlx
	@echo "Wrote $$(ls .sqlx | wc -l) queries to .sqlx."

##@ AWS (docs/DEPLOYMENT.md)

# Which deployment: dev, staging or production.
ENV ?=

.PHONY: build
build: programs $(CARGO_LAMBDA) ## the functions' binaries for AWS (arm64), in target/lambda
	@rustup target list --installed | grep --quiet $(LAMBDA_TARGET) || rustup target add $(LAMBDA_TARGET)
	@PATH="$(INFRA)/bin:$$PATH" $(CARGO_LAMBDA) lambda build --release --arm64 $(addprefix --package=,$(FUNCTIONS))
	@for function in $(FUNCTIONS); do cp infra/rds-ca.pem $(TARGET)/lambda/$$function/; done
	@echo "$$(git rev-parse HEAD)$$([[ -z $$(git status --porcelain) ]] || echo ", with changes")" >$(TARGET)/lambda/commit
	@cd $(TARGET)/lambda && du --apparent-size --human-readable $(addsuffix /bootstrap,$(FUNCTIONS)) >&2

OPERATE = PATH="$(INFRA)/bin:$$PATH" infra/operate.sh

.PHONY: deploy
deploy: $(INFRA)/bin/sam ## deploy what `make build` built: make deploy ENV=dev
	@$(OPERATE) deploy $(ENV)

.PHONY: create-superadmin
create-superadmin: ## make the first super admin (SUPERADMIN=name)
	@$(OPERATE) create-superadmin $(ENV)

.PHONY: rotate-key
rotate-key: $(INFRA)/bin/sam ## change the key that signs tokens, in three steps (STEP=prepare, promote, retire)
	@$(OPERATE) rotate-key $(ENV)

.PHONY: restore-drill
restore-drill: ## restore the database beside itself, look into it, and remove it
	@$(OPERATE) restore-drill $(ENV)

.PHONY: destroy
destroy: $(INFRA)/bin/sam ## take down what is no production (CONFIRM=table-order-…)
	@$(OPERATE) destroy $(ENV)

.PHONY: smoke
smoke: ## place an order and see it on the board: make smoke ENV=dev, or at `make run`'s without ENV (URL=…)
	@$(if $(ENV),$(OPERATE) smoke $(ENV),infra/smoke.sh $(or $(URL),http://127.0.0.1:8000) <<<'$(DEMO_STORE)')

# The first of the demo data (local/src/demo.rs).
define DEMO_STORE
{"store_id": "11111111-1111-4111-8111-111111111111", "admin": {"username": "admin", "password": "admin1234"}, \
	"table": {"table_number": "8", "password": "1234"}}
endef

##@ API documentation

.PHONY: openapi
openapi: ## after a change of the API: write docs/openapi.json anew
	@$(LOCAL) openapi docs/openapi.json
	@echo "Wrote docs/openapi.json."

# The last release, else what is on the server, else the last commit.
BASE ?= $(or $(shell git describe --tags --abbrev=0 2>/dev/null),$(shell git rev-parse --verify --quiet origin/main),HEAD)

.PHONY: openapi-check
openapi-check: ## what has changed in docs/openapi.json, and whether clients would break (BASE=<git revision>)
	@echo "Comparing docs/openapi.json with that of $(BASE)." >&2
	@mkdir -p $(TARGET)
	@if git show $(BASE):docs/openapi.json >$(TARGET)/openapi-before.json 2>/dev/null; then \
		$(LOCAL) openapi-check $(TARGET)/openapi-before.json docs/openapi.json; \
	else \
		git rev-parse --verify --quiet $(BASE)^{commit} >/dev/null || { echo "There is no revision $(BASE)." >&2; exit 1; }; \
		echo "$(BASE) has no docs/openapi.json: nothing to compare with." >&2; \
	fi

.PHONY: docs-assets
docs-assets: ## renew Swagger UI and ReDoc from npm
	@functions/system/assets/renew.sh

##@ Now and then

.PHONY: fuzz
fuzz: $(VENV)/bin/schemathesis $(WITH_SERVICES) ## try 10,000 requests, and pictures, that nobody thought of (SEED=…)
	@cargo build --quiet --package local
	@$(WITH_SERVICES) --only postgres $(VENV)/bin/python tests/fuzz/run.py $(if $(SEED),--seed $(SEED))
	@$(MAKE) --no-print-directory fuzz-pictures

# How long, in seconds.
FUZZ_PICTURES := 120
HOST = $(shell rustc --version --verbose | sed -n 's/^host: //p')
# What libFuzzer needs to see which way the code went. Not for build scripts: hence `--target`.
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-trace-compares

.PHONY: fuzz-pictures
fuzz-pictures: programs ## try originals of pictures that nobody thought of, for two minutes (FUZZ_PICTURES=seconds)
	@echo "Building the decoders for the fuzzer." >&2
	@RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_TARGET_DIR=$(TARGET)/fuzz \
		cargo build --quiet --release --package picture-fuzz --target $(HOST)
	@mkdir -p $(TARGET)/fuzz/corpus
	@cd $(TARGET)/fuzz && $(HOST)/release/picture-fuzz corpus $(CURDIR)/functions/images/picture/tests/originals \
		-max_total_time=$(FUZZ_PICTURES) -timeout=10 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1

.PHONY: keys
keys: ## make the keys that tokens are signed with
	@$(LOCAL) keys

.PHONY: format
format: ## format the code
	@cargo fmt --all

.PHONY: format-check
format-check:
	@echo "Checking the format." >&2
	@cargo fmt --all --check

.PHONY: lint
lint: ## warnings are errors
	@cargo clippy --workspace --all-targets --all-features -- --deny warnings

.PHONY: doc
doc: ## the code's documentation, in target/doc; warnings are errors
	@RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --workspace --all-features --no-deps
	@echo "Wrote $(TARGET)/doc/shared/index.html."

.PHONY: queries-check
queries-check: learn-queries
	@diff --recursive --brief .sqlx $(TARGET)/queries || { echo "The queries have changed: run \`make queries\`." >&2; exit 1; }

STACKS := template.yaml infra/data.yaml infra/alarms.yaml infra/github.yaml
EDGE := infra/edge.yaml

.PHONY: infra-check
infra-check: $(INFRA)/bin/sam ## the stacks, the compose file, the workflows and the scripts
	@echo "Checking the stacks, the compose file, the workflows and the scripts." >&2
	@$(INFRA)/bin/cfn-lint --non-zero-exit-code informational --regions ap-northeast-2 -- $(STACKS)
	@$(INFRA)/bin/cfn-lint --non-zero-exit-code informational --regions us-east-1 -- $(EDGE)
	@export SAM_CLI_TELEMETRY=0; for stack in $(STACKS); do \
		$(INFRA)/bin/sam validate --lint --region ap-northeast-2 --template-file $$stack >/dev/null; done
	@$(INFRA)/bin/python infra/cycles.py $(STACKS) $(EDGE)
	@SAM_CLI_TELEMETRY=0 $(INFRA)/bin/sam validate --lint --region us-east-1 --template-file $(EDGE) >/dev/null
	@$(INFRA)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	@$(INFRA)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(INFRA)/bin/shellcheck $(shell git ls-files '*.sh') .ci/run

.PHONY: deny
deny: $(CARGO_DENY) ## licences, sources and duplicates of dependencies
	@echo "Checking the dependencies." >&2
	@$(CARGO_DENY) --log-level error check bans licenses sources

.PHONY: ops-check
ops-check: prometheus-tools ## what Prometheus and Alertmanager are given; every alert is tried out
	@echo "Checking the alerts." >&2
	@export PATH="$$PATH:$(TOOLS)/bin"; \
	promtool check config ops/prometheus/prometheus.yml; \
	promtool test rules ops/prometheus/rules.test.yml; \
	amtool check-config ops/alertmanager/alertmanager.yml

.PHONY: bench
bench: ## measure speed and write docs/PERFORMANCE.md (QUICK=1: three minutes; ONLY=streams: a part; both only print)
	@echo "Building release binaries. The first time, this takes some minutes." >&2
	@cargo build --quiet --release --package bench $(foreach package,local stream $(notdir $(wildcard functions/*)),--package $(package))
	@$(TARGET)/release/bench

.PHONY: faults
faults: ## kill every part of the service under load, again and again, and write docs/RELIABILITY.md (QUICK=1: once, and only print)
	@echo "Building release binaries. The first time, this takes some minutes." >&2
	@cargo build --quiet --release --package faults --package local --package stream \
		$(addprefix --package ,orders tables menus relay fanout)
	@$(TARGET)/release/faults

.PHONY: security
security: ## measure what an attacker could, and write docs/SECURITY.md (QUICK=1: a minute, and only print)
	@echo "Building release binaries. The first time, this takes some minutes." >&2
	@cargo build --quiet --release --package local --package security
	@$(TARGET)/release/security

.PHONY: seeded
seeded: $(WITH_SERVICES) ## take one guarantee out at a time, and see the tests fail (ONLY="outbox limit")
	@$(WITH_SERVICES) --only postgres,redis,rabbitmq tests/seeded/run.sh

.PHONY: coverage
coverage: $(WITH_SERVICES) $(CARGO_LLVM_COV) ## the share of lines that tests run, by crate, and target/coverage
	@rustup component list --installed | grep --quiet '^llvm-tools' || rustup component add llvm-tools
	@mkdir -p $(TARGET)/coverage
	@$(WITH_SERVICES) $(LLVM_COV) test --workspace --all-features --no-report
	@$(LLVM_COV) report --html --output-dir $(TARGET)/coverage $(NOT_COUNTED)
	@$(LLVM_COV) report --lcov --output-path $(TARGET)/coverage/lcov.info $(NOT_COUNTED)
	@awk -v root=$(CURDIR)/ -v minimum=$(COVERAGE) -f tests/coverage.awk $(TARGET)/coverage/lcov.info
	@echo "Line by line: $(TARGET)/coverage/html/index.html" >&2

.PHONY: learn-queries
learn-queries: $(WITH_SERVICES)
	@echo "Checking the queries against PostgreSQL." >&2
	@rm -rf $(TARGET)/queries && mkdir -p $(TARGET)/queries
	@touch shared/src/lib.rs
	@$(LEARN_QUERIES)

.PHONY: programs
programs:
	@free=$$(df -Pk $(firstword $(wildcard $(TARGET) $(dir $(TARGET))) .) | awk 'NR == 2 {print int($$4 / 1048576)}') || free=; \
	[[ -z $$free || $$free -ge $(ROOM) ]] || \
		echo "Only $$free GB are free on the disk of $(TARGET): what is built next may need $(ROOM)." >&2
ifneq ($(MISSING_PROGRAMS),)
	@echo "Installing $(MISSING_PROGRAMS)." >&2
	@sudo=$$([[ $$(id -u) = 0 ]] || echo "sudo -n"); \
	{ $$sudo apt-get update -qq && $$sudo apt-get install -y -qq $(MISSING_PROGRAMS) >/dev/null; } || \
		{ echo "Missing: $(MISSING_PROGRAMS). Install with: sudo apt-get install -y $(MISSING_PROGRAMS)" >&2; exit 1; }
endif

.PHONY: prometheus-tools
prometheus-tools:
ifneq ($(MISSING_PROMETHEUS_TOOLS),)
	@echo "Unpacking $(MISSING_PROMETHEUS_TOOLS) from Debian's packages, once." >&2
	@mkdir -p $(TOOLS)/bin $(TOOLS)/debian; cd $(TOOLS)/debian; \
	sudo=$$([[ $$(id -u) = 0 ]] || echo "sudo -n"); \
	download() { apt-get -o APT::Sandbox::User=root download -qq $(PROMETHEUS_PACKAGES); }; \
	{ download 2>/dev/null || { $$sudo apt-get update -qq && download; }; } && \
		for package in *.deb; do dpkg --extract $$package .; done && \
		(cd usr/bin && mv $(MISSING_PROMETHEUS_TOOLS) $(TOOLS)/bin) && cd .. && rm -r debian || \
		{ echo "Missing: $(MISSING_PROMETHEUS_TOOLS). They are in Debian's packages $(PROMETHEUS_PACKAGES)," \
			"and in Homebrew's prometheus and alertmanager." >&2; exit 1; }
endif

# Knows nothing of the service, so it can be built while the service's queries are being changed.
.PHONY: $(WITH_SERVICES)
$(WITH_SERVICES):
	@cargo build --package private-services

.PHONY: advisories
advisories: $(CARGO_DENY) ## what is known to be wrong with the dependencies; asks the network
	@$(CARGO_DENY) --log-level error check advisories

$(CARGO_LLVM_COV):
	@echo "Building cargo-llvm-cov $(CARGO_LLVM_COV_VERSION), once." >&2
	@cargo install --locked --root $(TOOLS) --version $(CARGO_LLVM_COV_VERSION) cargo-llvm-cov

$(CARGO_DENY):
	@echo "Building cargo-deny $(CARGO_DENY_VERSION), once. This takes some minutes." >&2
	@cargo install --locked --root $(TOOLS) --version $(CARGO_DENY_VERSION) cargo-deny

$(INFRA)/bin/sam: infra/requirements.txt
	@echo "Installing the checkers of the stacks, once. This takes about half a minute." >&2
	@python3 -m venv $(INFRA) || { echo "Python's venv is missing. Install it with: sudo apt-get install -y python3-venv" >&2; exit 1; }
	@$(INFRA)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# With zig, the compiler for other processors, which the tests do without.
$(CARGO_LAMBDA): local/private/requirements.txt $(INFRA)/bin/sam
	@echo "Installing cargo-lambda and zig, once." >&2
	@$(INFRA)/bin/pip install --quiet --disable-pip-version-check "$$(grep '^cargo-lambda==' $<)"
	@touch $@

$(VENV)/bin/schemathesis: tests/fuzz/requirements.txt
	@echo "Installing the fuzzer into .venv." >&2
	@python3 -m venv $(VENV) || { echo "Python's venv is missing. Install it with: sudo apt-get install -y python3-venv" >&2; exit 1; }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
