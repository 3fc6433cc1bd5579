package gateway

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: no spelling of an identity field of a client reaches the upstream, which
// trusts these fields.
func TestIdentityFields(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, nil, nil)
		forged := []string{"Cookie: session=secret"}
		for _, name := range []string{
			"X-Toksta-Account-Id", "X-Toksta-Key-Id", "X-Toksta-Plan", "X-Toksta-Scopes", "X-Toksta-Anything", "X-Request-Id-Not",
			"Authorization", "Traceparent", "X-Trace-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix",
			"Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "X-Original-Url", "X-Original-Method", "X-Rewrite-Url",
			"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "Proxy", "SCRIPT_NAME", "Script-Name", "PATH_INFO", "Daphne-Root-Path", "Content-Length", "Transfer-Encoding",
			"Http2-Settings",
		} {
			for _, spelling := range []string{
				name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"),
				strings.ToLower(strings.ReplaceAll(name, "-", ".")), strings.Replace(name, "-", "_", 1), strings.ToUpper(strings.ReplaceAll(name, "-", "_")),
				strings.ReplaceAll(name, "-", "+"), strings.ReplaceAll(name, "-", "~"), strings.Replace(name, "-", "!", 1),
			} {
				if !slices.ContainsFunc([]string{"Authorization", "X-Forwarded-For", "Content-Length", "Transfer-Encoding"}, func(used string) bool {
					return strings.EqualFold(spelling, used)
				}) {
					forged = append(forged, spelling+": forged")
				}
			}
		}
		got := b.get("/v1/creators/7", append(forged, "X-Forwarded-For: 9.9.9.9", "X-Kept: yes", "Connection: X-Toksta-Plan, keep-alive")...)
		seen := b.forwarded()
		if got.StatusCode != http.StatusOK || len(seen) != 1 {
			t.Fatalf("%d, %d forwarded", got.StatusCode, len(seen))
		}
		h := seen[0].Header
		for name, values := range h {
			if strings.Contains(strings.Join(values, ","), "forged") && !strings.HasPrefix(folded(name), "x-request-id-") {
				t.Errorf("forwarded %s: %v", name, values)
			}
		}
		want := map[string]string{
			"X-Toksta-Account-Id": "acct_1", "X-Toksta-Key-Id": "key_1", "X-Toksta-Plan": "API_BUILD", "X-Toksta-Scopes": "data,job",
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "api.test", "X-Forwarded-Proto": "http",
			"X-Request-Id": got.Header.Get("X-Request-Id"), "X-Trace-Id": got.Header.Get("X-Trace-Id"), "X-Kept": "yes", "Authorization": "", "Cookie": "",
		}
		seenFields := map[string]string{}
		for name := range want {
			seenFields[name] = strings.Join(h[name], "|")
		}
		if diff := cmp.Diff(want, seenFields); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if !strings.HasPrefix(h.Get("Traceparent"), "00-"+h.Get("X-Trace-Id")+"-") {
			t.Errorf("traceparent %q", h.Get("Traceparent"))
		}
		if seen[0].Host == "api.test" {
			t.Errorf("the upstream got the client's Host")
		}
	})
}

func folded(name string) string {
	f := admit.Fold(name)
	return string(f.Bytes())
}

// Guarantee: a client's trailer does not reach the upstream.
func TestTrailersStay(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		trailers := make(chan http.Header, 1)
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 10)
			for {
				if _, err := r.Body.Read(buf); err != nil {
					break
				}
			}
			trailers <- r.Trailer
		}, nil)
		b.raw(request("POST", "/v1/creators/search", "Authorization: Bearer "+goodKey, "Transfer-Encoding: chunked", "Trailer: X-Toksta-Plan") +
			"2\r\nhi\r\n0\r\nX-Toksta-Plan: forged\r\n\r\n")
		if got := <-trailers; len(got) != 0 {
			t.Errorf("forwarded %v", got)
		}
	})
}

