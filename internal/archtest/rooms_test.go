package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// rooms is every package with what it may import of ours. A package that is
// not in the table has no place in the plan yet: give it a line here and in
// docs/architecture.md.
var rooms = map[string][]string{
	"sdk/toksta":   {},
	"sdk/httpauth": {"sdk/toksta"},
	"sdk/client":   {"sdk/toksta", "sdk/httpauth"},

	// Text that people wrote, from files and requests.
	"internal/text": {"sdk/toksta"},

	"internal/config": {"sdk/toksta", "internal/text"},
	"internal/route":  {"sdk/toksta"},

	// The vendor's mail server.
	"internal/mail": {"internal/text"},
	// One of its own for tests of any package.
	"internal/mail/mailtest": {},

	// The one value of a request, to which each stage adds its part.
	"internal/exchange":  {"sdk/toksta", "sdk/httpauth"},
	"internal/telemetry": {"sdk/toksta", "sdk/httpauth", "internal/exchange"},

	// The connections of clients, whatever they are used for.
	"internal/downstream": {},

	// The request path: none of it can reach the database.
	"internal/index":     {"sdk/toksta"},
	"internal/ratelimit": {"sdk/toksta"},
	// Redis, and nothing but counts in it.
	"internal/sharedrate": {"sdk/toksta", "internal/ratelimit"},
	"internal/verify":     {"sdk/toksta", "internal/index", "internal/ratelimit", "internal/meter"},
	"internal/admit":      {"sdk/toksta", "sdk/httpauth", "internal/exchange", "internal/route"},
	"internal/gateway":    {"sdk/toksta", "sdk/httpauth", "internal/admit", "internal/downstream", "internal/exchange", "internal/route"},

	// Starts a Redis of its own for tests of any package.
	"internal/sharedrate/redistest": {},

	// The mutation path.
	"internal/keys":       {"sdk/toksta", "internal/store", "internal/text"},
	"internal/accounts":   {"sdk/toksta", "internal/store", "internal/text"},
	"internal/signin":     {"sdk/toksta", "internal/store", "internal/text"},
	"internal/changefeed": {"sdk/toksta", "internal/index", "internal/store"},

	// Balances is on the request path: verify calls it through an interface of its
	// own, so that it cannot reach Service and the database behind that.
	"internal/credits": {"sdk/toksta", "internal/store"},

	// What was used: written, then read.
	"internal/meter": {"sdk/toksta", "internal/store"},
	"internal/usage": {"sdk/toksta", "internal/credits", "internal/store"},
	// Told to whatever bills for it.
	"internal/export": {"sdk/toksta", "internal/store", "internal/text"},

	// What happens to accounts, told to the vendor and the customer.
	"internal/events": {"sdk/toksta", "sdk/client", "internal/credits", "internal/store", "internal/text"},

	"internal/store":           {"sdk/toksta"},
	"internal/store/sqlstore":  {"sdk/toksta", "internal/store", "internal/text"},
	"internal/store/storetest": {"sdk/toksta", "internal/store"},
	// Starts a PostgreSQL of its own for tests of any package.
	"internal/store/storetest/pgtest": {},

	// The doors that people and programs come through.
	// They may say store's words (a page, a query, a repeated request) to the
	// services, and can hold no database: sqlstore and index have no door here.
	"internal/api":       {"sdk/toksta", "sdk/httpauth", "internal/store", "internal/usage", "internal/exchange"},
	"internal/operator":  {"sdk/toksta", "sdk/httpauth", "sdk/client", "internal/store", "internal/keys", "internal/credits", "internal/accounts", "internal/signin", "internal/usage", "internal/mail", "internal/events", "internal/exchange", "internal/text"},
	"internal/web":       {"sdk/toksta", "sdk/httpauth", "internal/store", "internal/keys", "internal/accounts", "internal/signin", "internal/usage", "internal/exchange", "internal/text", "internal/web/page", "internal/web/chart", "internal/web/view"},
	"internal/web/page":  {"internal/web/chart", "internal/web/view"},
	"internal/web/chart": {"internal/web/view"},
	"internal/web/view":  {"sdk/toksta"},

	"internal/demo": {"sdk/toksta", "sdk/client"},
	"internal/app":  {"*"},
	// Runs whole servers for the tests in test/e2e and test/scale.
	"internal/app/apptest": {"sdk/toksta", "sdk/client", "internal/app", "internal/config", "internal/demo", "internal/telemetry"},
	"internal/archtest":    {},
	"cmd/toksta":           {"sdk/toksta", "sdk/client", "internal/app", "internal/config", "internal/demo", "internal/store/sqlstore", "internal/telemetry", "internal/text"},

	// The protocol played through in a model of many nodes and bad networks.
	"internal/simulate": {},
	"cmd/simulate":      {"internal/simulate"},

	// A cluster under faults, seen from outside.
	"internal/rig":   {"sdk/toksta", "sdk/client"},
	"cmd/toksta-rig": {"internal/rig"},
}

