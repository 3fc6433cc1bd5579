# Toksta. `make` alone lists what can be done.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The compiler is the patched one, also where the installed Go is older or ignores
# go.mod's toolchain line. The Go command fetches it from the module proxy.
export GOTOOLCHAIN := go1.27.3
export CGO_ENABLED ?= 0
export PATH := $(CURDIR)/test/browser/node_modules/.bin:$(PATH)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.release=$(VERSION)
TOOL := go tool -modfile=tools/go.mod
TOOL_IN_SDK := go tool -modfile=../tools/go.mod
SOAK ?= 10m
PKG ?= ./...

.PHONY: help
help: ## List what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/toksta, one static binary
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/toksta ./cmd/toksta

.PHONY: run
run: build ## Serve the demo: API, account pages, a made-up vendor; data in demo-data
	@exec bin/toksta demo

.PHONY: test
test: deps ## Run every test with the race detector, then lint
	@scripts/go-test $(PKG)
	@$(MAKE) --no-print-directory lint
	@scripts/test-deps --report

.PHONY: deps
deps: ## Install what the tests use beside Go: databases, a browser
	@scripts/test-deps

.PHONY: bench
bench: ## Measure the request path, a node with a million keys, an hour of theirs
	go test -run '^$$' -bench . -benchmem $(PKG)
	TOKSTA_MILLION=1 go test -count=1 -timeout 20m -run '^Test(MillionKeys|JoinUnderLoad)$$' -v ./internal/app
	TOKSTA_MILLION=1 go test -count=1 -timeout 20m -run '^TestMillionActiveKeys$$' -v ./internal/meter

.PHONY: soak
soak: deps ## Kill and restart under load for SOAK (10m), then check every promise
	TOKSTA_SOAK=$(SOAK) go test -count=1 -timeout 0 -p 1 -run '^TestSoak' -v ./internal/app ./internal/rig ./internal/meter

.PHONY: lint
lint: ## Check format, vet, staticcheck
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs $(TOOL) gofumpt -l); \
	if [ -n "$$unformatted" ]; then echo "Not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	cd sdk && go vet ./...
	$(TOOL) staticcheck ./...
	cd sdk && $(TOOL_IN_SDK) staticcheck ./...

.PHONY: fmt
fmt: ## Format the Go files
	git ls-files -co --exclude-standard '*.go' | xargs $(TOOL) gofumpt -w

.PHONY: screenshots
screenshots: deps ## Take the pictures in docs/screenshots again
	@scripts/screenshots

.PHONY: clean
clean: ## Remove what was built and the demo's data
	rm -rf bin demo-data test/browser/node_modules
