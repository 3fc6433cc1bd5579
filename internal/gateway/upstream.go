package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Upstream is one back end of the vendor's.
type Upstream struct {
	Name string
	// URL is where its paths start: scheme, host and perhaps a path that the
	// request's path is put behind, byte for byte. The path of a unix URL is that
	// of a socket.
	URL *url.URL
	// Connect is the longest wait for a connection (0: 5 s), Answer that for the
	// upstream to read more of a request or to send the header of a response
	// (0: 60 s). The body of a response may take any time.
	Connect, Answer time.Duration
	// Idle is how long an unused connection is kept (0: 4 s), Age how long new
	// calls use the connections made so far (0: 1 min).
	Idle, Age time.Duration
	// Opening is the longest delay of the header of a stream whose body has not
	// begun (0: 250 ms).
	Opening time.Duration
	// HTTP2 speaks nothing but HTTP/2, over http and unix without TLS (h2c).
	HTTP2 bool
	// KeepHost sends the caller's Host instead of the URL's. KeepLocation passes
	// on a Location that points at the URL's address.
	KeepHost, KeepLocation bool
	Resolver               *net.Resolver // nil: the system's
	Slots                  chan struct{} // its capacity limits the connections of all that share it; nil does not
}

// base returns the URL under which requests are made. It rejects a URL that says
// more than where the upstream is: a query or credentials would be dropped
// silently otherwise.
func (u Upstream) base() (*url.URL, error) {
	if u.URL != nil && u.URL.Scheme == "unix" {
		if u.URL.Host != "" || !strings.HasPrefix(u.URL.Path, "/") || u.URL.RawQuery != "" || u.URL.Fragment != "" {
			return nil, fmt.Errorf("upstream %q: a unix URL holds the absolute path of a socket, such as unix:/run/api.sock", u.Name)
		}
		return &url.URL{Scheme: "http", Host: "localhost"}, nil
	}
	if u.URL == nil || u.URL.Host == "" || u.URL.Scheme != "http" && u.URL.Scheme != "https" {
		return nil, fmt.Errorf("upstream %q: the URL needs http or https and a host", u.Name)
	}
	if u.URL.User != nil || u.URL.RawQuery != "" || u.URL.Fragment != "" {
		return nil, fmt.Errorf("upstream %q: the URL holds more than scheme, host and path", u.Name)
	}
	base := *u.URL
	base.Path = strings.TrimSuffix(u.URL.Path, "/")
	base.RawPath = strings.TrimSuffix(u.URL.EscapedPath(), "/")
	return &base, nil
}

// transport never changes a body, asks no environment for a proxy and keeps
// enough idle connections for a busy node.
func (u Upstream) transport() *http.Transport {
	connect, idle := orDefault(u.Connect, 5*time.Second), orDefault(u.Idle, 4*time.Second)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!u.HTTP2)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(u.HTTP2)
	return &http.Transport{
		DialContext:           u.dial(connect).within(u.Slots),
		TLSHandshakeTimeout:   connect,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       idle,
		MaxIdleConnsPerHost:   256,
		DisableCompression:    true,
		Protocols:             protocols,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// dial returns the function that connects. It resolves the name of the upstream
// each time.
func (u Upstream) dial(limit time.Duration) dialFunc {
	dialer := &net.Dialer{Timeout: limit, KeepAlive: 30 * time.Second, Resolver: u.Resolver}
	if u.URL.Scheme != "unix" {
		return dialer.DialContext
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", u.URL.Path)
	}
}

// orDefault returns d, or the default if d is not set.
func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// pool sends requests to an upstream. It stops using its connections when they
// are older than the upstream's Age, because the upstream's name may have
// another address by then and calls without a pause would keep them for ever.
type pool struct {
	upstream Upstream
	now      func() time.Time

	mu      sync.Mutex
	current *http.Transport // nil before the first request
	since   time.Time
}

// RoundTrip returns a response of which the first bytes have arrived.
func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := await(p.transport(), r, orDefault(p.upstream.Answer, time.Minute))
	if err != nil {
		return nil, err
	}
	return open(res, orDefault(p.upstream.Opening, defaultOpening))
}

// transport returns the transport for new requests. Requests in flight finish on
// the transport that they started on, whose connections then idle out.
func (p *pool) transport() *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.current == nil || now.Sub(p.since) >= orDefault(p.upstream.Age, time.Minute) {
		if p.current != nil {
			p.current.CloseIdleConnections()
		}
		p.current, p.since = p.upstream.transport(), now
	}
	return p.current
}
