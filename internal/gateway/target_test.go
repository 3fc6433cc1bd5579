package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the target of the decision is the target that is forwarded. Path and query
// arrive byte for byte, and every other form of target is rejected.
func TestTarget(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	key := "Authorization: Bearer " + goodKey
	for _, c := range []struct {
		method, target string
		status         int
		forwarded      string
	}{
		{"GET", "/v1/creators/7", 200, "GET /v1/creators/7"},
		{"GET", "/v1/creators/a%20b%41~!$&'()*+,=:@?q=%zz;x=a+b&&=#f", 200, "GET /v1/creators/a%20b%41~!$&'()*+,=:@?q=%zz;x=a+b&&=#f"},
		{"GET", "/v1/creators/7?", 200, "GET /v1/creators/7?"},
		{"GET", "http://api.test/v1/creators/7?x=1", 200, "GET /v1/creators/7?x=1"},
		{"GET", "https://elsewhere.test:99/v1/creators/7", 200, "GET /v1/creators/7"},
		{"HEAD", "/v1/creators/7", 200, "HEAD /v1/creators/7"},
		{"POST", "/v1/jobs/results:bulk", 200, "POST /v1/jobs/results:bulk"},
		{"POST", "/v1/jobs/results%3Abulk", 405, ""},
		{"GET", "/v1/jobs/results%3Abulk", 200, "GET /v1/jobs/results%3Abulk"},
		{"GET", "http://user:pass@api.test/v1/creators/7", 400, ""},
		{"GET", "http:/v1/creators/7", 400, ""},
		{"GET", "http:v1/creators/7", 400, ""},
		{"GET", "ftp://api.test/v1/creators/7", 400, ""},
		{"GET", "http://api.test", 404, ""},
		{"GET", "http://api.test//v1/creators/7", 400, ""},
		{"GET", "*", 400, ""},
		{"OPTIONS", "*", 400, ""},
		{"GET", "//v1/creators/7", 400, ""},
		{"GET", "/v1//creators/7", 400, ""},
		{"GET", "/v1/./creators/7", 400, ""},
		{"GET", "/health/../v1/creators/7", 400, ""},
		{"GET", "/v1/x/%2e%2e/creators/7", 400, ""},
		{"GET", "/v1/creators%2f7", 400, ""},
		{"GET", "/v1/creators/7;x", 400, ""},
		{"GET", "/v1/creators/7\\x", 400, ""},
		{"GET", "/v1/creators/\xc3\xa9", 400, ""},
		{"GET", "/v1/creators/Bj%C3%B6rk", 200, "GET /v1/creators/Bj%C3%B6rk"},
		{"GET", "/v1/creators/%c3%a9", 200, "GET /v1/creators/%c3%a9"},
		{"GET", "/v1/creators/%C0%AE%C0%AE", 400, ""},
		{"GET", "/v1/creators/7%EF%BC%8F8", 400, ""},
		{"GET", "/v1/creators/%00", 400, ""},
		{"GET", "/V1/creators/7", 404, ""},
		{"GET", "/v1/creators/7/", 404, ""},
		{"GET", "/v1/creators/search", 200, "GET /v1/creators/search"},
		{"DELETE", "/v1/creators/7", 405, ""},
		{"TRACE", "/v1/creators/7", 405, ""},
		{"TRACE", "/", 404, ""},
		{"CONNECT", "api.test:443", 400, ""},
		{"CONNECT", "/v1/creators/7", 405, ""},
		{"OPTIONS", "/v1/creators/7", 405, ""},
		{"get", "/v1/creators/7", 405, ""},
	} {
		got := b.raw(request(c.method, c.target, key))
		var forwarded string
		for _, r := range b.forwarded() {
			forwarded += r.Method + " " + r.RequestURI
		}
		if got.StatusCode != c.status || forwarded != c.forwarded {
			t.Errorf("%s %s: %d, forwarded %q; want %d, %q", c.method, c.target, got.StatusCode, forwarded, c.status, c.forwarded)
		}
	}
}

