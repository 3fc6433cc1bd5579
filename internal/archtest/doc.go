// Package archtest holds the rules of the repository as tests: sizes, shapes,
// language, imports, and the readers of the environment and of secrets.
//
// It reads the source text with go/parser and runs none of it. The rules are in
// rules_*_test.go, the table of imports in imports_test.go, a source that breaks
// each rule in controls_test.go, and the exceptions with their reasons in
// exceptions_test.go.
package archtest
