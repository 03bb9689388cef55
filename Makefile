# One verb for each habit. `make` alone says what there is; `make check` is what CI runs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0-dev)
DATE := $(shell git log -1 --format=%cI 2>/dev/null || echo unknown)
BIN := bin/connect-testengine
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.dateBuilt=$(DATE)
# Where tools and collectors for tests are kept, outside the tree: a second run costs nothing.
export TESTENGINE_TOOLS ?= $(HOME)/.cache/connect-testengine
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(TESTENGINE_TOOLS)/bin/golangci-lint-$(GOLANGCI_VERSION)
# Go's vector instructions, where it has them. A plain `go build` takes the portable twins of the same code.
ifeq ($(shell go env GOARCH),amd64)
export GOEXPERIMENT ?= simd
endif
# The folders that have such twins.
TWINS = $(sort $(patsubst %/,./%,$(dir $(shell grep -rl --include='*.go' '^//go:build goexperiment.simd' plugins))))
PIPELINES := $(filter-out %_benthos_test.yaml,$(wildcard pipelines/*.yaml))
FUZZTIME ?= 30s
# How much of the loops `make test` runs; `make check` and `make torture` run more.
export TESTENGINE_CLUSTER_KILLS ?= 12
export TESTENGINE_CLUSTER_EXECUTIONS ?= 400000

.PHONY: help
help: ## Lists the verbs.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 18

.PHONY: build
build: ## Builds the binary.
	@mkdir -p bin
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/connect-testengine

.PHONY: run
run: build ## Builds and starts pipelines/quickstart.yaml.
	$(BIN) run pipelines/quickstart.yaml

.PHONY: demo
demo: build ## The same, fed by a simulator of CI traffic.
	$(BIN) run --set 'input.broker.inputs.-.ci_simulator.listener=listener' \
		--set 'input.broker.inputs.2.label=simulator' \
		--set "input.broker.inputs.2.ci_simulator.position_file=$${TESTENGINE_DATA:-./data}/simulator.json" pipelines/quickstart.yaml

.PHONY: cluster
cluster: build ## A real Kafka and one process for each pipeline, side by side.
	tests/services/cluster.sh

.PHONY: test
test: services build ## Installs what tests need and runs them, with the race detector on our packages.
	go test -race -shuffle=on -timeout 20m ./plugins/... ./cmd/...
	GOEXPERIMENT= go test -count=1 $(TWINS)
	go test -count=1 -timeout 20m ./tests/...
	$(SIMULATE) '^TestSimulation'

# Virtual time needs the Kafka client's own tag for it.
SIMULATE := go test -tags synctests -count=1 -timeout 24h ./plugins/kafka -run

.PHONY: simulate
simulate: ## Runs the Kafka core in virtual time over SEEDS (200) seeds of trouble FROM (1) on, or one SEED.
	TESTENGINE_SEEDS=$(SEEDS) TESTENGINE_FIRST_SEED=$(FROM) TESTENGINE_SEED=$(SEED) $(SIMULATE) '^TestSimulation' $(if $(SEED),-v)

.PHONY: services
services: ## Installs what tests need: a browser, collectors, Kafka, a Schema Registry.
	tests/services/install.sh

.PHONY: check
check: TESTENGINE_CLUSTER_KILLS = 60
check: TESTENGINE_CLUSTER_EXECUTIONS = 3000000
check: export TESTENGINE_SEEDS ?= 2000
check: lint test lint-pipelines test-pipelines docs-check fuzz-short ## What CI runs.

.PHONY: fmt
fmt: $(GOLANGCI) ## Formats Go.
	$(GOLANGCI) fmt

.PHONY: lint
lint: $(GOLANGCI) ## Lints Go.
	$(GOLANGCI) run

$(GOLANGCI):
	@mkdir -p $(TESTENGINE_TOOLS)/bin
	GOBIN=$(TESTENGINE_TOOLS)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(TESTENGINE_TOOLS)/bin/golangci-lint $@

.PHONY: lint-pipelines
lint-pipelines: build ## Lints pipelines, their tests and the YAML in the documents.
	$(BIN) lint --labels $(PIPELINES) $(wildcard pipelines/*_benthos_test.yaml) config/service.yaml README.md
	$(BIN) lint $(wildcard plugins/*/README.md)

.PHONY: test-pipelines
test-pipelines: build ## Runs the config tests beside the pipelines.
	TESTENGINE_IN_MEMORY=true $(BIN) test ./pipelines/...

.PHONY: docs
docs: build ## Writes the plugin reference from the specs.
	$(BIN) docs

.PHONY: docs-check
docs-check: build ## Fails when the plugin reference is stale.
	$(BIN) docs --check

.PHONY: fuzz-short
fuzz-short: ## Fuzzes every parser for 10 s.
	$(MAKE) fuzz FUZZTIME=10s

.PHONY: fuzz
fuzz: ## Fuzzes every parser for FUZZTIME (30s).
	tests/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Runs the benchmarks behind tests/bench/RESULTS.md.
	go test -run '^$$' -bench . -benchmem -timeout 2h ./plugins/... ./tests/bench/...

.PHONY: bench-peers
bench-peers: build ## Detection beside Apache Flink, one broker, one run; about half an hour.
	go test -run '^$$' -bench . -benchtime 1x -timeout 2h -v ./tests/bench/peers/

.PHONY: torture
torture: build ## 200 kill -9 of the quickstart and 1,000 of a cluster's workers, under load; some hours.
	TESTENGINE_KILLS=200 go test -count=1 -timeout 3h -run 'TestKill' ./tests/faults/
	TESTENGINE_CLUSTER_KILLS=1000 TESTENGINE_CLUSTER_EXECUTIONS=50000000 TESTENGINE_CLUSTER_STOPS=30 TESTENGINE_CLUSTER_JOINS=100 \
		TESTENGINE_CLUSTER_CUTS=300 TESTENGINE_CLUSTER_BROKER_KILLS=20 go test -count=1 -timeout 6h ./tests/cluster/
	TESTENGINE_AWAY_SECONDS=300 go test -count=1 -timeout 1h -run 'TestALogBehind' ./tests/faults/

.PHONY: mutants
mutants: ## Removes each guard in turn and shows the test that turns red.
	tests/mutants/run.sh
