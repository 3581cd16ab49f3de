# Everything a developer or CI does. `make help` lists it.

.DEFAULT_GOAL := help
.PHONY: help

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: queries
queries: ## after a change of SQL: check every query against PostgreSQL and write .sqlx anew
	cargo build -q -p private-postgres
	rm -rf .sqlx && mkdir .sqlx && touch shared/src/lib.rs
	SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$(CURDIR)/.sqlx target/debug/with-postgres cargo check -q -p shared --all-features

.PHONY: run reset keys
run: ## start the service, everything in one process, on port 8000 (PORT=…)
	@cargo run -q -p local --bin table-order-local -- run

reset: ## drop the private database of `make run`
	@cargo run -q -p local --bin table-order-local -- reset

keys: ## make the keys that tokens are signed with
	@cargo run -q -p local --bin table-order-local -- keys

.PHONY: test
test: ## run every test, on a PostgreSQL of their own
	@cargo build -q -p private-postgres
	@target/debug/with-postgres cargo test --workspace --all-features
