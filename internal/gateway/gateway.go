// Package gateway serves the public API: it admits each request and forwards it to an
// upstream or to a local handler.
//
// It adapts the admission chain to net/http. It makes no decision, keeps no state
// between requests, and does not use the store. Its own errors are responses in the
// envelope.
package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// The default limits, in bytes.
const (
	DefaultMaxBody   = 10 << 20
	DefaultMaxHeader = 32 << 10
)

// Config configures a gateway.
type Config struct {
	Routes    []toksta.Route
	Upstreams []Upstream
	// Local serves routes without an upstream, by operation. A route that has neither an
	// upstream nor a local handler responds 501.
	Local map[string]http.Handler
	// Open serves GET on exact paths without a key.
	Open   map[string]http.Handler
	Engine admit.Engine
	// Unpaid returns the details of a 402; see admit.Chain.
	Unpaid         func(d *toksta.Decision, now time.Time) map[string]any
	TrustedProxies []netip.Prefix   // peers whose X-Forwarded-For is read
	Keys           Keys             // that must not reach the upstream of a public route
	CORS           *CORS            // nil: scripts in browsers may not call the API
	RateFields     bool             // responses have RateLimit and RateLimit-Policy beside X-RateLimit-*
	HeaderPrefix   string           // of the vendor's own fields; "": httpauth.DefaultPrefix
	MaxBody        int64            // bytes of a request's body; 0: DefaultMaxBody
	MaxHeader      int              // bytes of a request's header; 0: DefaultMaxHeader
	Now            func() time.Time // nil: time.Now

	names names
}

// Gateway serves API requests. It is safe for concurrent use.
type Gateway struct {
	config   Config
	chain    admit.Chain
	handlers map[*toksta.Route]handler // one for every route of the table
	public   map[string]*counter       // of public routes with an upstream, by operation
}

// handler serves an admitted call, or a request on a route that needs no key.
type handler func(w http.ResponseWriter, r *http.Request, x *exchange.Exchange)

// New builds a gateway. It returns an error for an invalid pattern and for a route whose
// upstream is not configured.
func New(c Config) (*Gateway, error) {
	if c.Engine == nil {
		return nil, errors.New("gateway: Config.Engine is nil")
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
	var err error
	if c.names, err = newNames(c.HeaderPrefix); err != nil {
		return nil, err
	}
	routes := append([]toksta.Route(nil), c.Routes...)
	for path := range c.Open {
		routes = append(routes, toksta.Route{Method: http.MethodGet, Pattern: path, Public: true})
	}
	table, err := route.New(routes)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	handlers, err := c.handlers(table)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	chain := admit.Chain{Routes: table, Engine: c.Engine, Proxies: c.TrustedProxies, MaxHeader: c.MaxHeader, Now: c.Now, Unpaid: c.Unpaid}
	g := &Gateway{config: c, chain: chain, handlers: handlers, public: map[string]*counter{}}
	for _, r := range routes {
		if r.Public && r.Upstream != "" {
			g.public[r.Operation] = &counter{}
		}
	}
	return g, nil
}

// handlers returns the handler of each route of the table.
func (c *Config) handlers(table *route.Table) (map[*toksta.Route]handler, error) {
	upstreams := map[string]*proxy{}
	for _, u := range c.Upstreams {
		proxy, err := c.newProxy(u)
		if err != nil {
			return nil, err
		}
		upstreams[u.Name] = proxy
	}
	handlers := map[*toksta.Route]handler{}
	for _, r := range table.Routes() {
		var h handler
		switch {
		case r.Public == (r.Family != ""):
			return nil, fmt.Errorf("route %s %s: without an endpoint family no key would be required, and a public route must not have one", r.Method, r.Pattern)
		case r.Public && r.Upstream == "" && c.Open[r.Pattern] != nil:
			h = local(c.Open[r.Pattern])
		case r.Upstream != "":
			if upstreams[r.Upstream] == nil {
				return nil, fmt.Errorf("route %s %s: upstream %q is not configured", r.Method, r.Pattern, r.Upstream)
			}
			p, err := upstreams[r.Upstream].forRoute(r)
			if err != nil {
				return nil, err
			}
			h = p.serve
		case c.Local[r.Operation] != nil:
			h = local(c.Local[r.Operation])
		default:
			h = notImplemented
		}
		handlers[r] = h
	}
	return handlers, nil
}

// local adapts an http.Handler, which finds the exchange in the request's context.
func local(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *exchange.Exchange) { h.ServeHTTP(w, r) }
}

// ServeHTTP serves an admitted request and rejects any other.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchange.FromContext(r.Context())
	x.Structured = g.config.RateFields
	if g.config.CORS != nil && g.config.CORS.permit(x, r) {
		g.config.CORS.preflight(w, x)
		return
	}
	decisive := values(r)
	rt, err := g.chain.Admit(r.Context(), x, &decisive)
	if err != nil {
		reject(w, x, err)
		return
	}
	if x.Public {
		counter := g.public[rt.Operation]
		counter.calls.Add(1)
		defer func() { counter.end(x.Status) }()
	} else if !x.Admitted() {
		x.Apply(w.Header())
	}
	g.handlers[rt](w, r, x)
}

// values returns the values of r that a decision needs.
func values(r *http.Request) admit.Request {
	return admit.Request{
		Method: r.Method, Target: r.RequestURI, HeaderSize: headerSize(r.Header),
		Authorization: r.Header["Authorization"], Agent: r.UserAgent(), Client: client(r),
	}
}

// client returns the values of r that identify the client.
func client(r *http.Request) admit.Client {
	return admit.Client{Peer: admit.Peer(r.RemoteAddr), ForwardedFor: r.Header["X-Forwarded-For"], ForwardedProto: r.Header["X-Forwarded-Proto"]}
}

// Chain returns the admission chain of the gateway, for other entry points. It must not be
// modified.
func (g *Gateway) Chain() *admit.Chain { return &g.chain }

// ClientAddress returns the client's address that decisions use. If a trusted proxy
// states an invalid address, it returns the address of the proxy.
func (g *Gateway) ClientAddress(r *http.Request) netip.Addr {
	c := client(r)
	addr, err := g.chain.Proxies.Address(c)
	if err != nil {
		return c.Peer
	}
	return addr
}

// reject responds with err and records it.
func reject(w http.ResponseWriter, x *exchange.Exchange, err error) {
	x.Fail(err)
	httpauth.WriteError(w, &x.Meta, err)
}

// notImplemented responds 501, on a route without a handler.
func notImplemented(w http.ResponseWriter, _ *http.Request, x *exchange.Exchange) {
	reject(w, x, &toksta.Error{Code: toksta.CodeNotImplemented, Message: "This endpoint is not implemented yet."})
}
