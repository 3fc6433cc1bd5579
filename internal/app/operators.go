package app

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/internal/operatorauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// operators is the name of the listener of the operator API for other machines.
const operators = "operator"

// remoteOperator builds the handler of the operator API for other machines.
func (a *App) remoteOperator(c operator.Config) http.Handler {
	return operator.Network(c, operator.Access{
		Keys:          operatorauth.New(a.feed, a.index, time.Now),
		ClientAddress: operatorClient(a.config.Listen.Operator),
		Used:          a.operatorUses.Used,
	})
}

// operatorClient returns a function that returns the client's address: the peer's or, if the
// peer is a proxy of c, the one that it states. Without TLS it rejects every other peer
// except this machine, because that peer has sent its operator key over plain HTTP. With an
// error it returns the address of the peer, for the log.
func operatorClient(c config.Operator) func(*http.Request) (netip.Addr, error) {
	proxies := admit.Proxies(c.Proxies)
	return func(r *http.Request) (netip.Addr, error) {
		peer := admit.Peer(r.RemoteAddr)
		if c.TLS.Cert == "" && !proxies.Trust(peer) && !peer.IsLoopback() {
			return peer, &toksta.Error{
				Code:    toksta.CodeForbidden,
				Message: "This listener has no TLS and accepts only the proxies of listen.operator.proxies. Use https, and replace the key that was sent.",
			}
		}
		from, err := proxies.Address(admit.Client{Peer: peer, ForwardedFor: r.Header["X-Forwarded-For"]})
		if err != nil {
			return peer, err
		}
		return from, nil
	}
}

// listenOperators returns the listener of the operator API for other machines, with TLS if
// a certificate is configured.
func (a *App) listenOperators(h http.Handler) (*listener, error) {
	c := a.config.Listen.Operator
	bound, err := listenTCP(c.Address)
	if err != nil {
		return nil, err
	}
	l := a.listener(operators, bound, h)
	if c.TLS.Cert == "" {
		return l, nil
	}
	cert, err := loadCertificate(c.TLS, a.log)
	if err != nil {
		return nil, closed(bound, err)
	}
	l.net = tls.NewListener(l.net, cert.config())
	return l, nil
}

// closed closes a listener that is not needed because of err, and returns err.
func closed(l net.Listener, err error) error {
	_ = l.Close()
	return err
}
