package archtest

// exceptions maps a rule and a place to the reason for which the place may break
// the rule. An exception that is no longer needed fails the test.
var exceptions = map[string]map[string]string{
	"environment": {
		"internal/app/memory.go":                    "GOGC is the Go runtime's own variable, which an operator may have set; it is no setting of ours",
		"internal/store/storetest/pgtest/pgtest.go": "tests alone use it, and it must know whether a missing server may be skipped",
	},
}
