# Everything is built and fetched into target/ and .cache/, which git ignores and `make clean` removes.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The module's path is part of the interface: the caller's target folder must not move it.
unexport CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR
export PYTHONDONTWRITEBYTECODE := 1

MODULES := target/wasm32-wasip1/release
# Bytes. V8 compiles the whole module on Envoy's main thread at start-up, some 0.6 to 0.8 ms for each kilobyte.
SIZE_BUDGET := 1300000
# The same of the module that also reads bodies.
AI_SIZE_BUDGET := 1700000
# The core as that module has it. A call of its own: cargo gives all that it builds at once the features of all.
AI_TESTS := -p portcullis-core -p portcullis-ai --features portcullis-core/ai
# Every feature but test-hooks, which is the module's.
ALL_FEATURES := authority/redis-tests,bench/envoy-tests,bench/steps,portcullis/envoy-tests

.PHONY: help
help: ## prints this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 21

.PHONY: demo
demo: wasm envoy authority model-upstream ## the tour: forty-one requests through a real Envoy, a verdict on each
	@ENVOY_BIN="$$(scripts/envoy.sh)" python3 scripts/tour.py demo

.PHONY: up
up: wasm envoy authority model-upstream ## starts the tour's Envoy, leaves it running and prints requests to try
	@ENVOY_BIN="$$(scripts/envoy.sh)" python3 scripts/tour.py up

.PHONY: down
down: ## stops what `make up` started
	@python3 scripts/tour.py down

.PHONY: test
test: wasm test-hooks bodies envoy authority mcp-client model-upstream ## every test, on a real Envoy, and the tour in containers if an engine runs
	@scripts/test.sh

.PHONY: differential
differential: wasm envoy ## ours against jwt_authn and Envoy's router, for longer (DIFFERENTIAL_CASES, 100000; DIFFERENTIAL_SEED)
	@. scripts/say.sh && need_cc && ENVOY_BIN="$$(scripts/envoy.sh)" DIFFERENTIAL_CASES="$${DIFFERENTIAL_CASES:-100000}" \
		DIFFERENTIAL_SEED="$${DIFFERENTIAL_SEED:-$$(date +%s)}" cargo test --features envoy-tests --test differential -- --nocapture

.PHONY: test-envoys
test-envoys: wasm test-hooks authority mcp-client ## the tests on a real Envoy, on several of its versions (ENVOYS)
	@scripts/test_envoys.sh

.PHONY: check
check: ## format, lints natively and for the module, documentation; licences, sources and known vulnerabilities
	@. scripts/say.sh && need_cc
	cargo fmt --all --check
	cargo clippy --workspace --exclude portcullis-ai --all-targets --features $(ALL_FEATURES) -- -D warnings
	cargo clippy $(AI_TESTS) --all-targets -- -D warnings
	scripts/wasm.sh clippy --features test-hooks -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --exclude portcullis-ai --no-deps --document-private-items
	RUSTDOCFLAGS="-D warnings" cargo doc -p portcullis-core --features ai --no-deps --document-private-items
	RUSTDOCFLAGS="-D warnings" scripts/wasm.sh doc --no-deps --document-private-items
	@scripts/audit.sh || [ $$? -eq 77 ] # 77: the advisories were not checked, and a message says so

.PHONY: wasm
wasm: ## builds both modules: target/wasm32-wasip1/release/portcullis.wasm and portcullis-ai.wasm
	@scripts/wasm.sh build

.PHONY: test-hooks
test-hooks: # both modules with switches by which a test breaks them; never shipped
	@scripts/wasm.sh build --features test-hooks --target-dir target/test-hooks

.PHONY: authority
authority: # the tour's OAuth server
	@. scripts/say.sh && need_cc && cargo build -p authority

.PHONY: mcp-client
mcp-client: # the tests' client of the Rust SDK of MCP
	@. scripts/say.sh && need_cc && cargo build -p portcullis-mcp-client

.PHONY: model-upstream
model-upstream: # the provider of models that the tests and the tour talk to
	@. scripts/say.sh && need_cc && cargo build -p portcullis-model-upstream

.PHONY: envoy
envoy: ## finds an Envoy, or fetches one into .cache/
	@scripts/envoy.sh

