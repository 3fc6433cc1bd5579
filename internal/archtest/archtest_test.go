package archtest

import (
	"slices"
	"strings"
	"testing"
)

// finding is one place that breaks a rule.
type finding struct {
	where string // "internal/keys/keys.go Service.Create"
	what  string
}

// rules are the rules of the module.
var rules = []struct {
	name  string
	check func(*tree) []finding
}{
	{"file length", fileLength},
	{"function length", functionLength},
	{"wiring length", wiringLength},
	{"parameters", parameters},
	{"interface size", interfaceSize},
	{"no init", noInit},
	{"constant variables", constantVariables},
	{"quiet constructors", quietConstructors},
	{"package names", packageNames},
	{"package comments", packageComments},
	{"exported docs", exportedDocs},
	{"noun clauses", nounClauses},
	{"verb docs", verbDocs},
	{"docs say more", saysMore},
	{"loose ends", looseEnds},
	{"no sleep", noSleep},
	{"imports", importRules},
	{"stale imports", staleImports},
	{"import depth", importDepth},
	{"environment", environment},
	{"revealed once", revealedOnce},
}

// Guarantee: the repository keeps every rule, or names the exception and its reason.
func TestRules(t *testing.T) {
	module := load(t)
	if len(module.files) < 20 {
		t.Fatalf("only %d Go files found: the rules would pass on nothing", len(module.files))
	}
	for _, r := range rules {
		t.Run(dashed(r.name), func(t *testing.T) {
			excused := exceptions[r.name]
			used := map[string]bool{}
			for _, f := range sorted(r.check(module)) {
				if excused[f.where] != "" {
					used[f.where] = true
					continue
				}
				t.Errorf("%s: %s", f.where, f.what)
			}
			for where := range excused {
				if !used[where] {
					t.Errorf("%s: the exception is no longer needed, take it out", where)
				}
			}
		})
	}
	for name := range exceptions {
		if !isRule(name) {
			t.Errorf("an exception from %q, which is no rule", name)
		}
	}
}

// Guarantee: every rule reports a source that breaks it, with the place, and does not
// report the corrected source.
func TestRulesCanFail(t *testing.T) {
	for _, r := range rules {
		own := slices.DeleteFunc(slices.Clone(controls), func(c control) bool { return c.rule != r.name })
		if len(own) == 0 {
			t.Errorf("the rule %q has no control", r.name)
		}
		for _, c := range own {
			t.Run(dashed(r.name+"/"+c.name), func(t *testing.T) {
				found := sorted(r.check(parse(t, c.breaks)))
				if !slices.ContainsFunc(found, func(f finding) bool { return strings.HasPrefix(f.where, c.where) }) {
					t.Errorf("nothing said about %s, only %v", c.where, found)
				}
				for _, f := range r.check(parse(t, c.keeps)) {
					if strings.HasPrefix(f.where, c.where) {
						t.Errorf("put right, and still: %s: %s", f.where, f.what)
					}
				}
			})
		}
	}
}

func isRule(name string) bool {
	for _, r := range rules {
		if r.name == name {
			return true
		}
	}
	return false
}

func dashed(name string) string { return strings.ReplaceAll(name, " ", "-") }

func sorted(f []finding) []finding {
	slices.SortFunc(f, func(a, b finding) int { return strings.Compare(a.where+a.what, b.where+b.what) })
	return f
}
