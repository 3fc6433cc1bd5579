package exchange

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math"
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

// New returns the exchange of a request that arrived at now. It keeps an id of the client
// that was sent once and consists of at most 64 letters, digits, dots, hyphens and
// underscores. Otherwise it creates one. A valid Traceparent takes precedence over
// X-Trace-Id. Without both, the request starts a trace, which is sampled with the
// probability sampling, from 0 to 1.
func New(ids IDs, realm string, sampling float64, now time.Time) *Exchange {
	x := &Exchange{Meta: httpauth.Meta{RequestID: clientID(ids.Request), Realm: realm, Now: now}, Start: now}
	if x.RequestID == "" {
		x.RequestID = toksta.NewID(toksta.PrefixRequest, now)
	}
	if len(ids.Traceparent) == 1 && isTraceparent(ids.Traceparent[0]) {
		x.Traceparent, x.TraceID = ids.Traceparent[0], ids.Traceparent[0][3:35]
		return x
	}
	if x.TraceID = clientID(ids.Trace); x.TraceID == "" {
		x.startTrace(sampling)
	}
	return x
}

// startTrace starts a new trace. The trace id decides whether it is sampled, so that
// the probability needs no further random number.
func (x *Exchange) startTrace(sampling float64) {
	var random [24]byte
	rand.Read(random[:])
	text := make([]byte, 0, 55)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, random[:16])
	text = append(text, '-')
	text = hex.AppendEncode(text, random[16:])
	if float64(binary.BigEndian.Uint64(random[:8])) < sampling*math.MaxUint64 {
		text = append(text, "-01"...)
	} else {
		text = append(text, "-00"...)
	}
	x.Traceparent = string(text)
	x.TraceID = x.Traceparent[3:35]
}

// isTraceparent reports whether s is a Traceparent of version 00: "00-<32 hex>-<16 hex>-<2 hex>".
func isTraceparent(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	trace, span, flags := s[3:35], s[36:52], s[53:]
	return isHex(trace) && isHex(span) && isHex(flags) &&
		strings.Trim(trace, "0") != "" && strings.Trim(span, "0") != ""
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// clientID returns an identifier of the client, or "" if it is missing, was sent twice or
// is unsafe in a header or a log line.
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

// contextKey is the key of the exchange in a context.
type contextKey struct{}

// NewContext returns a context that contains x.
func NewContext(ctx context.Context, x *Exchange) context.Context {
	return context.WithValue(ctx, contextKey{}, x)
}

// FromContext returns the exchange of a request, or a new empty exchange if ctx contains
// none, so that handlers need no check.
func FromContext(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(contextKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{}
}
