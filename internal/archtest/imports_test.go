package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// imports maps every package to the packages of this repository that it may
// import. Give a new package a line here and in docs/architecture.md.
var imports = map[string][]string{
	"sdk/toksta":   {},
	"sdk/httpauth": {"sdk/toksta"},
	"sdk/client":   {"sdk/toksta", "sdk/httpauth"},

	// Text from files and requests.
	"internal/text": {"sdk/toksta"},

	// The vendor's look: pure.
	"internal/brand": {},

	"internal/config": {"sdk/toksta", "internal/brand", "internal/openapi", "internal/route", "internal/text"},
	"internal/route":  {"sdk/toksta"},

	// The vendor's OpenAPI document as plain values.
	"internal/openapi": {},
	// The vendor's configuration file as text.
	"internal/setup": {"sdk/toksta", "internal/openapi", "internal/route"},

	// The vendor's mail server.
	"internal/mail": {"internal/brand", "internal/text"},
	// Notices to members: the change log as mails and for a page.
	"internal/notices": {"sdk/toksta", "sdk/client", "internal/mail", "internal/store", "internal/text"},
	// A mail server for tests of any package.
	"internal/mail/mailtest": {},

	// The one value of a request, to which each stage adds its part.
	"internal/exchange":  {"sdk/toksta", "sdk/httpauth"},
	"internal/telemetry": {"sdk/toksta", "sdk/httpauth", "internal/exchange"},

	// The connections of clients.
	"internal/downstream": {},

	// The request path: none of it can reach the database.
	"internal/index":     {"sdk/toksta"},
	"internal/ratelimit": {"sdk/toksta"},
	// A provider that misbehaves, for tests of any package.
	"internal/signin/oidc/oidctest": {},
	// Redis, with counts only.
	"internal/sharedrate": {"sdk/toksta", "internal/ratelimit"},
	"internal/verify":     {"sdk/toksta", "internal/index", "internal/ratelimit", "internal/meter"},
	"internal/admit":      {"sdk/toksta", "sdk/httpauth", "internal/exchange", "internal/route"},
	"internal/gateway":    {"sdk/toksta", "sdk/httpauth", "internal/admit", "internal/downstream", "internal/exchange", "internal/route", "internal/upstream"},
	// Questions of other proxies, decided by the chain of the gateway.
	"internal/forwardauth": {"sdk/toksta", "sdk/httpauth", "internal/admit", "internal/exchange"},
	// Connections to upstreams.
	"internal/upstream": {},
	// Decisions on calls that other programs received. Reservations go through interfaces.
	"internal/verifyapi": {"sdk/toksta", "sdk/httpauth", "sdk/client", "internal/admit", "internal/credits", "internal/exchange", "internal/store"},

	// A Redis for tests of any package.
	"internal/sharedrate/redistest": {},

	// The change path.
	"internal/keys":         {"sdk/toksta", "internal/store", "internal/text"},
	"internal/accounts":     {"sdk/toksta", "internal/store", "internal/text"},
	"internal/members":      {"sdk/toksta", "internal/store", "internal/text"},
	"internal/operatorkeys": {"sdk/toksta", "internal/store", "internal/text"},
	"internal/signin":       {"sdk/toksta", "internal/mail", "internal/members", "internal/signin/passkey", "internal/signin/totp", "internal/store", "internal/text", "internal/signin/oidc"},
	// Codes of authenticator apps: pure.
	"internal/signin/totp": {"sdk/toksta"},
	// WebAuthn, and an authenticator for tests of any package.
	"internal/signin/passkey":             {},
	"internal/signin/passkey/passkeytest": {},
	// The protocols of sign-in providers, without database and sessions.
	"internal/signin/oidc": {"sdk/toksta"},
	"internal/changefeed":  {"sdk/toksta", "internal/index", "internal/store"},

	// Balances is on the request path: verify calls it through an interface of its
	// own, so that it cannot reach Service and the database behind that.
	"internal/credits": {"sdk/toksta", "internal/store"},

	// Usage: written, then read.
	"internal/meter": {"sdk/toksta", "internal/store"},
	"internal/usage": {"sdk/toksta", "internal/credits", "internal/store"},
	// Usage for external billing.
	"internal/export": {"sdk/toksta", "internal/store", "internal/text"},

	// Events of accounts, delivered to the vendor and the customer.
	"internal/events": {"sdk/toksta", "sdk/client", "internal/credits", "internal/store", "internal/text"},

	"internal/store":                 {"sdk/toksta"},
	"internal/store/sqlstore":        {"sdk/toksta", "internal/store", "internal/store/sqlstore/dbconn", "internal/text"},
	"internal/store/sqlstore/dbconn": {"sdk/toksta", "internal/store"},
	"internal/store/storetest":       {"sdk/toksta", "internal/store"},
	// A PostgreSQL for tests of any package.
	"internal/store/storetest/pgtest": {},
	// Opens a SQLite database for tests of any package.
	"internal/store/storetest/sqlitetest": {"sdk/toksta", "internal/store", "internal/store/sqlstore"},

	// Pages and APIs. They may pass types of store (a page, a query, a repeated
	// request) to the services, and cannot reach the database: they do not import
	// sqlstore and index.
	"internal/api":      {"sdk/toksta", "sdk/httpauth", "internal/store", "internal/usage", "internal/exchange"},
	"internal/operator": {"sdk/toksta", "sdk/httpauth", "sdk/client", "internal/store", "internal/keys", "internal/operatorkeys", "internal/credits", "internal/accounts", "internal/members", "internal/signin", "internal/usage", "internal/mail", "internal/events", "internal/exchange", "internal/verifyapi", "internal/text", "internal/operatorauth"},
	// Operator keys in requests over the network. It cannot reach the database.
	"internal/operatorauth": {"sdk/toksta", "sdk/httpauth"},
	"internal/web":          {"sdk/toksta", "sdk/httpauth", "internal/brand", "internal/store", "internal/keys", "internal/accounts", "internal/mail", "internal/members", "internal/notices", "internal/signin", "internal/usage", "internal/exchange", "internal/text", "internal/web/page", "internal/web/chart", "internal/web/view"},
	"internal/web/page":     {"internal/brand", "internal/web/chart", "internal/web/view"},
	"internal/web/chart":    {"internal/web/view"},
	"internal/web/view":     {"sdk/toksta"},

	// The documents of the repository that the program serves.
	"docs": {},
	// The documentation pages of the API, on the public listener, and of the operator API.
	"internal/docs": {"sdk/toksta", "sdk/httpauth", "internal/brand", "internal/openapi", "internal/route", "internal/web/page", "internal/web/view"},

	"internal/demo": {"sdk/toksta", "sdk/client", "internal/store"},
	"internal/app":  {"*"},
	// Runs whole servers for the tests in test/e2e and test/scale.
	"internal/app/apptest": {"sdk/toksta", "sdk/client", "internal/app", "internal/config", "internal/demo", "internal/store/storetest/sqlitetest", "internal/telemetry"},
	"internal/archtest":    {},
	// The servers that a person manages from another machine.
	"internal/profile": {"sdk/toksta"},
	"cmd/toksta":       {"sdk/toksta", "sdk/client", "internal/admit", "internal/app", "internal/config", "internal/demo", "internal/mail", "internal/openapi", "internal/profile", "internal/route", "internal/setup", "internal/store/sqlstore", "internal/telemetry", "internal/text"},

	// A node inside a vendor's own program.
	"node": {"sdk/client", "sdk/httpauth", "internal/app", "internal/config", "internal/telemetry"},

	// Programs of vendors, in a module of their own.
	"examples/go/program": {"sdk/client"},
	"examples/go/nethttp": {"sdk/client", "sdk/httpauth"},
	"examples/go/chi":     {"sdk/httpauth", "examples/go/program"},
	"examples/go/gin":     {"sdk/httpauth", "examples/go/gin/adapter", "examples/go/program"},
	"examples/go/echo":    {"sdk/httpauth", "examples/go/program"},
	"examples/go/connect": {"sdk/httpauth", "examples/go/program"},
	"examples/go/proxy":   {"sdk/httpauth", "examples/go/gin/adapter", "examples/go/program"},

	"examples/go/gin/adapter": {},

	// A model of the protocol with many nodes and bad networks.
	"internal/simulate": {},
	"cmd/simulate":      {"internal/simulate"},

	// Tests a cluster under faults from outside.
	"internal/rig":   {"sdk/toksta", "sdk/client"},
	"cmd/toksta-rig": {"internal/rig"},

	// Toksta beside other servers, for make bench-compare.
	"test/compare": {"sdk/toksta", "sdk/httpauth", "sdk/client", "internal/index"},
}

