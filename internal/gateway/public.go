package gateway

import (
	"encoding/base64"
	"strings"
	"sync/atomic"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// PublicCalls counts the calls of a public route since the start of the process.
type PublicCalls struct {
	Operation string
	Calls     int64
	Failed    int64 // of Calls, with a status of 400 or above
}

// counter is the state behind PublicCalls.
type counter struct{ calls, failed atomic.Int64 }

// end counts the status of a call; 0 stands for a call without a response.
func (c *counter) end(status int) {
	if status >= 400 || status == 0 {
		c.failed.Add(1)
	}
}

// PublicCalls returns the counters of the public routes, in the order of the configuration.
func (g *Gateway) PublicCalls() []PublicCalls {
	out := []PublicCalls{}
	for _, r := range g.chain.Routes.Routes() {
		c := g.public[r.Operation]
		if c == nil || !r.Public || len(out) > 0 && out[len(out)-1].Operation == r.Operation {
			continue
		}
		out = append(out, PublicCalls{Operation: r.Operation, Calls: c.calls.Load(), Failed: c.failed.Load()})
	}
	return out
}

// Keys recognises keys of this system in requests without a decision.
type Keys struct {
	Prefix string                                // of secrets
	Known  func(digest toksta.Digest) (yes bool) // of a key in any state; nil: none is known
}

// in reports whether a value of Authorization contains a key: in the form of Bearer or Basic, mistyped
// behind its prefix, or imported without the prefix.
func (k Keys) in(value string) bool {
	if digest, err := httpauth.Credential([]string{value}); err == nil && k.Known != nil && k.Known(digest) {
		return true
	}
	if k.Prefix == "" {
		return false
	}
	if strings.Contains(value, k.Prefix) {
		return true
	}
	scheme, encoded, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return false
	}
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(encoded), "="))
	return err != nil || strings.Contains(string(decoded), k.Prefix)
}
