package app

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/toksta/toksta/internal/api"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/downstream"
	"github.com/toksta/toksta/internal/gateway"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// handlers has the handler of each listener.
type handlers struct{ public, pages, private, operators, proxies http.Handler }

// handlers builds the handler of each listener.
func (a *App) handlers() (handlers, error) {
	gate, err := a.gateway()
	if err != nil {
		return handlers{}, err
	}
	a.gate = gate
	site, err := a.pages(gate)
	if err != nil {
		return handlers{}, err
	}
	secret, err := a.fingerprintSecret()
	if err != nil {
		return handlers{}, err
	}
	record := telemetry.Config{
		Log: a.records, Realm: a.config.Branding.Product, KeyPrefix: a.config.Keys.Prefix,
		Names:    httpauth.NewNames(a.config.Branding.HeaderPrefix),
		Sampling: a.config.Gateway.TraceSampling, Fingerprint: secret,
	}
	a.record, a.calls = &record, a.verifier(&record)
	var public http.Handler
	switch {
	case a.config.Listen.Pages != "":
		public = gate
	case a.config.Listen.PagesHost != "":
		public = byHost(a.config.Listen.PagesHost, site, gate)
	default:
		if err := checkPagePaths(a.config.PublicRoutes()); err != nil {
			return handlers{}, err
		}
		public = a.byPath(site, gate)
	}
	forOperators := record
	forOperators.KeyPrefix = toksta.OperatorSecretPrefix
	operators := a.operatorConfig(&record)
	if operators.Documents, err = operatorDocuments(); err != nil {
		return handlers{}, err
	}
	return handlers{
		public: telemetry.Handler(record, public), pages: telemetry.Handler(record, site),
		private:   telemetry.Handler(record, operator.Socket(operators)),
		operators: telemetry.Handler(forOperators, a.remoteOperator(operators)),
		proxies:   a.forwardAuth(record),
	}, nil
}

