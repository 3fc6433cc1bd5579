package archtest

import "strings"

// one returns a module of a single file.
func one(path, source string) map[string]string {
	return map[string]string{path: source}
}

// control is a small module that breaks a rule, and the same module corrected.
type control struct {
	rule   string
	name   string
	breaks map[string]string
	where  string // start of the place that the rule must name
	keeps  map[string]string
}

// controls has at least one control for every rule, which proves that the rule can fail.
var controls = []control{
	{
		rule: "file length", name: "a long file", where: "internal/keys/a.go",
		breaks: one("internal/keys/a.go", "package keys\n"+strings.Repeat("\n", maxFile)),
		keeps:  one("internal/keys/a.go", "package keys\n"),
	},
	{
		rule: "file length", name: "a long test", where: "internal/keys/a_test.go",
		breaks: one("internal/keys/a_test.go", "package keys\n"+strings.Repeat("\n", maxTestFile)),
		keeps:  one("internal/keys/a_test.go", "package keys\n"+strings.Repeat("\n", maxFile)),
	},
	{
		rule: "function length", name: "a long method", where: "internal/keys/a.go Service.Do",
		breaks: one("internal/keys/a.go", "package keys\nfunc (s *Service) Do() {"+strings.Repeat("\n", maxFunction)+"}\n"),
		keeps:  one("internal/keys/a.go", "package keys\nfunc (s *Service) Do() {"+strings.Repeat("\n", maxFunction-1)+"}\n"),
	},
	{
		rule: "wiring length", name: "longer than wiring may be", where: "internal/app/a.go New",
		breaks: one("internal/app/a.go", "package app\nfunc New() {"+strings.Repeat("\n", maxTestFunction)+"}\n"),
		keeps:  one("internal/app/a.go", "package app\nfunc New() {"+strings.Repeat("\n", maxFunction+1)+"}\n"),
	},
	{
		rule: "parameters", name: "five", where: "internal/keys/a.go Do",
		breaks: one("internal/keys/a.go", "package keys\nfunc Do(a, b, c, d, e int) {}\n"),
		keeps:  one("internal/keys/a.go", "package keys\nfunc (e E) Do(a, b, c, d int) {}\n"),
	},
	{
		rule: "interface size", name: "four methods", where: "internal/web/a.go I",
		breaks: one("internal/web/a.go", "package web\ntype I interface { A(); B(); C(); D() }\n"),
		keeps:  one("internal/web/a.go", "package web\ntype I interface { A(); B(); C() }\n"),
	},
	{
		rule: "no init", name: "an init", where: "internal/keys/a.go init",
		breaks: one("internal/keys/a.go", "package keys\nfunc init() {}\n"),
		keeps:  one("internal/keys/a.go", "package keys\nfunc (s S) init() {}\n"),
	},
	{
		rule: "constant variables", name: "an element is set", where: "internal/keys/b.go:3",
		breaks: map[string]string{
			"internal/keys/a.go": "package keys\nvar table = map[string]int{}\n",
			"internal/keys/b.go": "package keys\nfunc f() {\n\ttable[\"a\"] = 1\n}\n",
		},
		keeps: map[string]string{
			"internal/keys/a.go": "package keys\nvar table = map[string]int{}\n",
			"internal/keys/b.go": "package keys\nfunc f() {\n\ttable := map[string]int{}; table[\"a\"] = 1\n}\n",
		},
	},
	{
		rule: "constant variables", name: "of another package", where: "internal/web/a.go:3",
		breaks: map[string]string{
			"sdk/toksta/error.go": "package toksta\nvar Err error\n",
			"internal/web/a.go":   "package web\nimport \"" + module + "/sdk/toksta\"\nfunc f() { toksta.Err = nil }\n",
		},
		keeps: map[string]string{
			"sdk/toksta/error.go": "package toksta\nvar Err error\n",
			"internal/web/a.go":   "package web\nimport \"" + module + "/sdk/toksta\"\nfunc f() { _ = toksta.Err }\n",
		},
	},
	{
		rule: "constant variables", name: "its address is taken", where: "internal/web/a.go:3",
		breaks: one("internal/web/a.go", "package web\nvar n int\nfunc f() *int { return &n }\n"),
		keeps:  one("internal/web/a.go", "package web\nvar n int\nfunc f() int { return n }\n"),
	},
	{
		rule: "constant variables", name: "a lock", where: "internal/web/a.go mu",
		breaks: one("internal/web/a.go", "package web\nimport \"sync\"\nvar mu sync.Mutex\n"),
		keeps:  one("internal/web/a.go", "package web\nimport \"sync\"\ntype T struct { mu sync.Mutex }\n"),
	},
	{
		rule: "quiet constructors", name: "a goroutine within a literal", where: "internal/meter/a.go OpenFile",
		breaks: one("internal/meter/a.go", "package meter\nfunc OpenFile() { func() { go f() }() }\n"),
		keeps:  one("internal/meter/a.go", "package meter\nfunc (f *F) Run() { go f.g() }\n"),
	},
	{
		rule: "package names", name: "a drawer", where: "internal/util",
		breaks: one("internal/util/a.go", "package util\n"),
		keeps:  one("internal/keys/a.go", "package keys\n"),
	},
	{
		rule: "package comments", name: "none", where: "internal/keys",
		breaks: one("internal/keys/a.go", "package keys\n"),
		keeps:  one("internal/keys/a.go", "// Package keys is.\npackage keys\n"),
	},
	{
		rule: "package comments", name: "the name before a renaming", where: "internal/keys",
		breaks: one("internal/keys/a.go", "// Package key is.\npackage keys\n"),
		keeps:  one("internal/keys/a.go", "// Package keys is.\npackage keys\n"),
	},
	{
		rule: "exported docs", name: "a method", where: "internal/keys/a.go Service.Create",
		breaks: one("internal/keys/a.go", "package keys\nfunc (s *Service) Create() {}\n"),
		keeps:  one("internal/keys/a.go", "package keys\n// Create makes.\nfunc (s *Service) Create() {}\nfunc (s *service) Create() {}\n"),
	},
	{
		rule: "exported docs", name: "a constant", where: "internal/keys/a.go Max",
		breaks: one("internal/keys/a.go", "package keys\nconst Max = 1\n"),
		keeps:  one("internal/keys/a.go", "package keys\nconst Max = 1 // keys of an account\n"),
	},
	{
		rule: "noun clauses", name: "a planted sentence", where: "internal/keys",
		breaks: one("internal/keys/a.go", "package keys\n"+strings.Repeat("// a writes what is pending for whoever waits.\nvar a int\n", 3)),
		keeps:  one("internal/keys/a.go", "package keys\n"+strings.Repeat("// a writes the pending changes for a caller who waits, or says what to do.\nvar a int\n", 3)),
	},
	{
		rule: "verb docs", name: "a function that is", where: "internal/keys",
		breaks: one("internal/keys/a.go", "package keys\n// a is the account.\nfunc a() {}\n// b is the balance.\nfunc b() {}\n"),
		keeps:  one("internal/keys/a.go", "package keys\n// a reads the account.\nfunc a() {}\n// b adds up the balance.\nfunc b() {}\n"),
	},
	{
		rule: "docs say more", name: "a repeated name", where: "internal/keys/a.go:3 Key.Name",
		breaks: one("internal/keys/a.go", "package keys\n// Name returns the name of the key.\nfunc (k *Key) Name() {}\n"),
		keeps:  one("internal/keys/a.go", "package keys\n// Name returns the name that its owner chose, never empty.\nfunc (k *Key) Name() {}\n"),
	},
	{
		rule: "loose ends", name: "in a comment", where: "internal/keys/a.go:2",
		breaks: one("internal/keys/a.go", "package keys\n// TO"+"DO later\n"),
		keeps:  one("internal/keys/a.go", "package keys\n// done\n"),
	},
	{
		rule: "loose ends", name: "in a document", where: "docs/a.md",
		breaks: one("docs/a.md", "FIX"+"ME\n"),
		keeps:  one("docs/a.md", "fixed\n"),
	},
	{
		rule: "no sleep", name: "a sleep", where: "internal/keys/a_test.go:4",
		breaks: one("internal/keys/a_test.go", "package keys\nimport \"time\"\nfunc f() {\n\ttime.Sleep(1)\n}\n"),
		keeps:  one("internal/keys/a.go", "package keys\nimport \"time\"\nfunc f() {\n\ttime.Sleep(1)\n}\n"),
	},
	{
		rule: "imports", name: "the request path to the store", where: "internal/verify/a.go " + module + "/internal/store",
		breaks: one("internal/verify/a.go", "package verify\nimport _ \""+module+"/internal/store\"\n"),
		keeps:  one("internal/verify/a.go", "package verify\nimport _ \""+module+"/internal/index\"\n"),
	},
	{
		rule: "imports", name: "the root to HTTP", where: "sdk/toksta/key.go net/http",
		breaks: one("sdk/toksta/key.go", "package toksta\nimport _ \"net/http\"\n"),
		keeps:  one("sdk/toksta/key.go", "package toksta\nimport _ \"net/netip\"\n"),
	},
	{
		rule: "imports", name: "a dir without a line", where: "internal/attic",
		breaks: one("internal/attic/a.go", "package attic\n"),
		keeps:  one("internal/keys/a.go", "package keys\n"),
	},
	{
		rule: "stale imports", name: "a line without a dir", where: "internal/keys",
		breaks: one("internal/web/a.go", "package web\n"),
		keeps:  one("internal/keys/a.go", "package keys\n"),
	},
	{
		rule: "import depth", name: "seven", where: "a",
		breaks: chain("a", "b", "c", "d", "e", "f", "g"),
		keeps:  chain("a", "b", "c", "d", "e", "f"),
	},
	{
		rule: "environment", name: "a reader elsewhere", where: "internal/web/a.go",
		breaks: one("internal/web/a.go", "package web\nimport \"os\"\nvar e = os.Getenv(\"A\")\n"),
		keeps:  one("internal/config/a.go", "package config\nimport \"os\"\nvar e = os.Getenv(\"A\")\n"),
	},
	{
		rule: "revealed once", name: "one more reader", where: "internal/gateway/a.go f",
		breaks: one("internal/gateway/a.go", "package gateway\nfunc f(s S) string { return s.Reveal() }\n"),
		keeps:  one("internal/gateway/a.go", "package gateway\nfunc f(s S) string { return s.String() }\n"),
	},
}

// chain returns a module in which each package imports the next.
func chain(names ...string) map[string]string {
	out := map[string]string{}
	for i, name := range names {
		source := "package " + name + "\n"
		if i+1 < len(names) {
			source += "import _ \"" + module + "/" + names[i+1] + "\"\n"
		}
		out[name+"/a.go"] = source
	}
	return out
}
