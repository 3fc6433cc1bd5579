package httpauth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// single returns the value of a field that was sent once, or "".
func single(lines []string) string {
	if len(lines) != 1 {
		return ""
	}
	return lines[0]
}

// setHeader sets the fields of the response. Exposed fields and Vary are added to the
// ones that are set, because code for CORS in front of this handler sets them too.
func (p *Reply) setHeader(h http.Header) {
	for name, values := range p.Header {
		if name != headerExpose && name != "Vary" {
			h[name] = slices.Clone(values)
			continue
		}
		for _, value := range values {
			if !slices.Contains(h[name], value) {
				h.Add(name, value)
			}
		}
	}
}

// handled returns the request for the handler: without the fields that only the
// decision may set, with those of the decision, and with the decision in its context.
// d is nil if there is no decision.
func (g *guard) handled(r *http.Request, d *Decision) *http.Request {
	ctx := r.Context()
	identity := newIdentity(&Decision{})
	if d != nil {
		ctx = context.WithValue(ctx, contextKey{}, d)
		identity = newIdentity(d)
	}
	out := r.WithContext(ctx)
	out.Header = make(http.Header, len(r.Header)+len(identity.set))
	for name, values := range r.Header {
		switch {
		case identity.owns(name), overrides(name), name == "Authorization" && !g.keepAuthorization:
		case name == "Upgrade" && !isWebSocket(values), name == "Http2-Settings":
			// Another protocol, such as h2c, could carry further requests without a decision.
		case name == "Connection":
			if kept := identity.connection(values); len(kept) > 0 {
				out.Header[name] = kept
			}
		default:
			out.Header[name] = values
		}
	}
	if parent := identity.set[HeaderTraceparent]; parent == "" || parent != single(r.Header[HeaderTraceparent]) {
		delete(out.Header, "Tracestate") // it belongs to the client's own Traceparent
	}
	for name, value := range identity.set {
		out.Header[name] = []string{value}
	}
	return out
}

// isWebSocket reports whether an Upgrade field names WebSocket and nothing else.
func isWebSocket(values []string) bool {
	return len(values) == 1 && strings.EqualFold(values[0], "websocket")
}

// identity holds the fields of the request that only the decision may set.
type identity struct {
	set      map[string]string // by canonical name
	names    map[string]bool   // folded
	prefixes []string          // folded, each with a hyphen at its end
}

// newIdentity returns the fields of d.
func newIdentity(d *Decision) *identity {
	out := &identity{set: make(map[string]string, len(d.Identity)), names: make(map[string]bool, len(d.Identity))}
	for name, value := range d.Identity {
		out.set[http.CanonicalHeaderKey(name)] = value
		out.names[fold(name)] = true
	}
	out.prefixes = []string{fold(DefaultPrefix + "-")}
	if d.IdentityPrefix != "" {
		out.prefixes = append(out.prefixes, fold(d.IdentityPrefix))
	}
	return out
}

// owns reports whether a client must not send a field of this name, in any spelling.
func (i *identity) owns(name string) bool {
	folded := fold(name)
	if i.names[folded] {
		return true
	}
	for _, prefix := range i.prefixes {
		if strings.HasPrefix(folded, prefix) {
			return true
		}
	}
	return false
}

// overrides reports whether a field states another method, target or part of the path
// than the decided ones, which code behind the decision could believe. Gunicorn and
// Daphne cut the part of the path off.
func overrides(name string) bool {
	folded := fold(name)
	switch folded {
	case "x-rewrite-url", "x-http-method-override", "x-http-method", "x-method-override",
		"script-name", "x-script-name", "path-info", "daphne-root-path":
		return true
	}
	return strings.HasPrefix(folded, "x-original-")
}

// connection returns the options of a Connection field without the names of identity
// fields: a proxy behind the handler would remove the fields that Connection names.
func (i *identity) connection(lines []string) (kept []string) {
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.Trim(option, " \t"); option != "" && !i.owns(option) {
				kept = append(kept, option)
			}
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return []string{strings.Join(kept, ", ")}
}

// fold returns a field name in the form in which some programs compare it: in lower
// case, with "-" for every character that is not a letter or a digit.
func fold(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'A' <= c && c <= 'Z':
			return c | 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			return c
		}
		return '-'
	}, name)
}

// maxID is the length of the longest request id that is accepted from a client.
const maxID = 64

// localMeta returns the ids of a response that is made without a decision.
func localMeta(r *http.Request) *Meta {
	now := time.Now()
	m := &Meta{RequestID: single(r.Header[HeaderRequestID]), TraceID: single(r.Header[HeaderTraceID]), Now: now}
	if !isID(m.RequestID) {
		m.RequestID = toksta.NewID(toksta.PrefixRequest, now)
	}
	if parent := single(r.Header[HeaderTraceparent]); len(parent) == 55 {
		m.TraceID = parent[3:35]
	}
	if !isID(m.TraceID) {
		var random [16]byte
		_, _ = rand.Read(random[:])
		m.TraceID = hex.EncodeToString(random[:])
	}
	return m
}

// isID reports whether an id of a client can be repeated in a response.
func isID(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && strings.IndexByte("-._", c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= maxID
}
