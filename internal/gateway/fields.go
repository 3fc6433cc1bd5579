package gateway

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/sdk/httpauth"
)

// names has the names of the fields with the vendor's prefix.
type names struct {
	*httpauth.Names
	prefix admit.OwnPrefix
}

// newNames returns the names with a prefix, or with the default one if prefix is "".
func newNames(prefix string) (names, error) {
	prefix = cmp.Or(prefix, httpauth.DefaultPrefix)
	if len(prefix) > admit.MaxPrefix {
		return names{}, fmt.Errorf("gateway: the prefix %q of header fields is longer than %d bytes", prefix, admit.MaxPrefix)
	}
	return names{Names: httpauth.NewNames(prefix), prefix: admit.NewOwnPrefix(prefix)}, nil
}

// forbiddenFromClient reports whether a client's field must not reach the upstream: it
// contains the key or a browser's session (pages and API can share an origin), states an
// identity or an address that only this system may state, or could make the upstream see
// another method, path or body than the decision was made on. CGI passes Proxy to
// programs as HTTP_PROXY, which they use as the proxy of their own calls. HTTP2-Settings
// belongs to an upgrade to h2c.
func (n *names) forbiddenFromClient(name string) bool {
	f := admit.Fold(name)
	if n.prefix.Has(&f) || f.HasPrefix("x-forwarded-") || f.HasPrefix("x-original-") || f.Override() != admit.NoOverride {
		return true
	}
	switch string(f.Bytes()) {
	case "authorization", "cookie", "x-request-id", "x-trace-id", "traceparent",
		"forwarded", "x-real-ip", "x-client-ip", "true-client-ip",
		"content-length", "transfer-encoding", "http2-settings", "proxy":
		return true
	}
	return false
}

// forbiddenFromUpstream reports whether only this system may set a field in a response.
func (n *names) forbiddenFromUpstream(name string) bool {
	f := admit.Fold(name)
	if n.prefix.Has(&f) || f.HasPrefix("x-ratelimit-") {
		return true
	}
	switch string(f.Bytes()) {
	case "x-request-id", "x-trace-id", "ratelimit", "ratelimit-policy":
		return true
	}
	return false
}

// strip deletes the fields with a forbidden name.
func strip(h http.Header, forbidden func(name string) bool) {
	for name := range h {
		if forbidden(name) {
			delete(h, name)
		}
	}
}

// identify sets the fields that identify the caller and the request to the upstream. A public
// call has no caller; its own Authorization is for the upstream, unless it contains a key.
func (f *forwarding) identify(to httpauth.FieldSetter, r *http.Request) {
	x := f.x
	if x.Public {
		f.passAuthorization(to, r)
	} else {
		f.names.SetIdentity(to, &x.Principal)
	}
	if prefix := f.rewritten.Prefix(); prefix != "" {
		to.Set("X-Forwarded-Prefix", prefix)
	}
	x.SetIDs(to, x.Traceparent)
	if x.Address.IsValid() {
		to.Set("X-Forwarded-For", x.Address.String())
	}
	to.Set("X-Forwarded-Host", r.Host)
	to.Set("X-Forwarded-Proto", proto(r, f.trusted))
}

// passAuthorization sets the Authorization of a public call that has one and no key in it.
func (f *forwarding) passAuthorization(to httpauth.FieldSetter, r *http.Request) {
	if sent := r.Header["Authorization"]; len(sent) == 1 && !f.keys.in(sent[0]) {
		to.Set("Authorization", sent[0])
	}
}

// keepsTrace reports whether the upstream receives the Traceparent of the client. If it
// does not, the client's Tracestate, which belongs to it, is not forwarded.
func (f *forwarding) keepsTrace(r *http.Request) bool {
	parent := r.Header.Get(httpauth.HeaderTraceparent)
	return parent != "" && parent == f.x.Traceparent
}
