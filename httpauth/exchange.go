package httpauth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta"
)

// The fields that answers carry.
const (
	HeaderRequestID     = "X-Request-Id"
	HeaderTraceID       = "X-Trace-Id"
	HeaderTraceparent   = "Traceparent"
	HeaderRateLimit     = "X-Ratelimit-Limit"
	HeaderRateRemaining = "X-Ratelimit-Remaining"
	HeaderRateReset     = "X-Ratelimit-Reset"
	HeaderRateState     = "Ratelimit"
	HeaderRatePolicy    = "Ratelimit-Policy"
	HeaderCreditCost    = "X-Toksta-Credit-Cost"
	HeaderSource        = "X-Toksta-Source"
)

// The values of HeaderSource: who made the response.
const (
	SourceGateway  = "gateway"  // this package's envelope
	SourceUpstream = "upstream" // passed on
)

// What a script in a browser may read of an answer, should the vendor allow
// one: nothing here allows an origin.
const (
	headerExpose = "Access-Control-Expose-Headers"
	exposed      = "x-request-id, x-trace-id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, X-Toksta-Credit-Cost, X-Toksta-Source, WWW-Authenticate"

	exposedStructured = exposed + ", RateLimit, RateLimit-Policy"
)

// maxID is the longest identifier taken over from a caller, in characters.
const maxID = 64

// Exchange is what the answer to one request carries whoever writes it: its
// identifiers and what the decision found. It belongs to the request's
// goroutine.
type Exchange struct {
	RequestID   string
	TraceID     string
	Traceparent string // W3C trace context for the upstream; "" when the trace id is of another form
	Realm       string // of the challenge
	Now         time.Time
	Rate        toksta.RateState
	Structured  bool  // the answer states the rate as RateLimit and RateLimit-Policy too
	Billable    bool  // the answer names its cost
	Cost        int64 // credits charged
	Close       bool  // the connection must not be used again
}

// exchangeKey finds the exchange in a context.
type exchangeKey struct{}

// Begin gives r an exchange, with the caller's own request and trace ids when
// they are safe to repeat: at most 64 letters, digits, dots, hyphens and
// underscores, sent once. Otherwise it makes new ones. A request that has an
// exchange keeps it.
func Begin(r *http.Request, realm string, now time.Time) (*Exchange, *http.Request) {
	if x, ok := r.Context().Value(exchangeKey{}).(*Exchange); ok {
		return x, r
	}
	x := &Exchange{RequestID: callerID(r.Header, HeaderRequestID), Realm: realm, Now: now, Close: mustClose(r)}
	if x.RequestID == "" {
		x.RequestID = toksta.NewID(toksta.PrefixRequest, now)
	}
	x.trace(r.Header)
	return x, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
}

// mustClose reports whether a proxy in front may see the request end elsewhere
// than net/http did: on HTTP/1.0, and with a Transfer-Encoding, which can stand
// beside a Content-Length that net/http hides (RFC 9112, section 6.1).
func mustClose(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)
}

// ExchangeFrom returns the request's exchange; without one, an empty exchange
// that nothing else sees.
func ExchangeFrom(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{}
}

// trace follows the caller's trace, W3C trace context before x-trace-id.
func (x *Exchange) trace(h http.Header) {
	if parents := h.Values(HeaderTraceparent); len(parents) == 1 && isTraceparent(parents[0]) {
		x.Traceparent, x.TraceID = parents[0], parents[0][3:35]
		return
	}
	if x.TraceID = callerID(h, HeaderTraceID); x.TraceID != "" {
		return
	}
	var random [24]byte
	rand.Read(random[:])
	text := hex.EncodeToString(random[:])
	x.TraceID = text[:32]
	x.Traceparent = "00-" + x.TraceID + "-" + text[32:] + "-00"
}

// isTraceparent accepts version 00 only: "00-<32 hex>-<16 hex>-<2 hex>".
func isTraceparent(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	trace, span, flags := s[3:35], s[36:52], s[53:]
	return strings.Trim(trace+span+flags, "0123456789abcdef") == "" &&
		strings.Trim(trace, "0") != "" && strings.Trim(span, "0") != ""
}

// callerID returns the caller's identifier, or "" when there is none to trust.
func callerID(h http.Header, field string) string {
	values := h.Values(field)
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxID {
		return ""
	}
	for i := range len(values[0]) {
		if c := values[0][i]; !isAlphanumeric(c) && strings.IndexByte("-._", c) < 0 {
			return ""
		}
	}
	return values[0]
}

// Stamp sets the exchange's fields on an answer's header. Stamping twice is
// the same as once.
func (x *Exchange) Stamp(h http.Header) {
	if x.RequestID != "" {
		h.Set(HeaderRequestID, x.RequestID)
		h.Set(HeaderTraceID, x.TraceID)
	}
	if x.Rate.Limit > 0 {
		h.Set(HeaderRateLimit, strconv.Itoa(x.Rate.Limit))
		h.Set(HeaderRateRemaining, strconv.Itoa(max(0, x.Rate.Remaining)))
		h.Set(HeaderRateReset, strconv.FormatInt(x.Rate.Reset, 10))
		if x.Structured {
			x.stampStructured(h)
		}
	}
	if x.Billable {
		h.Set(HeaderCreditCost, strconv.FormatInt(x.Cost, 10))
	}
	if x.Close {
		h.Set("Connection", "close")
	}
	names := exposed
	if x.Structured {
		names = exposedStructured
	}
	if !slices.Contains(h[headerExpose], names) {
		h.Add(headerExpose, names)
	}
}

// stampStructured states the rate as draft-ietf-httpapi-ratelimit-headers-11
// has it: the policy, named for whose window it is, and what is left of it for
// how many seconds.
func (x *Exchange) stampStructured(h http.Header) {
	policy := `"account"`
	if x.Rate.Key {
		policy = `"key"`
	}
	h.Set(HeaderRatePolicy, policy+";q="+strconv.Itoa(x.Rate.Limit)+";w=60")
	h.Set(HeaderRateState, policy+";r="+strconv.Itoa(max(0, x.Rate.Remaining))+";t="+retryAfter(x))
}
