package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/upstream"
)

// The default durations of an upstream.
const (
	defaultConnect  = 5 * time.Second
	defaultResponse = time.Minute
	defaultIdle     = 4 * time.Second
	defaultAge      = time.Minute
)

// Upstream is a back end of the vendor.
type Upstream struct {
	Name string
	// URL consists of scheme, host and optionally a base path, to which the request's
	// path is appended byte for byte. The path of a unix URL is the path of a socket.
	URL *url.URL
	// Connect limits the wait for a connection (0: 5 s). Response limits the wait for the
	// upstream to read more of a request or to send the header of a response (0: 60 s). The
	// body of a response can take any time.
	Connect, Response time.Duration
	// Idle is the lifetime of an unused connection (0: 4 s). Age is the time for
	// which new calls use existing connections (0: 1 min).
	Idle, Age time.Duration
	// Opening limits the delay of a stream's header while no byte of its body has
	// arrived (0: 250 ms).
	Opening time.Duration
	// HTTP2 uses HTTP/2 only, over http and unix URLs without TLS (h2c).
	HTTP2 bool
	// KeepHost sends the caller's Host instead of the URL's. KeepLocation forwards a Location
	// that refers to the URL's address without changing it.
	KeepHost, KeepLocation bool
	Resolver               *net.Resolver // nil for the system's
	Slots                  chan struct{} // limits the connections of all upstreams that share it; nil sets no limit
}

// base returns the URL to which request paths are appended. It rejects a URL with a query,
// a fragment or credentials, which would have no effect.
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

// client returns the client for plain exchanges, nil if the upstream uses HTTP/2 only.
func (u Upstream) client(now func() time.Time) *upstream.Client {
	if u.HTTP2 {
		return nil
	}
	connect := orDefault(u.Connect, defaultConnect)
	dial, network, address, security := u.dial(connect).within(u.Slots), "tcp", u.URL.Host, (*tls.Config)(nil)
	if u.URL.Scheme != "unix" {
		address = authority(u.URL, u.URL.Scheme)
	}
	if u.URL.Scheme == "https" {
		security = &tls.Config{ServerName: u.URL.Hostname(), NextProtos: []string{"h2", "http/1.1"}}
	}
	return upstream.New(upstream.Config{
		Dial: func(ctx context.Context) (net.Conn, error) { return dial(ctx, network, address) },
		TLS:  security, Connect: connect, Progress: orDefault(u.Response, defaultResponse),
		Idle: orDefault(u.Idle, defaultIdle), Age: orDefault(u.Age, defaultAge), Now: now,
	})
}

// transport returns a transport that does not change bodies, ignores proxy settings of
// the environment and keeps enough idle connections for a busy node.
func (u Upstream) transport() *http.Transport {
	connect, idle := orDefault(u.Connect, defaultConnect), orDefault(u.Idle, defaultIdle)
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

// dial returns a function that connects within the duration limit. It resolves the
// upstream's name for each connection.
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

// pool sends requests to an upstream. It stops using connections that are older than the
// upstream's Age: the upstream's name could have another address by then, and continuous
// calls would otherwise keep the connections open forever.
type pool struct {
	upstream Upstream
	now      func() time.Time
	names    *names

	mu      sync.Mutex
	current *http.Transport // nil before the first request
	since   time.Time
}

// RoundTrip sends a request and returns its response once the first bytes have arrived.
func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	return p.roundTrip(r, orDefault(p.upstream.Response, defaultResponse))
}

// timed is a pool with the timeout of a route.
type timed struct {
	*pool
	limit time.Duration
}

// RoundTrip sends a request as the pool does.
func (t timed) RoundTrip(r *http.Request) (*http.Response, error) { return t.roundTrip(r, t.limit) }

// roundTrip sends a request and waits for the upstream for at most the duration limit, see await.
func (p *pool) roundTrip(r *http.Request, limit time.Duration) (*http.Response, error) {
	res, err := await(p.transport(), r, limit)
	if err != nil {
		return nil, err
	}
	return open(res, orDefault(p.upstream.Opening, defaultOpening), p.names.forbiddenFromUpstream)
}

// transport returns the transport for new requests. Requests in flight finish on their own
// transport, whose connections then time out.
func (p *pool) transport() *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.current == nil || now.Sub(p.since) >= orDefault(p.upstream.Age, defaultAge) {
		if p.current != nil {
			p.current.CloseIdleConnections()
		}
		p.current, p.since = p.upstream.transport(), now
	}
	return p.current
}
