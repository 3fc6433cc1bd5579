package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/downstream"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/sdk/toksta"
)

const goodKey = "tk_live_0123456789abcdef0123456789abcdef0123456789abcdef"

// engine decides by a table with a decision for each secret.
type engine struct {
	mu        sync.Mutex
	decisions map[toksta.Digest]toksta.Decision
	calls     []toksta.Call
	charged   []int64
}

func (e *engine) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, c)
	d, ok := e.decisions[c.Digest]
	if !ok {
		d.Rejection = toksta.Rejection{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyUnknown}
	}
	d.Route = c.Route
	if d.Admitted() {
		d.Hold = c.Route.Credits
	}
	return d
}

func (e *engine) End(*toksta.Decision) {}

func (e *engine) Charge(_ *toksta.Decision, _ toksta.Call, credits int64) (toksta.Charge, int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.charged = append(e.charged, credits)
	return toksta.Charge{Credits: credits}, 0
}

func (e *engine) take() (calls []toksta.Call, charged []int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls, charged = e.calls, e.charged
	e.calls, e.charged = nil, nil
	return calls, charged
}

// bench is a gateway on a real listener with a real upstream.
type bench struct {
	t        testing.TB
	addr     string
	engine   *engine
	gateway  *Gateway
	log      *lines
	upstream *httptest.Server
	mu       sync.Mutex
	seen     []*http.Request
}

// lines collects log records. A record is written when its request ends.
type lines struct{ written chan string }

func (l *lines) Write(p []byte) (int, error) {
	l.written <- string(p)
	return len(p), nil
}

var testRoutes = []toksta.Route{
	{Method: "POST", Pattern: "/v1/creators/search", Operation: "searchCreators", Family: "data", Credits: 1, Upstream: "main"},
	{Method: "GET", Pattern: "/v1/creators/{id}", Operation: "getCreator", Family: "data", Upstream: "main"},
	{Method: "GET", Pattern: "/v1/jobs/{id}", Operation: "getJob", Family: "job", Upstream: "main"},
	{Method: "POST", Pattern: "/v1/jobs/results:bulk", Operation: "getJobResultsBulk", Family: "job", Upstream: "main"},
	{Method: "GET", Pattern: "/v1/paid", Operation: "paid", Family: "data", Credits: 3, Upstream: "main"},
	{Method: "GET", Pattern: "/v1/down", Operation: "down", Family: "data", Credits: 3, Upstream: "down"},
	{Method: "GET", Pattern: "/v1/slow", Operation: "slow", Family: "data", Credits: 3, Upstream: "slow"},
	{Method: "GET", Pattern: "/v1/account/usage", Operation: "getAccountUsage", Family: "account"},
	{Method: "GET", Pattern: "/v1/account/panic", Operation: "panic", Family: "account", Credits: 3},
	{Method: "GET", Pattern: "/v1/account/later", Operation: "later", Family: "account"},
}

// newBenchFunc starts a bench. upstream is the handler of the upstream, nil for an empty
// 200. adjust, if not nil, changes the configuration. stall limits clients without progress.
type newBenchFunc func(t testing.TB, upstream http.HandlerFunc, adjust func(*Config), stall ...time.Duration) *bench

// onBothPaths runs a test with each of the two ways to an upstream: a plain exchange and
// the reverse proxy. A request for trailers takes the second one.
func onBothPaths(t *testing.T, test func(t *testing.T, newBench newBenchFunc)) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{"plain": unchanged, "reverse": askForTrailers} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(t testing.TB, upstream http.HandlerFunc, adjust func(*Config), stall ...time.Duration) *bench {
				t.Helper()
				return startBench(t, setup{upstream, adjust, append(stall, 30*time.Second)[0], wrap})
			})
		})
	}
}

// unchanged returns h.
func unchanged(h http.Handler) http.Handler { return h }

// askForTrailers adds a request for trailers to each request to h.
func askForTrailers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Te", "trailers")
		h.ServeHTTP(w, r)
	})
}

