package gateway

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/toksta/toksta/httpauth"
	"github.com/toksta/toksta/internal/telemetry"
)

// maxCost bounds the cost that an upstream may state for one call, in credits.
const maxCost = 1_000_000

// Upstream is one back end of the vendor's.
type Upstream struct {
	Name string
	// URL is where its paths start: scheme, host and perhaps a path that the
	// request's path is put behind, byte for byte.
	URL *url.URL
	// Connect is the longest wait for a connection (0: 5 s), Answer that for
	// the header of an answer (0: 60 s). A body may take any time.
	Connect, Answer time.Duration
}

// proxy forwards admitted calls to one upstream. Flushing is ReverseProxy's:
// event streams and bodies of unknown length go out piece by piece.
type proxy struct {
	base    *url.URL
	trusted proxies
}

// newProxy refuses a URL that says more than where the upstream is: a query or
// credentials in it would be dropped silently otherwise.
func newProxy(u Upstream, trusted proxies) (http.Handler, error) {
	if u.URL == nil || u.URL.Host == "" || u.URL.Scheme != "http" && u.URL.Scheme != "https" {
		return nil, fmt.Errorf("upstream %q: the URL needs http or https and a host", u.Name)
	}
	if u.URL.User != nil || u.URL.RawQuery != "" || u.URL.Fragment != "" {
		return nil, fmt.Errorf("upstream %q: the URL holds more than scheme, host and path", u.Name)
	}
	base := *u.URL
	base.Path = strings.TrimSuffix(u.URL.Path, "/")
	base.RawPath = strings.TrimSuffix(u.URL.EscapedPath(), "/")
	p := &proxy{base: &base, trusted: trusted}
	return onlyOurs(&httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      transport(u),
		ModifyResponse: modify,
		ErrorHandler:   fail,
		ErrorLog:       log.New(io.Discard, "", 0), // the request record says it
		BufferPool:     &buffers{},
	}), nil
}

// transport never changes a body, asks no environment for a proxy and keeps
// enough idle connections for a busy node.
func transport(u Upstream) *http.Transport {
	connect, answer := u.Connect, u.Answer
	if connect <= 0 {
		connect = 5 * time.Second
	}
	if answer <= 0 {
		answer = time.Minute
	}
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   connect,
		ResponseHeaderTimeout: answer,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   256,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
}

// rewrite makes the upstream's request: the client's path and query byte for
// byte, its header without what only we may say, and our own statements.
func (p *proxy) rewrite(pr *httputil.ProxyRequest) {
	passage := httpauth.PassageFrom(pr.In.Context())
	out := pr.Out
	out.URL.Scheme, out.URL.Host, out.Host = p.base.Scheme, p.base.Host, ""
	out.URL.Path = p.base.Path + pr.In.URL.Path
	out.URL.RawPath = p.base.RawPath + pr.In.URL.EscapedPath()
	out.URL.RawQuery = pr.In.URL.RawQuery
	out.Trailer = nil
	strip(out.Header, fromClient)
	identify(out.Header, passage, pr.In.Header.Get(httpauth.HeaderTraceparent))
	if passage.Call.Addr.IsValid() {
		out.Header.Set("X-Forwarded-For", passage.Call.Addr.String())
	}
	out.Header.Set("X-Forwarded-Host", pr.In.Host)
	out.Header.Set("X-Forwarded-Proto", p.trusted.proto(pr.In))
}

// modify takes the upstream's own statement of the cost off its answer, and
// every field that is ours to set.
func modify(res *http.Response) error {
	passage := httpauth.PassageFrom(res.Request.Context())
	if said := res.Header[httpauth.HeaderCreditCost]; len(said) > 0 {
		cost, err := strconv.ParseInt(said[0], 10, 64)
		if err != nil || len(said) > 1 || cost < 0 || cost > maxCost {
			rec := telemetry.RecordFrom(res.Request.Context())
			rec.Err = fmt.Errorf("the upstream stated a cost of %q; the route's own was charged", said)
		} else {
			passage.Cost = &cost
		}
	}
	strip(res.Header, fromUpstream)
	strip(res.Trailer, fromUpstream)
	guardTrailer(res)
	return nil
}

// buffers are reused between copies of bodies.
type buffers struct{ pool sync.Pool }

// Get returns a buffer of 32 KiB.
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 32<<10)
}

// Put takes a buffer back.
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
