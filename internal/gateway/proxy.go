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

	"github.com/toksta/toksta/httpauth"
	"github.com/toksta/toksta/internal/telemetry"
)

// maxCost bounds the cost that an upstream may state for one call, in credits.
const maxCost = 1_000_000

// proxy forwards admitted calls to one upstream. Flushing is ReverseProxy's:
// event streams and bodies of unknown length go out piece by piece.
type proxy struct {
	base         *url.URL
	trusted      proxies
	keepHost     bool
	keepLocation bool
}

// newProxy returns the handler of an upstream's routes.
func (c Config) newProxy(u Upstream) (http.Handler, error) {
	base, err := u.base()
	if err != nil {
		return nil, err
	}
	p := &proxy{base: base, trusted: c.proxies(), keepHost: u.KeepHost, keepLocation: u.KeepLocation}
	return passOn(&httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      &pool{upstream: u, now: c.Now},
		ModifyResponse: p.modify,
		ErrorHandler:   fail,
		ErrorLog:       log.New(io.Discard, "", 0), // the request record says it
		BufferPool:     &buffers{},
	}), nil
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
	if p.keepHost {
		out.Host = pr.In.Host
	}
	out.Trailer = nil
	strip(out.Header, fromClient)
	identify(out.Header, passage, pr.In.Header.Get(httpauth.HeaderTraceparent))
	if passage.Call.Addr.IsValid() {
		out.Header.Set("X-Forwarded-For", passage.Call.Addr.String())
	}
	out.Header.Set("X-Forwarded-Host", pr.In.Host)
	out.Header.Set("X-Forwarded-Proto", p.trusted.proto(pr.In))
}

// modify takes the upstream's own statement of the cost off its response, and
// every field that is ours to set. It says that the response is the upstream's.
func (p *proxy) modify(res *http.Response) error {
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
	if isGRPCError(res) {
		passage.Cost = new(int64)
	}
	strip(res.Header, fromUpstream)
	strip(res.Trailer, fromUpstream)
	res.Header.Set(httpauth.HeaderSource, httpauth.SourceUpstream)
	if !p.keepLocation {
		p.relocate(res.Header["Location"])
		p.relocate(res.Header["Content-Location"])
	}
	return nil
}

// isGRPCError reports whether a response is a gRPC error without a message. Its
// status, in the header or the trailer, is not OK.
func isGRPCError(res *http.Response) bool {
	return res.Body == http.NoBody && hasType(res, "application/grpc") &&
		res.Header.Get("Grpc-Status") != "0" && res.Trailer.Get("Grpc-Status") != "0"
}

// relocate replaces references to the upstream's own address, which callers
// cannot reach, by the path behind the base path.
func (p *proxy) relocate(references []string) {
	for i, reference := range references {
		u, err := url.Parse(reference)
		if err != nil || u.User != nil || u.Host == "" || u.Scheme != "" && u.Scheme != p.base.Scheme || authority(u, p.base.Scheme) != authority(p.base, p.base.Scheme) {
			continue
		}
		_, rest, _ := strings.Cut(reference, "//")
		rest, under := strings.CutPrefix(rest, u.Host+p.base.RawPath)
		switch {
		case !under || rest != "" && strings.IndexByte("/?#", rest[0]) < 0:
		case strings.HasPrefix(rest, "//"): // not the name of another host
			references[i] = "/." + rest
		case strings.HasPrefix(rest, "/"):
			references[i] = rest
		default:
			references[i] = "/" + rest
		}
	}
}

// authority returns host:port of u in lower case.
func authority(u *url.URL, scheme string) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
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