// Guarantee: the caller's own request id is used, so that support finds the request by it,
// unless it contains unsafe characters.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	trace := "0af7651916cd43dd8448eb211c80319c"
	parent := "00-" + trace + "-b7ad6b7169203331-01"
	for _, c := range []struct{ lines, id, trace, parent string }{
		{"X-Request-Id: my.own-id_1", "my.own-id_1", "", ""},
		{"X-Request-Id: " + strings.Repeat("a", 64), strings.Repeat("a", 64), "", ""},
		{"X-Request-Id: " + strings.Repeat("a", 65), "", "", ""},
		{"X-Request-Id: a b", "", "", ""},
		{"X-Request-Id: a\"b", "", "", ""},
		{"X-Request-Id: \xe9", "", "", ""},
		{"X-Request-Id: a\r\nX-Request-Id: b", "", "", ""},
		{"Traceparent: " + parent, "", trace, parent},
		{"Traceparent: " + strings.Replace(parent, "00-", "01-", 1), "", "", ""},
		{"Traceparent: 00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01", "", "", ""},
		{"Traceparent: " + strings.ToUpper(parent), "", "", ""},
		{"X-Trace-Id: abc", "", "abc", "none"},
		{"X-Trace-Id: abc\r\nTracestate: a=b", "", "abc", "none"},
		{"X-Trace-Id: <abc>", "", "", ""},
	} {
		got := b.get("/v1/creators/7", strings.Split(c.lines, "\r\n")...)
		h := b.forwarded()[0].Header
		id, traced := got.Header.Get("X-Request-Id"), got.Header.Get("X-Trace-Id")
		if c.id != "" && id != c.id || c.id == "" && !requestID.MatchString(id) || h.Get("X-Request-Id") != id {
			t.Errorf("%q: request id %q, forwarded %q", c.lines, id, h.Get("X-Request-Id"))
		}
		if c.trace != "" && traced != c.trace || c.trace == "" && !traceID.MatchString(traced) || h.Get("X-Trace-Id") != traced {
			t.Errorf("%q: trace id %q, forwarded %q", c.lines, traced, h.Get("X-Trace-Id"))
		}
		switch got := h.Get("Traceparent"); {
		case c.parent == "none" && (got != "" || h.Get("Tracestate") != ""), c.parent != "none" && c.parent != "" && got != c.parent, c.parent == "" && got == "":
			t.Errorf("%q: forwarded traceparent %q", c.lines, got)
		}
	}
}

// Guarantee: a client cannot choose the address that its key's networks and the log use.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	local := prefixes("127.0.0.0/8", "10.0.0.0/8")
	for _, c := range []struct {
		trusted bool
		lines   string
		want    string
		status  int
	}{
		{false, "X-Forwarded-For: 9.9.9.9", "127.0.0.1", 200},
		{false, "Forwarded: for=9.9.9.9\r\nX-Real-Ip: 9.9.9.9\r\nX-Forwarded-For: a\r\nX-Forwarded-For: b", "127.0.0.1", 200},
		{true, "Accept: */*", "127.0.0.1", 200},
		{true, "X-Forwarded-For: 9.9.9.9", "9.9.9.9", 200},
		{true, "X-Forwarded-For: 8.8.8.8, 9.9.9.9", "9.9.9.9", 200},
		{true, "X-Forwarded-For: 8.8.8.8,9.9.9.9 , 10.0.0.7", "9.9.9.9", 200},
		{true, "X-Forwarded-For: rubbish, 9.9.9.9", "9.9.9.9", 200},
		{true, "X-Forwarded-For: 10.0.0.1, 10.0.0.2", "10.0.0.1", 200},
		{true, "X-Forwarded-For: ::ffff:9.9.9.9", "9.9.9.9", 200},
		{true, "X-Forwarded-For: [2001:db8::1]:443", "2001:db8::1", 200},
		{true, "X-Forwarded-For: 9.9.9.9:1234", "9.9.9.9", 200},
		{true, "X-Forwarded-For: unknown", "", 400},
		{true, "X-Forwarded-For: 9.9.9.9, _hidden", "", 400},
		{true, "X-Forwarded-For: [2001:db8::1", "", 400},
		{true, "X-Forwarded-For: [9.9.9.9]", "", 400},
		{true, "X-Forwarded-For: []", "", 400},
		{true, "X-Forwarded-For: [2001:db8::1]", "2001:db8::1", 200},
		{true, "X-Forwarded-For: [::ffff:9.9.9.9]", "9.9.9.9", 200},
		{true, "X-Forwarded-For: fe80::1%\xff", "fe80::1", 200},
		{true, "X-Forwarded-For: [fe80::1%eth0]:443", "fe80::1", 200},
		// Empty elements of a list are ignored (RFC 9110, section 5.6.1.2).
		{true, "X-Forwarded-For: ", "127.0.0.1", 200},
		{true, "X-Forwarded-For: 9.9.9.9, ", "9.9.9.9", 200},
		{true, "X-Forwarded-For: , 9.9.9.9,, 10.0.0.7 ,", "9.9.9.9", 200},
		// Several lines are one list (RFC 9110, section 5.3), of which the caller
		// wrote the beginning.
		{true, "X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 9.9.9.9", "9.9.9.9", 200},
		{true, "X-Forwarded-For: rubbish\r\nX-Forwarded-For: 9.9.9.9, 10.0.0.7\r\nX-Forwarded-For: 10.0.0.8", "9.9.9.9", 200},
		{true, "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: ", "9.9.9.9", 200},
		{true, "X-Forwarded-For: 9.9.9.9\r\nForwarded: for=8.8.8.8", "9.9.9.9", 200},
		{true, "Forwarded: for=8.8.8.8", "127.0.0.1", 200},
	} {
		b := newBench(t, nil, func(g *Config) {
			if c.trusted {
				g.TrustedProxies = local
			}
		})
		got := b.get("/v1/creators/7", strings.Split(c.lines, "\r\n")...)
		var addr, forwarded string
		if calls, _ := b.engine.take(); len(calls) == 1 {
			addr = calls[0].Addr.String()
		}
		for _, r := range b.forwarded() {
			forwarded = strings.Join(r.Header["X-Forwarded-For"], "|")
		}
		if got.StatusCode != c.status || addr != c.want || forwarded != c.want {
			t.Errorf("trusted %v, %q: %d, %q, forwarded %q; want %d, %q", c.trusted, c.lines, got.StatusCode, addr, forwarded, c.status, c.want)
		}
	}
}

