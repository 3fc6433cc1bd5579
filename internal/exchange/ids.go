package exchange

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxID is the length of the longest identifier that is accepted from a client.
const maxID = 64

// IDs are the values of the header fields with which a client identifies its
// request, one element for each field line.
type IDs struct {
	Request     []string // X-Request-Id
	Traceparent []string // Traceparent, as in W3C Trace Context
	Trace       []string // X-Trace-Id
}

// New returns the exchange of a request that arrived at now. It keeps the
// client's own ids when they are safe to repeat: at most 64 letters, digits,
// dots, hyphens and underscores, sent once. Otherwise it makes new ones. A valid
// Traceparent goes before X-Trace-Id.
func New(ids IDs, realm string, now time.Time) *Exchange {
	x := &Exchange{Meta: httpauth.Meta{RequestID: clientID(ids.Request), Realm: realm, Now: now}, Start: now}
	if x.RequestID == "" {
		x.RequestID = toksta.NewID(toksta.PrefixRequest, now)
	}
	if len(ids.Traceparent) == 1 && isTraceparent(ids.Traceparent[0]) {
		x.Traceparent, x.TraceID = ids.Traceparent[0], ids.Traceparent[0][3:35]
		return x
	}
	if x.TraceID = clientID(ids.Trace); x.TraceID == "" {
		x.startTrace()
	}
	return x
}

// startTrace makes a trace of its own, with the sampled flag off.
func (x *Exchange) startTrace() {
	var random [24]byte
	rand.Read(random[:])
	text := make([]byte, 0, 55)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, random[:16])
	text = append(text, '-')
	text = hex.AppendEncode(text, random[16:])
	text = append(text, "-00"...)
	x.Traceparent = string(text)
	x.TraceID = x.Traceparent[3:35]
}

// isTraceparent accepts version 00 only: "00-<32 hex>-<16 hex>-<2 hex>".
func isTraceparent(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	trace, span, flags := s[3:35], s[36:52], s[53:]
	return isHex(trace) && isHex(span) && isHex(flags) &&
		strings.Trim(trace, "0") != "" && strings.Trim(span, "0") != ""
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// clientID returns the client's identifier, or "" when it is missing, repeated
// or unsafe to repeat in a header or a log line.
func clientID(values []string) string {
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxID {
		return ""
	}
	for i := range len(values[0]) {
		c := values[0][i]
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && strings.IndexByte("-._", c) < 0 {
			return ""
		}
	}
	return values[0]
}

// contextKey finds the exchange in a context.
type contextKey struct{}

// NewContext returns ctx with x in it.
func NewContext(ctx context.Context, x *Exchange) context.Context {
	return context.WithValue(ctx, contextKey{}, x)
}

// FromContext returns the request's exchange. Without one it returns an empty
// exchange that no other code sees, so a handler needs no check.
func FromContext(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(contextKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{}
}
