// Package archtest holds the house rules of this module as tests: sizes,
// shapes, who may import whom, who may read the environment or a secret.
//
// It stands beside both paths, reads their source text with go/parser and
// runs none of it. The rules are in rules_*_test.go, the rooms and their
// doors in rooms_test.go, a source that breaks each rule in controls_test.go,
// and whatever is let off, with its reason, in exceptions_test.go.
package archtest
