package archtest

// exceptions are the places that a rule lets off: rule, then place, then why.
// One that the rule would no longer complain about fails the test.
var exceptions = map[string]map[string]string{
	"environment": {
		"internal/app/memory.go":                    "GOGC is the Go runtime's own variable, which an operator may have set; it is no setting of ours",
		"internal/store/storetest/pgtest/pgtest.go": "tests alone use it, and it must know whether a missing server may be skipped",
	},
}
