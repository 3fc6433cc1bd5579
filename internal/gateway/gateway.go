// Package gateway is the walk of one API request: target, route, key,
// decision, and the station that answers it.
//
// It stands between the public listener and the vendor's back end. It decides
// nothing itself (the verifier does), keeps nothing between requests, never
// sees a secret beyond handing the Authorization field to its parser, and
// never touches the store. Every failure of its own is answered in the one
// envelope.
package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/httpauth"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/internal/telemetry"
)

// Limits that hold where the configuration states none, and those that are
// nobody's to choose: a target beyond 8 KiB is refused by most back ends, and a
// User-Agent is kept for "last used" only.
const (
	DefaultMaxBody   = 10 << 20
	maxTarget        = 8 << 10
	DefaultMaxHeader = 32 << 10
	maxAgent         = 256
	drainTime        = time.Second
)

// Config is what a gateway is made of.
type Config struct {
	Routes    []toksta.Route
	Upstreams []Upstream
	// Local answers routes without an upstream, by operation. A route with
	// neither is answered 501.
	Local map[string]http.Handler
	// Open answers GET on exact paths without a key.
	Open           map[string]http.Handler
	Verifier       httpauth.Verifier
	Settler        httpauth.Settler
	TrustedProxies []netip.Prefix // peers whose X-Forwarded-For counts
	Realm          string
	RateFields     bool             // answers carry RateLimit and RateLimit-Policy beside X-RateLimit-*
	MaxBody        int64            // bytes of a request's body; 0: DefaultMaxBody
	MaxHeader      int              // bytes of a request's header; 0: DefaultMaxHeader
	Now            func() time.Time // nil: time.Now
}

// Gateway answers API requests. It is safe for concurrent use.
type Gateway struct {
	config   Config
	table    *route.Table
	stations map[*toksta.Route]station
}

// station is where an admitted call is answered. Every route of the table has
// one, so a missing entry cannot happen while requests run.
type station struct {
	handler http.Handler
	open    bool // no key is asked for
}

// New builds a gateway. It refuses a route whose upstream is not configured
// and patterns that a table refuses.
func New(c Config) (*Gateway, error) {
	if c.Verifier == nil || c.Settler == nil {
		return nil, errors.New("gateway: a verifier and a settler are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxBody <= 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.MaxHeader <= 0 {
		c.MaxHeader = DefaultMaxHeader
	}
	routes := append([]toksta.Route(nil), c.Routes...)
	for path := range c.Open {
		routes = append(routes, toksta.Route{Method: http.MethodGet, Pattern: path})
	}
	table, err := route.New(routes)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{config: c, table: table}
	g.stations, err = c.stations(table)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return g, nil
}

// stations gives each route of the table its handler, so that nothing is looked
// up by name while requests run.
func (c Config) stations(table *route.Table) (map[*toksta.Route]station, error) {
	upstreams := map[string]http.Handler{}
	for _, u := range c.Upstreams {
		proxy, err := c.newProxy(u)
		if err != nil {
			return nil, err
		}
		upstreams[u.Name] = limitBody(c.MaxBody, proxy)
	}
	stations := map[*toksta.Route]station{}
	for _, r := range table.Routes() {
		s := station{handler: c.Local[r.Operation]}
		switch {
		case r.Family == "" && c.Open[r.Pattern] != nil:
			s = station{handler: c.Open[r.Pattern], open: true}
		case r.Family == "":
			return nil, fmt.Errorf("route %s %s: no endpoint family, so nothing would limit it", r.Method, r.Pattern)
		case r.Upstream != "":
			if s.handler = upstreams[r.Upstream]; s.handler == nil {
				return nil, fmt.Errorf("route %s %s: upstream %q is not configured", r.Method, r.Pattern, r.Upstream)
			}
		case s.handler == nil:
			s.handler = http.HandlerFunc(notImplemented)
		}
		stations[r] = s
	}
	return stations, nil
}

// proxies are the peers that may state a client's address.
func (c Config) proxies() proxies { return proxies(c.TrustedProxies) }

// ServeHTTP walks the request through the stations in the order of the
// contract: 400 for a target that can be read in two ways, 404 and 405, 401,
// 403, 429, 402, then the route's own answer.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, r := httpauth.Begin(r, g.config.Realm, g.config.Now())
	x.Structured = g.config.RateFields
	rec := telemetry.RecordFrom(r.Context())
	rt, err := g.route(r)
	if err != nil {
		refuse(w, r, err)
		return
	}
	rec.Operation, rec.Family = rt.Operation, rt.Family
	s := g.stations[rt]
	if s.open {
		x.Stamp(w.Header())
		s.handler.ServeHTTP(w, r)
		return
	}
	p, err := g.verify(r, rt)
	if err != nil {
		refuse(w, r, err)
		return
	}
	defer func() { rec.Credits = x.Cost }()
	p.Serve(s.handler, w, r)
}

// route finds the request's route on the very bytes that will be forwarded.
func (g *Gateway) route(r *http.Request) (*toksta.Route, error) {
	path, err := target(r, g.config.MaxHeader)
	if err != nil {
		return nil, err
	}
	return g.table.Match(r.Method, path)
}

// verify turns the request into a call, asks for the decision and notes it. The
// principal of a refused call is for the record only.
func (g *Gateway) verify(r *http.Request, rt *toksta.Route) (*httpauth.Passage, error) {
	x, rec := httpauth.ExchangeFrom(r.Context()), telemetry.RecordFrom(r.Context())
	addr, err := g.config.proxies().client(r)
	if err != nil {
		return nil, err
	}
	if addr.IsValid() {
		rec.Address = addr.String()
	}
	digest, err := httpauth.Credential(r.Header["Authorization"])
	if err != nil {
		return nil, err
	}
	agent := r.UserAgent()
	call := toksta.Call{Digest: digest, Route: rt, Addr: addr, Agent: agent[:min(len(agent), maxAgent)]}
	// The time of the decision, not of the request: whether this node may still
	// vouch for keys must not be judged by a clock read before a pause.
	call.Now = g.config.Now()
	d := g.config.Verifier.Verify(r.Context(), call)
	rec.Principal, x.Rate = d.Principal, d.Rate
	if err := httpauth.Refusal(&d); err != nil {
		rec.Reason = d.Reason
		return nil, err
	}
	return &httpauth.Passage{Decision: &d, Call: call, Exchange: x, Settler: g.config.Settler}, nil
}

// refuse answers with err and notes it. net/http reads the rest of a small
// body to keep the connection; a client that does not send it is not waited
// for.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	telemetry.RecordFrom(r.Context()).Fail(err)
	httpauth.WriteError(w, r, err)
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime))
	}
}

// notImplemented answers a route that is configured without a handler.
func notImplemented(w http.ResponseWriter, r *http.Request) {
	refuse(w, r, &toksta.Error{Code: toksta.CodeNotImplemented, Message: "This endpoint is not implemented yet."})
}