// forbidden maps a package to imports from outside of the repository that it must not
// have. Each import is given by the start of its path.
var forbidden = map[string][]string{
	"internal/brand":          {"net/http", "database/sql", "os"},
	"sdk/toksta":              {"net/http", "database/sql", "log", "os", "golang.org", "github.com"},
	"internal/keys":           {"net/http", "database/sql"},
	"internal/accounts":       {"net/http", "database/sql"},
	"internal/operatorkeys":   {"net/http", "database/sql"},
	"internal/signin":         {"net/http", "database/sql"},
	"internal/signin/totp":    {"net/http", "database/sql", "os"},
	"internal/signin/passkey": {"net/http", "database/sql", "os"},
	"internal/store":          {"net/http", "database/sql"},
	"internal/store/sqlstore": {"net/http"},
	"internal/index":          {"net/http", "database/sql", "os"},
	"internal/ratelimit":      {"net/http", "database/sql", "os"},
	"internal/sharedrate":     {"net/http", "database/sql", "os"},
	"internal/credits":        {"net/http", "database/sql", "os"},
	"internal/verify":         {"net/http", "database/sql", "os"},
	"internal/exchange":       {"net/http", "database/sql", "os"},
	"internal/admit":          {"net/http", "database/sql", "os"},
	"internal/verifyapi":      {"database/sql", "os"},
	"internal/gateway":        {"database/sql"},
	"internal/route":          {"database/sql", "os"},
	"internal/web":            {"database/sql"},
	"internal/api":            {"database/sql"},
	"internal/operator":       {"database/sql"},
	"internal/operatorauth":   {"net/http", "database/sql", "os"},
	"sdk/httpauth":            {"database/sql", "golang.org", "github.com"},
	"sdk/client":              {"database/sql", "golang.org", "github.com"},
}