// newBench starts a bench whose calls are plain exchanges, unless they ask for more. See
// newBenchFunc.
func newBench(t testing.TB, upstream http.HandlerFunc, adjust func(*Config), stall ...time.Duration) *bench {
	t.Helper()
	return startBench(t, setup{upstream, adjust, append(stall, 30*time.Second)[0], unchanged})
}

// setup holds the parts of a bench.
type setup struct {
	upstream http.HandlerFunc
	adjust   func(*Config)
	stall    time.Duration
	wrap     func(http.Handler) http.Handler
}

func startBench(t testing.TB, set setup) *bench {
	t.Helper()
	b := &bench{t: t, log: &lines{make(chan string, 1024)}, engine: &engine{decisions: map[toksta.Digest]toksta.Decision{
		sha256.Sum256([]byte(goodKey)): {
			Principal: toksta.Principal{AccountID: "acct_1", KeyID: "key_1", Plan: "API_BUILD", Scopes: []toksta.Family{"data", "job"}},
			Rate:      toksta.RateState{Limit: 30, Remaining: 29, Reset: 60},
		},
	}}}
	b.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.seen = append(b.seen, r)
		b.mu.Unlock()
		if set.upstream != nil {
			set.upstream(w, r)
		}
	}))
	t.Cleanup(b.upstream.Close)
	c := Config{
		Routes: testRoutes, Engine: b.engine, MaxBody: 64,
		Upstreams: []Upstream{
			{Name: "main", URL: parseURL(t, b.upstream.URL)},
			{Name: "down", URL: parseURL(t, "http://"+closedPort(t))},
			{Name: "slow", URL: parseURL(t, b.upstream.URL), Response: 50 * time.Millisecond},
		},
		Local: map[string]http.Handler{
			"getAccountUsage": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "usage") }),
			"panic":           http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken " + "handler") }),
		},
		Open: map[string]http.Handler{"/health": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })},
	}
	if set.adjust != nil {
		set.adjust(&c)
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr, b.gateway = l.Addr().String(), g
	s := Server(telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: b.log}), Realm: "Toksta API"}, set.wrap(g)), DefaultMaxHeader)
	clients := downstream.Listen(l, downstream.Config{Limits: downstream.Limits{Body: set.stall, Write: set.stall}})
	clients.Configure(s)
	go clients.Run(t.Context())
	go func() { _ = s.Serve(clients) }()
	t.Cleanup(func() { _ = s.Close() })
	return b
}

func parseURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// closedPort returns an address without a listener.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// reply is a response as a raw client receives it.
type reply struct {
	*http.Response
	Body   string
	closed bool // the server closed the connection after it
}

// raw sends bytes on a new connection and reads one response.
func (b *bench) raw(request string) reply {
	b.t.Helper()
	conn := b.dial()
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		b.t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	return b.read(conn, method)
}

func (b *bench) dial() net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// read reads one response and then tries a second request on the connection.
func (b *bench) read(conn net.Conn, method string) reply {
	b.t.Helper()
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		b.t.Fatalf("read the response: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("read the body: %v", err)
	}
	out := reply{Response: res, Body: string(body)}
	_, _ = io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
	_, err = br.ReadByte()
	out.closed = err != nil
	return out
}

// get sends a GET with the good key and more header lines.
func (b *bench) get(target string, lines ...string) reply {
	b.t.Helper()
	return b.raw(request("GET", target, append(lines, "Authorization: Bearer "+goodKey)...))
}

func request(method, target string, lines ...string) string {
	var s bytes.Buffer
	s.WriteString(method + " " + target + " HTTP/1.1\r\nHost: api.test\r\n")
	for _, l := range lines {
		s.WriteString(l + "\r\n")
	}
	s.WriteString("\r\n")
	return s.String()
}

// forwarded returns the requests that the upstream received since the last call.
func (b *bench) forwarded() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := b.seen
	b.seen = nil
	return seen
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
