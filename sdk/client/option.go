package client

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Option configures the client that [New] returns.
type Option func(*Client)

// WithTransport sends requests through t, which must connect to the server by
// itself: it also replaces the connection to a Unix socket.
func WithTransport(t http.RoundTripper) Option {
	return func(c *Client) { c.http.Transport = t }
}

// WithTLS uses config for https addresses, for example with a client
// certificate. It replaces the transport of an earlier option.
func WithTLS(config *tls.Config) Option {
	return func(c *Client) {
		c.http.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		}
	}
}

// WithKey sends an operator key with every request, as the operator listener
// requires. The key cannot be printed with the client. The field Operator of the
// client then has no effect: changes are recorded under the name of the key.
func WithKey(key string) Option {
	hidden := toksta.Hide(key)
	return func(c *Client) { c.key = hidden }
}

// WithHeader sends a header field with every request, for example the
// credential that a proxy requires. It cannot replace the fields that the
// client itself sets.
func WithHeader(name, value string) Option {
	return func(c *Client) { c.header.Set(name, value) }
}

// WithTimeout ends a call that has had no response for d. If the call was a
// change, the error does not show whether the change was made.
func WithTimeout(d time.Duration) Option {
	return func(c *Client) { c.Wait.Limit = d }
}