// packageOf returns the directory of an import path, and whether the package is
// of this repository.
func packageOf(importPath string) (dir string, ours bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// importRules rejects imports that the table imports does not permit, and those that the
// table forbidden lists.
func importRules(t *tree) (out []finding) {
	for dir, files := range t.packages() {
		allowed, listed := imports[dir]
		if !listed {
			out = append(out, finding{dir, "not in the table of imports"})
			continue
		}
		for _, f := range files {
			for _, p := range f.imports() {
				if why := rejected(dir, allowed, p); why != "" {
					out = append(out, finding{f.path + " " + p, why})
				}
			}
		}
	}
	return out
}

func rejected(dir string, allowed []string, importPath string) string {
	if r, ours := packageOf(importPath); ours {
		if !slices.Contains(allowed, r) && !slices.Contains(allowed, "*") {
			return dir + " may not import " + r
		}
		return ""
	}
	for _, n := range forbidden[dir] {
		if importPath == n || strings.HasPrefix(importPath, n+"/") {
			return "forbidden in " + dir
		}
	}
	return ""
}

// staleImports rejects a line of the table imports whose package does not exist.
func staleImports(t *tree) (out []finding) {
	have := t.packages()
	for dir := range imports {
		if _, ok := have[dir]; !ok {
			out = append(out, finding{dir, "in the table of imports, not in the tree"})
		}
	}
	return out
}

const maxDepth = 6

// importDepth limits the longest chain of imports within the server.
func importDepth(t *tree) (out []finding) {
	edges := map[string][]string{}
	for dir, files := range t.packages() {
		for _, f := range files {
			for _, p := range f.imports() {
				// The public module is a dependency like any other.
				if r, ours := packageOf(p); ours && !strings.HasPrefix(r, "sdk/") && !slices.Contains(edges[dir], r) {
					edges[dir] = append(edges[dir], r)
				}
			}
		}
	}
	for dir := range t.packages() {
		if chain := longest(edges, dir); len(chain) > maxDepth {
			out = append(out, finding{dir, fmt.Sprintf("%d packages deep, %d is the most: %s", len(chain), maxDepth, strings.Join(chain, " → "))})
		}
	}
	return out
}

// longest returns the longest chain of imports. Go allows no cycles.
func longest(edges map[string][]string, dir string) []string {
	var best []string
	for _, next := range edges[dir] {
		if c := longest(edges, next); len(c) > len(best) {
			best = c
		}
	}
	return append([]string{path.Clean(dir)}, best...)
}
