package app

import (
	"crypto/tls"
	"net/http"

	"github.com/toksta/toksta/internal/forwardauth"
	"github.com/toksta/toksta/internal/telemetry"
)

// forwarding is the name of the listener for proxies that ask for decisions.
const forwarding = "forward_auth"

// forwardAuth builds the handler for proxies that ask before they forward a request. It decides
// by the chain of the gateway.
func (a *App) forwardAuth(record telemetry.Config) http.Handler {
	c := a.config
	return telemetry.Handler(record, forwardauth.New(forwardauth.Config{
		Chain: a.gate.Chain(), Proxies: c.ForwardAuth.Proxies, Trusted: c.TrustedProxies,
		HeaderPrefix: c.Branding.HeaderPrefix, RateFields: c.RateLimit.StructuredFields,
		LoggedPath: func(path string) string { return telemetry.LoggedPath(path, record.KeyPrefix) },
	}))
}

// listenProxies adds the listener for proxies that ask, with TLS if secure is not nil.
func (a *App) listenProxies(h http.Handler, secure *tls.Config) error {
	bound, err := listenTCP(a.config.Listen.ForwardAuth)
	if err != nil {
		return err
	}
	l := a.listener(forwarding, bound, h)
	if secure != nil {
		l.net = tls.NewListener(l.net, secure)
	}
	a.listeners = append(a.listeners, l)
	return nil
}