// Guarantee: OPTIONS needs a key.
func TestOptionsNeedsKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, func(c *Config) {
		options := testRoutes[1]
		options.Method = http.MethodOptions
		c.Routes = append([]toksta.Route{options}, testRoutes...)
	})
	if got := b.raw(request("OPTIONS", "/v1/creators/7")); got.StatusCode != 401 || len(b.forwarded()) != 0 {
		t.Errorf("a configured OPTIONS without a key: %d", got.StatusCode)
	}
	if got := b.raw(request("OPTIONS", "/v1/creators/7", "Authorization: Bearer "+goodKey)); got.StatusCode != 200 || len(b.forwarded()) != 1 {
		t.Errorf("a configured OPTIONS with a key: %d", got.StatusCode)
	}
}

// Guarantee: the connection is closed after a request whose end two parties could see in
// different places, so that no smuggled request is read.
func TestConnectionCloses(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	key := "Authorization: Bearer " + goodKey + "\r\n"
	for name, c := range map[string]struct {
		request string
		closed  bool
	}{
		"HTTP/1.1": {"GET /v1/creators/7 HTTP/1.1\r\nHost: h\r\n" + key + "\r\n", false},
		"length":   {"POST /v1/creators/search HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n" + key + "\r\nhi", false},
		"rejected": {"GET /v1/creators/7 HTTP/1.1\r\nHost: h\r\n\r\n", false},
		"chunked":  {"POST /v1/creators/search HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" + key + "\r\n0\r\n\r\n", true},
		"both": {"POST /v1/creators/search HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" +
			key + "\r\n0\r\n\r\n", true},
		"both, rejected":                  {"POST /v1/nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
		"HTTP/1.0 with keep-alive":        {"GET /v1/creators/7 HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n" + key + "\r\n", true},
		"HTTP/1.0 with Transfer-Encoding": {"POST /v1/creators/search HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n" + key + "\r\n0\r\n\r\n", true},
		"HTTP/1.0 on an open endpoint":    {"GET /health HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", true},
		"chunked on an open endpoint":     {"GET /health HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
	} {
		got := b.raw(c.request)
		if got.closed != c.closed || got.StatusCode >= 500 {
			t.Errorf("%s: %d, closed %v, want %v", name, got.StatusCode, got.closed, c.closed)
		}
	}
}

// Guarantee: no request of a client causes a 5xx, which would alert the operator.
func TestNoServerErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	key := "Authorization: Bearer " + goodKey
	post := func(lines ...string) string { return request("POST", "/v1/creators/search", append(lines, key)...) }
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"bad chunk size":      {post("Transfer-Encoding: chunked") + "zz\r\nhi\r\n0\r\n\r\n", 400},
		"bad chunk end":       {post("Transfer-Encoding: chunked") + "2\r\nhiXX0\r\n\r\n", 400},
		"body over the limit": {post("Transfer-Encoding: chunked") + "50\r\n" + strings.Repeat("a", 80) + "\r\n0\r\n\r\n", 413},
		"length over limit":   {post("Content-Length: 65") + strings.Repeat("a", 65), 413},
		"huge length":         {post("Content-Length: 9223372036854775807"), 413},
		"length at the limit": {post("Content-Length: 64") + strings.Repeat("a", 64), 200},
		"two lengths":         {post("Content-Length: 1", "Content-Length: 2") + "hi", 400},
		// RFC 9112 requires this response, which net/http sends itself.
		"unknown coding":       {post("Transfer-Encoding: gzip"), 501},
		"odd upgrade":          {request("GET", "/v1/creators/7", key, "Connection: upgrade", "Upgrade: \xff\xfe"), 200},
		"h2c":                  {request("GET", "/v1/creators/7", key, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x"), 200},
		"WebSocket or h2c":     {request("GET", "/v1/creators/7", key, "Connection: Upgrade", "Upgrade: WebSocket, h2c"), 200},
		"WebSocket, then h2c":  {request("GET", "/v1/creators/7", key, "Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"), 200},
		"h2c, then WebSocket":  {request("GET", "/v1/creators/7", key, "Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"), 200},
		"odd expectation":      {request("GET", "/v1/creators/7", key, "Expect: nothing"), 417},
		"body with GET":        {request("GET", "/v1/creators/7", key, "Content-Length: 2") + "hi", 200},
		"hop-by-hop authority": {request("GET", "/v1/creators/7", key, "Connection: Authorization, X-Toksta-Account-Id"), 200},
		// net/http allows 500 fields, here and at the upstream.
		"many fields":          {request("GET", "/v1/creators/7", append(strings.Split(strings.Repeat("X-A: b\n", 400)+"X-B: c", "\n"), key)...), 200},
		"header past net/http": {request("GET", "/v1/creators/7", key, "X-Long: "+strings.Repeat("a", 200<<10)), 431},
	} {
		got := b.raw(c.request)
		if got.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", name, got.StatusCode, got.Body, c.status)
		}
		for _, r := range b.forwarded() {
			if r.Header.Get("Upgrade") != "" {
				t.Errorf("%s: forwarded the upgrade %q", name, r.Header.Get("Upgrade"))
			}
		}
	}
}

// Guarantee: New rejects a configuration that would leave a route without a key or without
// an upstream.
func TestNewRejects(t *testing.T) {
	t.Parallel()
	j := &engine{}
	up := Upstream{Name: "main", URL: parseURL(t, "http://upstream.test")}
	for want, c := range map[string]Config{
		"Config.Engine is nil":          {},
		`upstream "x" is not`:           {Routes: []toksta.Route{{Method: "GET", Pattern: "/a", Family: "data", Upstream: "x"}}, Upstreams: []Upstream{up}},
		"without an endpoint family":    {Routes: []toksta.Route{{Method: "GET", Pattern: "/a", Upstream: "main"}}, Upstreams: []Upstream{up}},
		"match the same paths":          {Routes: []toksta.Route{{Method: "GET", Pattern: "/a", Family: "data"}}, Open: map[string]http.Handler{"/a": http.NotFoundHandler()}},
		"needs http or https":           {Upstreams: []Upstream{{Name: "main", URL: parseURL(t, "ftp://x")}}},
		"absolute path of a socket":     {Upstreams: []Upstream{{Name: "main", URL: parseURL(t, "unix://x/y")}}},
		"absolute path of a socket ":    {Upstreams: []Upstream{{Name: "main", URL: parseURL(t, "unix:x")}}},
		"more than scheme, host, path":  {Upstreams: []Upstream{{Name: "main", URL: parseURL(t, "http://u:p@x")}}},
		"more than scheme, host, path ": {Upstreams: []Upstream{{Name: "main", URL: parseURL(t, "http://x/?a=b")}}},
	} {
		if c.Upstreams != nil || c.Routes != nil {
			c.Engine = j
		}
		_, err := New(c)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), " and ", ", "), strings.ReplaceAll(strings.TrimSpace(want), " and ", ", ")) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Guarantee: a body arrives unchanged, with a length or in chunks.
func TestBodyArrives(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("X-Length", r.Header.Get("Content-Length"))
		buf := make([]byte, 100)
		n, _ := r.Body.Read(buf)
		_, _ = w.Write(buf[:n])
	}, nil)
	key := "Authorization: Bearer " + goodKey
	for name, sent := range map[string]string{
		"length":  request("POST", "/v1/creators/search", key, "Content-Length: 5") + "hello",
		"chunked": request("POST", "/v1/creators/search", key, "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n",
	} {
		if diff := cmp.Diff("hello", b.raw(sent).Body); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
