package gateway

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/internal/upstream"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// proxy forwards admitted calls to one upstream.
type proxy struct {
	base         *url.URL
	keepHost     bool
	keepLocation bool
	trusted      admit.Proxies
	maxBody      int64
	names        *names
	timeout      time.Duration    // of the route; 0: that of the upstream
	plain        *upstream.Client // nil if the upstream uses HTTP/2 only
	opening      time.Duration
	rewritten    route.Target // the path for the upstream
	keys         Keys
	transport    http.RoundTripper
	buffers      *buffers
	log          *log.Logger
}

// newProxy returns the proxy of u.
func (c *Config) newProxy(u Upstream) (*proxy, error) {
	base, err := u.base()
	if err != nil {
		return nil, err
	}
	return &proxy{
		base: base, keepHost: u.KeepHost, keepLocation: u.KeepLocation,
		trusted: c.TrustedProxies, maxBody: c.MaxBody, keys: c.Keys, names: &c.names,
		plain: u.client(c.Now), opening: orDefault(u.Opening, defaultOpening),
		transport: &pool{upstream: u, now: c.Now, names: &c.names}, buffers: &buffers{},
		log: log.New(io.Discard, "", 0), // the request record holds the error
	}, nil
}

// forRoute returns p with the path, the limit of bodies and the timeout of a route.
func (p *proxy) forRoute(r *toksta.Route) (*proxy, error) {
	target, err := route.NewTarget(r)
	if err != nil {
		return nil, err
	}
	own := *p
	own.rewritten = target
	if r.MaxBody > 0 {
		own.maxBody = r.MaxBody
	}
	if shared, ok := p.transport.(*pool); ok && r.Timeout > 0 {
		own.timeout = r.Timeout
		own.transport = timed{shared, r.Timeout}
	}
	return &own, nil
}

// forwarding is an admitted call that is being forwarded.
type forwarding struct {
	*proxy
	x    *exchange.Exchange
	body *body // nil without a body
}

// serve forwards the call of x and copies the response: a plain one through package
// upstream, any other through httputil.ReverseProxy. Both forward event streams and bodies
// of unknown length piece by piece. If the response breaks off after its header, the
// caller receives the bytes that arrived, then the connection is closed.
func (p *proxy) serve(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) {
	f := &forwarding{proxy: p, x: x}
	if r.URL.Path == "" { // of "GET http://api.example HTTP/1.1", whose route was found by "/"
		root := *r.URL
		root.Path = "/"
		r.URL = &root
	}
	if err := f.limit(w, r); err != nil {
		closeAfter(r, x)
		reject(w, x, err)
		return
	}
	if !p.isPlain(r) || !f.exchange(w, r) {
		f.reverse(w, r)
	}
}

// reverse forwards a call that is not plain.
func (f *forwarding) reverse(w http.ResponseWriter, r *http.Request) {
	proxy := httputil.ReverseProxy{
		Rewrite: f.rewrite, ModifyResponse: f.modify, ErrorHandler: f.fail,
		Transport: f.transport, BufferPool: f.buffers, ErrorLog: f.log,
	}
	out, whole := &upstreamWriter{ResponseWriter: w, names: f.names}, false
	defer func() {
		if out.begun && !whole {
			_ = http.NewResponseController(w).Flush()
		}
	}()
	proxy.ServeHTTP(out, r)
	whole = true
}

// rewrite builds the request to the upstream. It keeps the client's path and query byte
// for byte, and replaces the header fields that only this system may set.
func (f *forwarding) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	out.URL.Scheme, out.URL.Host, out.Host = f.base.Scheme, f.base.Host, ""
	f.setPath(out.URL, pr.In.URL)
	out.URL.RawQuery = pr.In.URL.RawQuery
	if f.keepHost {
		out.Host = pr.In.Host
	}
	out.Trailer = nil
	strip(out.Header, f.names.forbiddenFromClient)
	if !f.keepsTrace(pr.In) {
		out.Header.Del("Tracestate")
	}
	f.identify(out.Header, pr.In)
	if f.body != nil && !upstream.ExpectsBody(out.Method) {
		out.Close = true
	}
}

// setPath sets the path of the upstream's URL: the base path, and the path of the request as the route
// rewrites it, byte for byte otherwise.
func (f *forwarding) setPath(out, in *url.URL) {
	escaped := f.rewritten.Path(in.EscapedPath())
	path, err := url.PathUnescape(escaped)
	if err != nil { // Match has accepted the path
		path = in.Path
	}
	out.Path, out.RawPath = f.base.Path+path, f.base.RawPath+escaped
}

// proto returns the scheme that the client used: the scheme of the connection, unless a
// trusted proxy states another one.
func proto(r *http.Request, trusted admit.Proxies) string {
	if stated := trusted.Proto(client(r)); stated != "" {
		return stated
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// modify reads the cost that the upstream stated, deletes the fields that only this
// system may set, and marks the response as the upstream's.
func (f *forwarding) modify(res *http.Response) error {
	f.x.UpstreamCost = f.stated(res.Header[f.names.CreditCost])
	if isGRPCError(res) {
		f.x.UpstreamCost = new(int64)
	}
	strip(res.Header, f.names.forbiddenFromUpstream)
	strip(res.Trailer, f.names.forbiddenFromUpstream)
	res.Header.Set(f.names.Source, httpauth.SourceUpstream)
	if !f.keepLocation {
		f.relocateAll(res.Header)
	}
	return nil
}

// stated returns the cost that the values of the field Credit-Cost state, nil without one.
// An invalid cost is an error for the log.
func (f *forwarding) stated(values []string) *int64 {
	if len(values) == 0 {
		return nil
	}
	cost, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || len(values) > 1 || cost < 0 || cost > admit.MaxCredits {
		f.x.Err = fmt.Errorf("the upstream stated a cost of %q; the route's own was charged", values)
		return nil
	}
	return &cost
}

// isGRPCError reports whether a response without a body has a gRPC status other than OK,
// in the header or the trailer.
func isGRPCError(res *http.Response) bool {
	return res.Body == http.NoBody && hasType(res, "application/grpc") &&
		res.Header.Get("Grpc-Status") != "0" && res.Trailer.Get("Grpc-Status") != "0"
}

// buffers reuses buffers for copying bodies.
type buffers struct{ pool sync.Pool }

// Get returns a buffer of 32 KiB.
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 32<<10)
}

// Put returns a buffer for reuse.
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
