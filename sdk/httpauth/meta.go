package httpauth

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// The header fields of responses, in canonical form.
const (
	HeaderRequestID     = "X-Request-Id"
	HeaderTraceID       = "X-Trace-Id"
	HeaderTraceparent   = "Traceparent"
	HeaderRateLimit     = "X-Ratelimit-Limit"
	HeaderRateRemaining = "X-Ratelimit-Remaining"
	HeaderRateReset     = "X-Ratelimit-Reset"
	HeaderRateState     = "Ratelimit"
	HeaderRatePolicy    = "Ratelimit-Policy"
)

// The header fields with the vendor's prefix, in canonical form, for the prefix
// DefaultPrefix.
const (
	HeaderCreditCost = DefaultPrefix + "-Credit-Cost"
	HeaderSource     = DefaultPrefix + "-Source"
)

// DefaultPrefix is the prefix of the vendor's header fields unless another one is
// configured.
const DefaultPrefix = "X-Toksta"

// The values of the field Source. They distinguish a rejection by Toksta from an
// upstream's own response with the same status.
const (
	SourceGateway  = "gateway"  // written by this package
	SourceUpstream = "upstream" // forwarded from an upstream
)

// headerExpose lists the fields that a script in a browser may read of a response,
// if the vendor allows an origin with Meta.AllowOrigin.
const headerExpose = "Access-Control-Expose-Headers"

const headerAllowOrigin = "Access-Control-Allow-Origin"

// Names has the names of the header fields with the vendor's prefix. NewNames
// creates it.
type Names struct {
	CreditCost, Source string // in canonical form, like all names
	// The fields that identify the caller to the back end. Clients must not be able to
	// send them; see Names.SetIdentity.
	AccountID, KeyID, Plan, Scopes string
	// Prefix starts all these names: "X-Toksta-".
	Prefix string

	exposed, exposedStructured string
}

// NewNames returns the names with a prefix such as "X-Acme", without a hyphen at
// its end.
func NewNames(prefix string) *Names {
	exposed := "x-request-id, x-trace-id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, " +
		prefix + "-Credit-Cost, " + prefix + "-Source, WWW-Authenticate"
	of := func(name string) string { return http.CanonicalHeaderKey(prefix + "-" + name) }
	return &Names{
		CreditCost: of("Credit-Cost"), Source: of("Source"),
		AccountID: of("Account-Id"), KeyID: of("Key-Id"), Plan: of("Plan"), Scopes: of("Scopes"), Prefix: of(""),
		exposed: exposed, exposedStructured: exposed + ", RateLimit, RateLimit-Policy",
	}
}

// defaultNames are the names with DefaultPrefix.
var defaultNames = NewNames(DefaultPrefix)

// Meta is the part of a response that does not depend on its body: the ids of
// the request and the result of the decision. It must be used by one goroutine
// at a time.
type Meta struct {
	RequestID  string
	TraceID    string
	Realm      string // realm in WWW-Authenticate; "" stands for "api"
	Names      *Names // nil: with DefaultPrefix
	Now        time.Time
	Rate       toksta.RateState   // see toksta.Decision
	Rates      []toksta.RateState // for RateLimit and RateLimit-Policy; empty: only Rate
	Structured bool               // also set RateLimit and RateLimit-Policy
	Billable   bool               // set the cost, even 0
	Cost       int64              // credits charged
	Close      bool               // close the connection after the response

	// CORS makes AllowOrigin decide which scripts in browsers may read the response: an origin, "*", or
	// "" for none. Without CORS, the fields of the handler or the upstream stay.
	CORS        bool
	AllowOrigin string
}

// FieldNames returns the names of the fields with the vendor's prefix.
func (m *Meta) FieldNames() *Names {
	if m.Names == nil {
		return defaultNames
	}
	return m.Names
}

// withoutConnection returns m without the parts that concern one connection of this server
// or the origin of a browser's request to it.
func (m *Meta) withoutConnection() Meta {
	own := *m
	own.Close, own.CORS = false, false
	return own
}

