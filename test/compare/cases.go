package main

import (
	"fmt"
	"time"
)

// The targets, in the order of the tables.
const (
	targetToksta   = "Toksta"
	targetBare     = "net/http, 200"
	targetDecision = "net/http, decision"
	targetHAProxy  = "HAProxy, map of digests"
	targetMap      = "nginx, map"
	targetLua      = "nginx, Lua"
	targetAuth     = "nginx, auth_request"
	targetCaddy    = "Caddy, no authentication"
)

var targetNames = []string{
	targetToksta, targetBare, targetDecision, targetHAProxy, targetMap, targetLua, targetAuth, targetCaddy,
}

// scenarioHealth is the scenario in which the bare server is measured.
const scenarioHealth = "health"

// The request targets that every configuration in conf serves.
const (
	pathHealth = "/health"
	pathCall   = "/v1/creators/7"
	pathDenied = "/v1/campaigns" // of a family that the plan lacks
	pathUsage  = "/v1/account/usage"
)

// The files of secrets in the working directory.
const (
	keysSpread  = "spread.secrets"  // all imported keys
	keysHot     = "hot.secrets"     // the first hotKeys of them
	keysUnknown = "unknown.secrets" // keys that were never imported
)

const (
	accounts       = 1000
	keysPerAccount = 100
	hotKeys        = 1000
	unknownKeys    = 100_000
)

// benchCase is one request pattern at one number of connections.
type benchCase struct {
	name, title string
	path        string
	keys        string // file of secrets; "": without a credential
	status      int    // of every response
	connections int
	rate        int  // calls a second; 0: as many as the target responds to
	changes     int  // of keys, a second, meanwhile
	counted     bool // Toksta counts the calls and flushes the counts
	upstream    bool // the upstream responds, not the target
	targets     []string
}

// cases returns all cases in the order of the report.
func cases() []benchCase {
	own := []string{targetToksta, targetBare, targetHAProxy, targetMap, targetCaddy}
	deciding := []string{targetToksta, targetDecision, targetHAProxy, targetMap, targetLua, targetAuth}
	calling := append(append([]string{}, deciding...), targetCaddy)
	health := benchCase{name: scenarioHealth, title: "`GET /health`", path: pathHealth, status: 200, targets: own}
	unknown := benchCase{name: "401", title: "Rejection 401, 100,000 unknown keys", path: pathCall, keys: keysUnknown, status: 401, targets: deciding}
	denied := benchCase{name: "403", title: "Rejection 403, 1,000 keys", path: pathDenied, keys: keysHot, status: 403, counted: true, targets: deciding}
	hot := benchCase{name: "hot", title: "Call to the upstream, 1,000 keys", path: pathCall, keys: keysHot, status: 200, counted: true, upstream: true, targets: calling}
	spread := benchCase{name: "spread", title: "Call to the upstream, 100,000 keys of 1,000 accounts", path: pathCall, keys: keysSpread, status: 200, counted: true, upstream: true, targets: calling}
	usage := benchCase{name: "usage", title: "`GET /v1/account/usage`, 100 keys in the account", path: pathUsage, keys: keysHot, status: 200, counted: true, targets: []string{targetToksta}}
	var out []benchCase
	for _, c := range []benchCase{health, unknown, denied, hot, spread, usage} {
		c.connections = 64
		out = append(out, c)
	}
	for _, c := range []benchCase{health, unknown, denied, hot, spread} {
		c.connections = 1
		out = append(out, c)
	}
	steady := spread
	steady.name, steady.title = "steady", fmt.Sprintf("Call to the upstream at %d calls/s, 100,000 keys of 1,000 accounts", steadyRate)
	steady.connections, steady.rate, steady.targets = 64, steadyRate, []string{targetToksta, targetDecision, targetHAProxy}
	return append(out, steady)
}

// steadyRate is the number of calls a second of the cases with a fixed rate, and
// changeRate the number of changes a second beside them.
const (
	steadyRate = 500
	changeRate = 200
)

// changeCases returns the cases with Toksta on two cores, first the one without changes.
func changeCases() []benchCase {
	unchanged := benchCase{
		name: "unchanged", path: pathCall, keys: keysSpread, status: 200,
		connections: 64, rate: steadyRate, counted: true, upstream: true, targets: []string{targetToksta},
	}
	changed := unchanged
	changed.name, changed.changes = "changed", changeRate
	return []benchCase{unchanged, changed}
}

// flushInterval is the default of Toksta's meter.flush_interval.
const flushInterval = 5 * time.Second

// duration returns the length of one measurement, of at most longest. A case that is
// counted needs a whole flush interval, so that the cost of flushing is part of it;
// the others are measured for 2 s.
func (c benchCase) duration(longest time.Duration) time.Duration {
	if c.counted && c.connections > 1 {
		return longest
	}
	return min(longest, 2*time.Second)
}

// warmUp returns the length of the load before a measurement. Toksta needs a flush
// interval of it, so that the first flush that is measured writes this case's counts.
func (c benchCase) warmUp(target string, longest time.Duration) time.Duration {
	if target == targetToksta && c.counted && c.connections > 1 {
		return min(longest, flushInterval)
	}
	return 0
}
