# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.

PEOPLE ?= 5000
SEED   ?= 1
PORT   ?= 8080
export YBA_DATA ?= ./data

WEB     := services/gateway/web/ui
DIST    := services/gateway/web/dist
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
GO      := go
BUF     := go tool -modfile=tools/go.mod buf
LINT    := go tool -modfile=tests/lint/go.mod golangci-lint
# Packages are installed when the lock file is newer than what is there.
NPM_CI  := { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error; }
WEBSRC  := $(shell find $(WEB) -type f -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: help demo demo-reset build web embedded test unit e2e conformance fuzz lint generate proto definitions charts bench clean node bin

help: ## List the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## Build and start the whole suite with a synthetic province (PEOPLE, SEED, PORT, YBA_DATA)
	@./bin/yba demo --people $(PEOPLE) --seed $(SEED) --listen localhost:$(PORT)

demo-reset: bin ## Throw the demo's data away
	@./bin/yba demo reset

build: web embedded bin ## Build the browser apps and the program bin/yba

bin:
	@$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/yba ./cmd/yba

web: $(DIST)/.built ## Build the browser apps

$(DIST)/.built: $(WEBSRC) | node
	@echo "Building the browser apps…"
	@cd $(WEB) && $(NPM_CI) && npm run --silent build && npm run --silent size
	@touch $@

node:
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Node.js is missing: install Node 20 or newer (it builds the browser apps), then run the command again."; exit 1; }
	@node -e 'process.exit(+process.versions.node.split(".")[0] < 20 ? 1 : 0)' || { echo "Node.js $$(node --version) is too old: install Node 20 or newer."; exit 1; }

embedded: | node ## Fetch PostgreSQL for this machine where none is installed
	@if ! command -v initdb >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && [ ! -x deploy/embedded/node_modules/.ready ]; then \
	  echo "Fetching PostgreSQL…" && npm ci --prefix deploy/embedded --no-audit --no-fund --loglevel=error && node deploy/embedded/prepare.mjs && install -m 755 /dev/null deploy/embedded/node_modules/.ready; fi

test: build ## Run every test, browser tests included; ends with the count
	@node tests/run.mjs

unit: ## Run the Go tests only
	@$(GO) test -race ./...

e2e: build ## Run the browser tests only
	@node tests/run.mjs e2e

conformance: build ## Compare the FHIR face with the standard: real clients, brute force
	@node tests/run.mjs conformance

fuzz: ## Fuzz every parser for a moment (FUZZTIME)
	@node tests/run.mjs fuzz

lint: | node ## Check formatting, style, layering and generated contracts
	@test -z "$$(gofmt -l cmd pkg services tests proto/gen)" || { echo "gofmt needed:"; gofmt -l cmd pkg services tests proto/gen; exit 1; }
	@$(GO) vet ./...
	@$(LINT) run ./...
	@cd proto && $(BUF) lint
	@cd $(WEB) && $(NPM_CI) && npm run --silent check

generate: proto definitions ## Make all generated files anew

proto: | node ## Generate the contracts between services, for Go and for the browser apps
	@cd proto && $(BUF) lint && $(BUF) generate
	@cd $(WEB) && $(NPM_CI) && npm run --silent types

definitions: | node ## Generate FHIR tables from the pinned R4 definitions
	@$(GO) run ./pkg/fhir/gen -out pkg/fhir/definitions

charts: ## Render the Helm chart anew into its golden files
	@$(GO) test ./charts -update

bench: build ## Measure throughput, latency and memory; see tests/load/README.md
	@node tests/load/bench.mjs

clean: ## Remove what was built
	@rm -rf bin $(DIST)/.built && find $(DIST) -mindepth 1 ! -name placeholder.html -delete
