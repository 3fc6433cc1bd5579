package gateway

import (
	"net/http"
	"strings"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// The identity that the upstream may trust, because nobody else can set it.
const (
	HeaderAccountID = "X-Toksta-Account-Id"
	HeaderKeyID     = "X-Toksta-Key-Id"
	HeaderPlan      = "X-Toksta-Plan"
	HeaderScopes    = "X-Toksta-Scopes"
)

// folded is a field name as back ends fold it together: lower case, with "-"
// for whatever is no letter or digit, since CGI and its heirs make "_" of it.
// Longer names than it holds are none of ours.
type folded struct {
	text [32]byte
	size int
}

// fold folds name on the stack.
func fold(name string) (f folded) {
	f.size = copy(f.text[:], name)
	for i, c := range f.text[:f.size] {
		switch {
		case 'A' <= c && c <= 'Z':
			f.text[i] = c | 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		default:
			f.text[i] = '-'
		}
	}
	return f
}

// has reports whether the folded name starts with prefix.
func (f *folded) has(prefix string) bool {
	return f.size >= len(prefix) && string(f.text[:len(prefix)]) == prefix
}

// fromClient reports whether a client's field must not reach the upstream: it
// carries the key or a browser's session (pages and API may share an origin,
// and keys are the only way in), states an identity or an address that only we
// may state, or would make the upstream see another method or path than the
// one decided on.
func fromClient(name string) bool {
	f := fold(name)
	if f.has("x-toksta-") || f.has("x-forwarded-") || f.has("x-original-") {
		return true
	}
	switch string(f.text[:f.size]) {
	case "authorization", "cookie", "x-request-id", "x-trace-id", "traceparent",
		"forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x-rewrite-url",
		"x-http-method-override", "x-http-method", "x-method-override":
		return true
	}
	return false
}

// fromUpstream reports whether an upstream's field of that name is ours to set.
func fromUpstream(name string) bool {
	f := fold(name)
	if f.has("x-toksta-") || f.has("x-ratelimit-") {
		return true
	}
	switch string(f.text[:f.size]) {
	case "x-request-id", "x-trace-id", "ratelimit", "ratelimit-policy":
		return true
	}
	return false
}

// strip deletes the fields whose names are ours, in every spelling.
func strip(h http.Header, ours func(name string) bool) {
	for name := range h {
		if ours(name) {
			delete(h, name)
		}
	}
}

// identify sets the fields that name the caller and the request to the upstream;
// parent is the trace context that the client sent. A trace state without its
// trace context would mislead, so it is deleted.
func identify(h http.Header, x *exchange.Exchange, parent string) {
	h.Set(HeaderAccountID, string(x.Principal.AccountID))
	h.Set(HeaderKeyID, string(x.Principal.KeyID))
	h.Set(HeaderPlan, string(x.Principal.Plan))
	h.Set(HeaderScopes, joinFamilies(x.Principal.Scopes))
	h.Set(httpauth.HeaderRequestID, x.RequestID)
	h.Set(httpauth.HeaderTraceID, x.TraceID)
	if parent == "" || parent != x.Traceparent {
		h.Del("Tracestate")
	}
	if x.Traceparent != "" {
		h.Set(httpauth.HeaderTraceparent, x.Traceparent)
	}
}

// joinFamilies writes scopes as the upstream reads them: "data,job".
func joinFamilies(families []toksta.Family) string {
	var b strings.Builder
	for i, f := range families {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(f))
	}
	return b.String()
}
