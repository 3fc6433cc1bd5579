package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
)

// CORS states which scripts in browsers may call the API. It never permits credentials of the browser,
// such as cookies: a key is sent by the script itself.
type CORS struct {
	Origins []string // as browsers send them; "*": every one
	Headers []string // of requests, beside scriptHeaders
	MaxAge  time.Duration
}

// scriptHeaders lists the header fields that every script may send. "*" would not cover Authorization.
const scriptHeaders = "Authorization, Content-Type, X-Request-Id, X-Trace-Id, Traceparent, Tracestate"

// scriptMethods lists the methods that a preflight permits, on every path: an actual request gets the
// error of its route in a form that the script can read.
const scriptMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// permit sets in x the origin that may read the response. It returns whether r is a preflight of an
// allowed origin, which needs no key.
func (c *CORS) permit(x *exchange.Exchange, r *http.Request) bool {
	x.CORS = true
	origin := r.Header["Origin"]
	switch {
	case slices.Contains(c.Origins, "*"):
		x.AllowOrigin = "*"
	case len(origin) == 1 && slices.Contains(c.Origins, origin[0]):
		x.AllowOrigin = origin[0]
	default:
		return false
	}
	return r.Method == http.MethodOptions && len(origin) == 1 && len(r.Header["Access-Control-Request-Method"]) == 1
}

// preflight responds to a preflight of an allowed origin.
func (c *CORS) preflight(w http.ResponseWriter, x *exchange.Exchange) {
	h := w.Header()
	x.Apply(h)
	h.Set(x.FieldNames().Source, httpauth.SourceGateway)
	h.Set("Access-Control-Allow-Methods", scriptMethods)
	h.Set("Access-Control-Allow-Headers", strings.Join(append([]string{scriptHeaders}, c.Headers...), ", "))
	h.Set("Access-Control-Max-Age", strconv.FormatInt(int64(c.MaxAge/time.Second), 10))
	w.WriteHeader(http.StatusNoContent)
}
