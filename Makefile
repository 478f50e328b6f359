# Both halves of the engine, the host and the plugin that Tyk loads, must be
# built with the same tags and -trimpath, or the host refuses to start.
TAGS    := goplugin embedso
GOBUILD := go build -trimpath -tags "$(TAGS)"
GOTEST  := go test -trimpath -timeout 30m -tags "$(TAGS)"
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TOOLS   := $(CURDIR)/.tools

# What does not import Tyk: its race-built compile alone would take ten minutes.
RACE_PACKAGES = ./facade/... ./fhir/... ./gateway/adminapi/... ./gateway/limiter/... ./gateway/store/... ./internal/... \
	./observe/... ./policies/... ./portal/... ./routes/... ./sandbox/... ./transforms/... ./upstream/...

# Its tests measure what callers get in a time: they run alone.
ALONE = /upstream/budget$$

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What the portal's pages load of npm packages: embedded, never committed.
NPM_ASSETS := portal/web/ui/assets/npm

.PHONY: assets
assets: $(NPM_ASSETS)/.stamp ## fetch the scripts and style sheets of npm packages that the portal embeds

$(NPM_ASSETS)/.stamp: portal/npm/package-lock.json Makefile
	npm ci --silent --prefix portal/npm
	cp portal/npm/node_modules/htmx.org/dist/htmx.min.js $(NPM_ASSETS)/htmx.js
	cp portal/npm/node_modules/uplot/dist/uPlot.iife.min.js $(NPM_ASSETS)/uplot.js
	cp portal/npm/node_modules/uplot/dist/uPlot.min.css $(NPM_ASSETS)/uplot.css
	cp portal/npm/node_modules/swagger-ui-dist/swagger-ui-bundle.js $(NPM_ASSETS)/swagger-ui.js
	cp portal/npm/node_modules/swagger-ui-dist/swagger-ui.css $(NPM_ASSETS)/swagger-ui.css
	for package in htmx.org uplot swagger-ui-dist; do echo "== $$package"; cat portal/npm/node_modules/$$package/LICENSE; echo; done > $(NPM_ASSETS)/licenses.txt
	touch $@

.PHONY: build
build: plugin assets ## build bin/fhirgate (the first time takes minutes: it compiles Tyk)
	$(GOBUILD) -ldflags "-s -w -X main.version=$(VERSION)" -o bin/fhirgate ./cmd/fhirgate

# Always run: it is cheap, and make can't see that the Go toolchain changed.
.PHONY: plugin
plugin:
	$(GOBUILD) -buildmode=plugin -o plugins/fhirgate.so ./plugins/fhir

.PHONY: run
run: build ## build, then serve three simulated hospitals
	bin/fhirgate serve --demo

.PHONY: test
test: build test/clients/node_modules ## run all tests
	FHIRGATE_BIN=$(CURDIR)/bin/fhirgate $(GOTEST) $$(go list -tags "$(TAGS)" ./... | grep -v '$(ALONE)')
	$(GOTEST) ./upstream/budget

BENCH_SECONDS ?= 4
BENCH_ROUNDS  ?= 5

.PHONY: bench
bench: build ## measure beside Tyk, nginx and others (BENCH_SECONDS, BENCH_ROUNDS; BENCH="-write bench/results.md")
	$(GOBUILD) -ldflags "-s -w" -o bin/bench-tyk ./bench/tyk
	go build -o bin/bench ./bench
	bin/bench -seconds $(BENCH_SECONDS) -rounds $(BENCH_ROUNDS) $(BENCH)
	go test -run '^$$' -bench . -count 3 ./transforms/links ./upstream
	GOMAXPROCS=1 go test -run '^$$' -bench Packs ./transforms

.PHONY: figures
figures: build ## print what the portal's pages weigh and how long they take with 10,000 keys and a year of usage (minutes)
	FIGURES=full FHIRGATE_BIN=$(CURDIR)/bin/fhirgate $(GOTEST) ./test -run '^TestPortalFigures$$' -v -count 1 -timeout 30m

.PHONY: profile
profile: build ## write CPU and allocation profiles of the benchmark's calls to bin/profiles
	$(GOBUILD) -o bin/bench-profile ./bench/profile
	go build -o bin/bench ./bench
	bin/bench -seconds 10 -profile bin/profiles

.PHONY: check
check: plugin assets test/clients/node_modules $(TOOLS)/gofumpt $(TOOLS)/golangci-lint ## formatting, linters, race detector, a short run of the fuzzers
	@unformatted=$$($(TOOLS)/gofumpt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted by gofumpt:"; echo "$$unformatted"; exit 1; }
	GOFLAGS="$(GOFLAGS) -trimpath" $(TOOLS)/golangci-lint run --build-tags "goplugin,embedso"
	go test -race $$(go list $(RACE_PACKAGES) | grep -v '$(ALONE)')
	go test -race ./upstream/budget
	$(MAKE) fuzz FUZZ=20000x

# FHIR clients and a validator that we did not write.
test/clients/node_modules: test/clients/package-lock.json
	npm ci --silent --prefix test/clients
	touch $@

FUZZ ?= 10m

.PHONY: fuzz
fuzz: ## fuzz packs, the pass over answers, scopes, tokens and the audit trail, each for FUZZ (a time, or 20000x)
	go test -run '^$$' -fuzz '^FuzzPacks$$' -fuzztime $(FUZZ) -fuzzminimizetime 1s ./transforms
	go test -run '^$$' -fuzz '^FuzzEdit$$' -fuzztime $(FUZZ) ./transforms/links
	go test -run '^$$' -fuzz '^FuzzCheck$$' -fuzztime $(FUZZ) ./policies/smart
	go test -run '^$$' -fuzz '^FuzzParseScope$$' -fuzztime $(FUZZ) ./policies/smart
	go test -run '^$$' -fuzz '^FuzzVerify$$' -fuzztime $(FUZZ) ./gateway/oauth
	go test -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime $(FUZZ) -fuzzminimizetime 1s ./observe/audit

$(TOOLS)/gofumpt:
	GOBIN=$(TOOLS) go install mvdan.cc/gofumpt@v0.12.0

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: clean
clean: ## remove what was built
	rm -rf bin plugins/fhirgate.so