// Apply sets the fields of m in the header of a response. Applying m twice has
// the same effect as applying it once.
func (m *Meta) Apply(h http.Header) { m.apply(newFields(h)) }

func (m *Meta) apply(f *fields) {
	if m.RequestID != "" {
		f.set(HeaderRequestID, m.RequestID)
		f.set(HeaderTraceID, m.TraceID)
	}
	if m.Rate.Limit > 0 {
		f.set(HeaderRateLimit, strconv.Itoa(m.Rate.Limit))
		f.set(HeaderRateRemaining, strconv.Itoa(max(0, m.Rate.Remaining)))
		f.set(HeaderRateReset, strconv.FormatInt(m.Rate.Reset, 10))
		if m.Structured {
			policy, state := m.structured()
			f.set(HeaderRatePolicy, policy)
			f.set(HeaderRateState, state)
		}
	}
	if m.Billable {
		f.set(m.FieldNames().CreditCost, strconv.FormatInt(m.Cost, 10))
	}
	if m.Close {
		f.set("Connection", "close")
	}
	if m.CORS {
		m.applyOrigin(f)
	}
	names := m.FieldNames().exposed
	if m.Structured {
		names = m.FieldNames().exposedStructured
	}
	if sent := f.header[headerExpose]; len(sent) == 0 {
		f.set(headerExpose, names)
	} else if !slices.Contains(sent, names) {
		f.header.Add(headerExpose, names)
	}
}

// applyOrigin sets the origin that may read the response. It never permits cookies of the browser. A
// cache must not give the response for one origin to another.
func (m *Meta) applyOrigin(f *fields) {
	delete(f.header, headerAllowOrigin)
	delete(f.header, "Access-Control-Allow-Credentials")
	if m.AllowOrigin != "" {
		f.set(headerAllowOrigin, m.AllowOrigin)
	}
	if m.AllowOrigin != "*" && !slices.Contains(f.header["Vary"], "Origin") {
		f.header.Add("Vary", "Origin")
	}
}

// fields sets header fields. Their values share one backing array, which costs
// one allocation instead of one for each field.
type fields struct {
	header http.Header
	values []string
}

func newFields(h http.Header) *fields { return &fields{h, make([]string, 0, 18)} }

// set replaces the values of the field; name is in canonical form.
func (f *fields) set(name, value string) {
	f.values = append(f.values, value)
	last := len(f.values)
	f.header[name] = f.values[last-1 : last : last]
}

// structured returns the values of RateLimit-Policy and RateLimit, with an item for
// each window that has a limit (draft-ietf-httpapi-ratelimit-headers-11).
func (m *Meta) structured() (policy, state string) {
	rates := m.Rates
	if len(rates) == 0 {
		rates = []toksta.RateState{m.Rate}
	}
	var policies, states []string
	for i := range rates {
		r := &rates[i]
		if r.Limit < 1 {
			continue
		}
		name := windowName(r)
		policies = append(policies, name+";q="+strconv.Itoa(r.Limit)+";w="+strconv.FormatInt(r.Window.Seconds(), 10))
		states = append(states, name+";r="+strconv.Itoa(max(0, r.Remaining))+";t="+m.untilReset(r))
	}
	return strings.Join(policies, ", "), strings.Join(states, ", ")
}

// windowName returns the name of a rate window in RateLimit and RateLimit-Policy.
func windowName(r *toksta.RateState) string {
	switch {
	case r.Key:
		return `"key"`
	case r.Window == toksta.WindowHour:
		return `"account-hour"`
	case r.Window == toksta.WindowDay:
		return `"account-day"`
	default:
		return `"account"`
	}
}

// retryAfter returns the seconds until the window of m.Rate ends. If no window
// rejected the call, it returns 1.
func (m *Meta) retryAfter() string { return m.untilReset(&m.Rate) }

// untilReset returns the seconds until the rate window ends, at least one.
func (m *Meta) untilReset(r *toksta.RateState) string {
	return strconv.FormatInt(max(1, r.Reset-m.Now.Unix()), 10)
}
