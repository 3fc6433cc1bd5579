package client

import (
	"crypto/tls"
	"net/http"
	"time"
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