// Guarantee: the upstream learns the scheme that the caller used. Only a trusted proxy can
// state it; behind several proxies it is the first element.
func TestForwardedProto(t *testing.T) {
	t.Parallel()
	for trusted, rows := range map[string]map[string]string{
		"127.0.0.0/8": {
			"https": "https", "http": "http", "HTTPS": "https", " https , http": "https", "https,http": "https", "http, https": "http",
			"https\r\nX-Forwarded-Proto: http": "https", ", https": "https", "wss": "https", "ws": "http", "WSS, http": "https",
			"": "http", "gopher": "http", "gopher, https": "http",
		},
		"10.0.0.0/8": {"https": "http", "wss": "http"},
	} {
		b := newBench(t, nil, func(c *Config) { c.TrustedProxies = prefixes(trusted) })
		for sent, want := range rows {
			got := b.get("/v1/creators/7", "X-Forwarded-Proto: "+sent)
			seen := b.forwarded()
			if got.StatusCode != http.StatusOK || len(seen) != 1 || seen[0].Header.Get("X-Forwarded-Proto") != want {
				t.Errorf("trusted %s, %q: %d, forwarded %v; want %q", trusted, sent, got.StatusCode, seen, want)
			}
		}
	}
}

// Guarantee: an upstream cannot set the fields for ids, limits and costs.
func TestUpstreamFieldsStripped(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"X-Request-Id", "X-Trace-Id", "X-RateLimit-Limit", "X-Ratelimit-Policy", "Ratelimit", "RateLimit_Policy", "X-Toksta-Plan", "X_Toksta_Credit_Cost", "X_Request_Id"} {
				w.Header()[name] = []string{"theirs"}
			}
			w.Header().Set("X-Kept", "yes")
		}, nil)
		got := b.get("/v1/creators/7")
		for name, values := range got.Header {
			if strings.Contains(strings.Join(values, ","), "theirs") || len(values) != 1 {
				t.Errorf("%s: %v", name, values)
			}
		}
		if got.Header.Get("X-Kept") != "yes" || got.Header.Get("X-Ratelimit-Limit") != "30" || got.Header.Get("X-Ratelimit-Remaining") != "29" || got.Header.Get("X-Ratelimit-Reset") != "60" {
			t.Errorf("header %v", got.Header)
		}
	})
}

// Guarantee: a field tells responses of the gateway, such as a 401 about the key, from those
// of the upstream, which cannot forge it.
func TestResponseSource(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Toksta-Source", "gateway")
			w.Header().Set("X_toksta_source", "gateway")
			w.Header().Set("WWW-Authenticate", `Bearer realm="theirs"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, nil)
		for path, want := range map[string]string{"/v1/creators/7": "upstream", "/v1/down": "gateway", "/v1/account/later": "gateway", "/v1/nowhere": "gateway"} {
			got := b.get(path)
			if source := got.Header["X-Toksta-Source"]; len(source) != 1 || source[0] != want || got.Header["X_toksta_source"] != nil {
				t.Errorf("%s: %d, source %q, want %q", path, got.StatusCode, source, want)
			}
		}
	})
}

// Guarantee: the engine receives the values that it needs, no secret, and the time of the
// decision. An earlier time could let an expired lease decide.
func TestCall(t *testing.T) {
	t.Parallel()
	var ticks atomic.Int64 // 1 at the decision, which reads the clock once
	b := newBench(t, nil, func(c *Config) { c.Now = func() time.Time { return time.Unix(ticks.Add(1), 0) } })
	b.get("/v1/creators/7", "User-Agent: "+strings.Repeat("u", 300))
	calls, _ := b.engine.take()
	if len(calls) != 1 || calls[0].Route.Operation != "getCreator" || len(calls[0].Agent) != 256 || calls[0].Digest == (toksta.Digest{}) || calls[0].Now.Unix() != 1 {
		t.Errorf("calls %+v", calls)
	}
}
