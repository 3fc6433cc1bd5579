# Toksta. make without a target lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Use the patched compiler, also if the installed Go is older or ignores go.mod's
# toolchain line. The Go command downloads it from the module proxy.
export GOTOOLCHAIN := go1.27.3
export CGO_ENABLED ?= 0
export PATH := $(CURDIR)/test/browser/node_modules/.bin:$(PATH)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo v$$(cat VERSION))
LDFLAGS := -s -w -X main.release=$(VERSION)
TOOL := go tool -modfile=tools/go.mod
TOOL_IN_SDK := go tool -modfile=../tools/go.mod
SOAK ?= 10m
PKG ?= ./...
ROUNDS ?= 5
SECONDS ?= 5

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/toksta, one static binary
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/toksta ./cmd/toksta

.PHONY: run
run: build ## Serve the demo: API, account pages, a demo vendor; data in demo-data
	@exec bin/toksta demo

.PHONY: test
test: deps ## Run every test with the race detector, then lint
	@scripts/go-test $(PKG)
	@$(MAKE) --no-print-directory lint
	@scripts/test-deps --report

.PHONY: deps
deps: ## Install programs that the tests use: databases, a browser
	@scripts/test-deps

.PHONY: bench
bench: ## Measure the request path, and nodes with a million keys
	go test -run '^$$' -bench . -benchmem $(PKG)
	TOKSTA_MILLION=1 go test -count=1 -timeout 20m -run '^Test(MillionKeys|JoinUnderLoad)$$' -v ./test/scale
	TOKSTA_MILLION=1 go test -count=1 -timeout 20m -run '^TestMillionActiveKeys$$' -v ./internal/meter

.PHONY: bench-compare
bench-compare: build ## Compare the request path with HAProxy, nginx and Caddy
	@scripts/test-deps --compare
	go build -o bin/compare ./test/compare
	go test -c -o bin/verify.test ./internal/verify
	bin/compare -rounds $(ROUNDS) -seconds $(SECONDS)

.PHONY: soak
soak: deps ## Kill and restart nodes under load for SOAK (10m), then check every guarantee
	TOKSTA_SOAK=$(SOAK) go test -count=1 -timeout 0 -p 1 -run '^TestSoak' -v ./test/e2e ./internal/rig ./internal/meter

.PHONY: lint
lint: ## Check the format, run vet and staticcheck
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs $(TOOL) gofumpt -l); \
	if [ -n "$$unformatted" ]; then echo "Not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	cd sdk && go vet ./...
	cd examples/go && go vet ./...
	$(TOOL) staticcheck ./...
	cd sdk && $(TOOL_IN_SDK) staticcheck ./...

.PHONY: fmt
fmt: ## Format the Go files
	git ls-files -co --exclude-standard '*.go' | xargs $(TOOL) gofumpt -w

.PHONY: screenshots
screenshots: deps ## Take pictures of every page and state, and renew docs/screenshots
	@scripts/screenshots

.PHONY: clean
clean: ## Remove build results and the demo's data
	rm -rf bin demo-data test/browser/node_modules test/doors/node/node_modules test/oidc/node_modules