// byHost serves the pages on their own host name and the API on any other.
func byHost(host string, pages, api http.Handler) http.Handler {
	host, _ = text.Host(host) // as browsers send it; the configuration has rejected others
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			name = r.Host
		}
		if strings.EqualFold(name, host) {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// byPath serves the pages on their own paths and the API on any other.
func (a *App) byPath(pages, api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if web.Owns(r.URL.Path) || a.outbox != nil && web.IsOutbox(r.URL.Path) {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// gateway builds the request path of the API.
func (a *App) gateway() (*gateway.Gateway, error) {
	c := a.config
	own, err := api.New(api.Config{
		Name: c.Branding.Product, Version: a.version, Environment: c.Environment, PublicURL: c.PublicURL, PagesURL: c.PagesURL, Endpoints: a.endpoints(),
		Families: a.catalog.Families, Routes: a.catalog.Routes, Checks: a.checks(), Usage: a.Usage,
		Names: httpauth.NewNames(c.Branding.HeaderPrefix),
	})
	if err != nil {
		return nil, err
	}
	compress, err := compressor()
	if err != nil {
		return nil, err
	}
	upstreams, err := upstreams(c.Upstreams, a.slots.upstreams)
	if err != nil {
		return nil, err
	}
	open := own.Open()
	if err := a.addDocs(open); err != nil {
		return nil, err
	}
	return gateway.New(gateway.Config{
		Routes: a.catalog.Routes, Upstreams: upstreams, Local: all(compress, own.Local()), Open: all(compress, open),
		Engine: a.engine, Unpaid: a.unpaid, TrustedProxies: c.TrustedProxies, Keys: gateway.Keys{Prefix: c.Keys.Prefix, Known: a.isKey}, CORS: cors(c.CORS),
		HeaderPrefix: c.Branding.HeaderPrefix, RateFields: c.RateLimit.StructuredFields,
		MaxBody: int64(c.Gateway.MaxBody), MaxHeader: int(c.Gateway.MaxHeader),
	})
}

// endpoints returns the paths of Toksta's own endpoints. A usage route in the list of routes takes
// precedence.
func (a *App) endpoints() api.Endpoints {
	e := api.Endpoints(a.config.Endpoints)
	e.Usage = a.config.UsagePath()
	return e
}

// docsURL returns the address of the documentation, or "" if it is switched off.
func (a *App) docsURL() string {
	if a.config.Endpoints.Docs == "" {
		return ""
	}
	return a.config.PublicURL + a.config.Endpoints.Docs
}

// isKey reports whether the digest belongs to a key, live or not.
func (a *App) isKey(d toksta.Digest) bool {
	_, _, known := a.index.Lookup(d)
	return known
}

// cors returns the configuration of the gateway, nil if no origin is allowed.
func cors(c config.CORS) *gateway.CORS {
	if len(c.Origins) == 0 {
		return nil
	}
	return &gateway.CORS{Origins: c.Origins, Headers: c.Headers, MaxAge: c.MaxAge}
}

// checkPagePaths rejects a route that the account pages would hide, on a listener that both share.
func checkPagePaths(routes []toksta.Route) error {
	for _, r := range routes {
		if web.Owns(r.Pattern) {
			return fmt.Errorf("route %s %s: the path belongs to the account pages; choose another one, or set listen.pages or listen.pages_host", r.Method, r.Pattern)
		}
	}
	return nil
}

// upstreams converts the configured upstreams. The gateway rejects a URL that is not
// one of an upstream.
func upstreams(configured map[string]config.Upstream, slots chan struct{}) ([]gateway.Upstream, error) {
	var out []gateway.Upstream
	for name, u := range configured {
		parsed, err := url.Parse(u.URL)
		if err != nil {
			return nil, err
		}
		out = append(out, gateway.Upstream{
			Name: name, URL: parsed, Slots: slots, Connect: u.ConnectTimeout, Response: u.ResponseTimeout,
			Idle: u.IdleTimeout, Age: u.ConnectionAge, HTTP2: u.HTTP2, KeepHost: u.KeepHost, KeepLocation: u.KeepLocation,
		})
	}
	return out, nil
}

// checks returns the checks of /ready. A node needs a lease, which implies a complete
// index; it can serve for a while without the database and Redis.
func (a *App) checks() []api.Check {
	checks := []api.Check{
		{Name: "lease", Probe: func(context.Context) error {
			if a.feed.Status().LeaseLeft <= 0 {
				return errors.New("the lease has expired")
			}
			return nil
		}},
		{Name: "store", Probe: a.store.Ping, Without: "away: no changes and no pages; calls are decided until the lease ends"},
	}
	if a.shared != nil {
		checks = append(checks, api.Check{Name: "redis", Probe: a.shared.Ping, Without: "away: this node counts rate limits by itself"})
	}
	return checks
}

// pages builds the account pages. They use the same client address as decisions do, so
// a forged header deceives neither.
func (a *App) pages(gate *gateway.Gateway) (http.Handler, error) {
	b := a.config.Branding
	look, err := b.Look()
	if err != nil {
		return nil, err
	}
	pages, err := web.New(web.Config{
		Keys: a.Keys, Accounts: a.Accounts, Members: a.Members, SignIn: a.SignIn, Notices: a.notices, Usage: a.Usage, Catalog: a.catalog, Currency: a.catalog.Currency,
		Brand: web.Brand{
			Look: look, SupportURL: b.SupportURL, StatusURL: b.StatusURL,
			TermsURL: b.TermsURL, BillingURL: b.BillingURL, CreditsURL: b.CreditsURL, Links: footer(b.Links),
		},
		PagesURL: a.config.PagesURL, ExampleURL: a.config.PublicURL + a.config.ExamplePath(), UsagePath: a.config.UsagePath(), DocsURL: a.docsURL(),
		SecureCookies: a.config.SecureCookies(), ClientAddress: gate.ClientAddress,
		EmbedOrigins: a.config.Embed.Origins, EmbedScheme: strings.TrimPrefix(a.config.Embed.ColorScheme, config.SchemeAuto), VendorURL: a.config.Sessions.VendorURL, Recent: a.config.Sessions.Recent, CSVMark: b.CSVMark,
		Plans:   web.PlansPage{Shown: a.plansURL() != "", Public: a.config.Pages.Plans == config.PagePublic},
		Outbox:  a.outbox,
		Consent: view.Consent{Text: a.config.Signup.Consent.Sentence(), URL: a.config.Signup.Consent.URL},
	})
	if err != nil {
		return nil, err
	}
	compress, err := compressor()
	if err != nil {
		return nil, err
	}
	return downstream.Within(a.config.Gateway.FormTimeout, compress(pages.Handler())), nil
}

// footer converts the configured links of the footer.
func footer(links []config.Link) (out []view.Link) {
	for _, l := range links {
		out = append(out, view.Link{Text: l.Text, URL: l.URL})
	}
	return out
}

// listener returns a listener that serves h on a bound address, with the configured
// limits. The limit of client connections applies to the public listeners, and one of their
// own to operators on other machines.
func (a *App) listener(name string, l net.Listener, h http.Handler) *listener {
	g := a.config.Gateway
	server := gateway.Server(h, int(g.MaxHeader))
	server.ReadHeaderTimeout, server.IdleTimeout = g.ReadHeaderTimeout, g.IdleTimeout
	// net/http logs a line for each invalid request.
	server.ErrorLog = log.New(debugWriter{a.log}, "", 0)
	c := downstream.Config{Limits: downstream.Limits{Body: g.BodyTimeout, Write: g.WriteTimeout}, Log: a.log}
	switch name {
	case private, debugging:
	case operators:
		c.Slots = a.slots.operators
	case forwarding:
		c.Slots = a.slots.proxies
	default:
		c.Slots = a.slots.clients
	}
	clients := downstream.Listen(l, c)
	clients.Configure(server)
	return &listener{name: name, net: clients, clients: clients, server: server}
}

// debugWriter logs the messages of net/http at the debug level, without the text of
// clients that they quote.
type debugWriter struct{ log *slog.Logger }

// Write logs the part of a message before its first colon.
func (d debugWriter) Write(b []byte) (int, error) {
	text, _, _ := strings.Cut(string(b), ":")
	d.log.Debug("connection", "note", strings.TrimSpace(text))
	return len(b), nil
}