.PHONY: reproduce
reproduce: ## builds the module twice, in two folders, and prints the common hash
	@scripts/reproduce.sh

.PHONY: sbom
sbom: ## lists what is in the module and in the authority: CycloneDX, in target/sbom/
	@scripts/sbom.sh

.PHONY: toolchains
toolchains: ## builds the module with each available toolchain, and reports
	@scripts/toolchains.sh

.PHONY: size
size: wasm ## checks the size of each module against its budget
	@size=$$(wc -c <$(MODULES)/portcullis.wasm) && echo "portcullis.wasm: $$size of $(SIZE_BUDGET) bytes" && [ $$size -le $(SIZE_BUDGET) ]
	@size=$$(wc -c <$(MODULES)/portcullis-ai.wasm) && echo "portcullis-ai.wasm: $$size of $(AI_SIZE_BUDGET) bytes" && [ $$size -le $(AI_SIZE_BUDGET) ]

.PHONY: bench
bench: wasm envoy noop host-calls bodies ## measures both modules beside Envoy's native filters, ext_authz, ext_proc and the host's calls alone (ROUNDS, 31; REQUESTS, 2000; RATE, 2000; ONLY=heads or bodies)
	@. scripts/say.sh && need_cc && cargo build -p bench --profile bench
	@ENVOY_BIN="$$(scripts/envoy.sh)" target/release/bench

.PHONY: floods
floods: wasm envoy ## measures good requests under floods, and what one refusal costs (FLOOD_SECONDS, 5; WAITING, 10000; ROUNDS, 15; REQUESTS, 500)
	@. scripts/say.sh && need_cc && cargo build -p bench --profile bench --bin floods
	@ulimit -S -n "$$(ulimit -H -n)" && ENVOY_BIN="$$(scripts/envoy.sh)" target/release/floods

.PHONY: noop
noop: # the module that does nothing, for the side-by-side
	@scripts/wasm.sh --of bench/noop/Cargo.toml build --target-dir target/noop

.PHONY: host-calls
host-calls: # the module that makes only the host's calls, for the side-by-side
	@scripts/wasm.sh --of bench/host_calls/Cargo.toml build --target-dir target/host-calls

.PHONY: bodies
bodies: # the module that holds and reads bodies and does nothing else, for the side-by-side
	@scripts/wasm.sh --of bench/bodies/Cargo.toml build --target-dir target/bodies

.PHONY: simulate
simulate: ## simulates a thousand Envoys that spend from one ledger, and prints what the size of a lease costs
	@. scripts/say.sh && need_cc && cargo run -p portcullis-core --features ai --profile bench --example ledger

.PHONY: steps
steps: ## measures the time of each step of the core, natively
	@. scripts/say.sh && need_cc && cargo bench -p bench --features steps

.PHONY: instructions
instructions: ## counts the instructions of each step of the core, natively, with valgrind
	@scripts/instructions.sh

.PHONY: fuzz
fuzz: ## fuzzes each target for some time (FUZZ_SECONDS, 30 each), or a number of runs (FUZZ_RUNS)
	@scripts/fuzz.sh

.PHONY: soak
soak: test-hooks envoy authority ## everything changes and fails for ten minutes, an oracle judges each answer (SOAK_SECONDS, SOAK_SEED)
	@ENVOY_BIN="$$(scripts/envoy.sh)" SOAK_SECONDS="$${SOAK_SECONDS:-600}" cargo test --features envoy-tests --test soak -- --nocapture

.PHONY: mutants
mutants: ## changes the core in many small ways; a native test must catch each (MUTANTS_FILES, MUTANTS_SHARDS, MUTANTS_JOBS)
	@scripts/mutants.sh

.PHONY: audit
audit: ## checks licences, sources and known vulnerabilities of every dependency; fails if the last cannot be checked
	@scripts/audit.sh

.PHONY: compose-test
compose-test: wasm envoy authority model-upstream ## the tour in containers, if an engine runs
	@scripts/compose_test.sh || [ $$? -eq 77 ] # 77: skipped, and said why

.PHONY: clean
clean: down ## removes what was built and fetched
	rm -rf target .cache