// never is what a room must not import of others, by the start of the path.
var never = map[string][]string{
	"sdk/toksta":              {"net/http", "database/sql", "log", "os", "golang.org", "github.com"},
	"internal/keys":           {"net/http", "database/sql"},
	"internal/accounts":       {"net/http", "database/sql"},
	"internal/signin":         {"net/http", "database/sql"},
	"internal/store":          {"net/http", "database/sql"},
	"internal/store/sqlstore": {"net/http"},
	"internal/index":          {"net/http", "database/sql", "os"},
	"internal/ratelimit":      {"net/http", "database/sql", "os"},
	"internal/sharedrate":     {"net/http", "database/sql", "os"},
	"internal/credits":        {"net/http", "database/sql", "os"},
	"internal/verify":         {"net/http", "database/sql", "os"},
	"internal/exchange":       {"net/http", "database/sql", "os"},
	"internal/admit":          {"net/http", "database/sql", "os"},
	"internal/gateway":        {"database/sql"},
	"internal/route":          {"database/sql", "os"},
	"internal/web":            {"database/sql"},
	"internal/api":            {"database/sql"},
	"internal/operator":       {"database/sql"},
	"sdk/httpauth":            {"database/sql", "golang.org", "github.com"},
	"sdk/client":              {"database/sql", "golang.org", "github.com"},
}

// roomOf turns an import path into a room.
func roomOf(importPath string) (room string, ours bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// importRules holds both tables.
func importRules(t *tree) (out []finding) {
	for room, files := range t.rooms() {
		allowed, listed := rooms[room]
		if !listed {
			out = append(out, finding{room, "not in the table of rooms"})
			continue
		}
		for _, f := range files {
			for _, p := range f.imports() {
				if why := refused(room, allowed, p); why != "" {
					out = append(out, finding{f.path + " " + p, why})
				}
			}
		}
	}
	return out
}

func refused(room string, allowed []string, importPath string) string {
	if r, ours := roomOf(importPath); ours {
		if !slices.Contains(allowed, r) && !slices.Contains(allowed, "*") {
			return "the room " + room + " has no door to " + r
		}
		return ""
	}
	for _, n := range never[room] {
		if importPath == n || strings.HasPrefix(importPath, n+"/") {
			return "never in the room " + room
		}
	}
	return ""
}

// emptyRooms: a line for a package that is gone tells a wrong plan.
func emptyRooms(t *tree) (out []finding) {
	have := t.rooms()
	for room := range rooms {
		if _, ok := have[room]; !ok {
			out = append(out, finding{room, "in the table of rooms, not in the tree"})
		}
	}
	return out
}

const maxDepth = 6

// importDepth keeps the longest chain of our packages short enough to hold in
// the head.
func importDepth(t *tree) (out []finding) {
	edges := map[string][]string{}
	for room, files := range t.rooms() {
		for _, f := range files {
			for _, p := range f.imports() {
				// The public module is a dependency like any other.
				if r, ours := roomOf(p); ours && !strings.HasPrefix(r, "sdk/") && !slices.Contains(edges[room], r) {
					edges[room] = append(edges[room], r)
				}
			}
		}
	}
	for room := range t.rooms() {
		if chain := longest(edges, room); len(chain) > maxDepth {
			out = append(out, finding{room, fmt.Sprintf("%d packages deep, %d is the most: %s", len(chain), maxDepth, strings.Join(chain, " → "))})
		}
	}
	return out
}

// longest returns the longest chain of imports; Go allows no cycles in it.
func longest(edges map[string][]string, room string) []string {
	var best []string
	for _, next := range edges[room] {
		if c := longest(edges, next); len(c) > len(best) {
			best = c
		}
	}
	return append([]string{path.Clean(room)}, best...)
}
