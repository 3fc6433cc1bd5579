package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wait receives the next value, or fails the test.
func wait[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s after 10 s", what)
		panic("unreachable")
	}
}

// record returns the log record of the next request that ends.
func (b *bench) record(t *testing.T) map[string]any {
	t.Helper()
	var rec map[string]any
	if err := json.Unmarshal([]byte(wait(t, "log record", b.log.written)), &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// Guarantee: the credits of each admitted call are charged or released once, before its
// response: charged after a success, released after a failure.
func TestChargeOrRelease(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			for _, cost := range q["cost"] {
				w.Header().Add("X-Toksta-Credit-Cost", cost)
			}
			status := http.StatusOK
			if s := q.Get("status"); s != "" {
				_, _ = fmt.Sscan(s, &status)
			}
			if r.URL.Path == "/v1/slow" {
				<-r.Context().Done()
				return
			}
			if q.Has("hint") {
				w.WriteHeader(http.StatusEarlyHints)
			}
			w.WriteHeader(status)
			if q.Has("cut") {
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		}, nil)
		key := "Authorization: Bearer " + goodKey
		for _, c := range []struct {
			request string
			status  int
			charged []int64
			cost    string
		}{
			{request("GET", "/v1/paid", key), 200, []int64{3}, "3"},
			{request("HEAD", "/v1/paid", key), 200, []int64{3}, "3"},
			{request("GET", "/v1/paid?status=302", key), 302, []int64{3}, "3"},
			{request("GET", "/v1/paid?status=404", key), 404, []int64{0}, "0"},
			{request("GET", "/v1/paid?status=500", key), 500, []int64{0}, "0"},
			{request("GET", "/v1/paid?cost=7", key), 200, []int64{7}, "7"},
			{request("GET", "/v1/paid?cost=0", key), 200, []int64{0}, "0"},
			{request("GET", "/v1/paid?cost=7&status=500", key), 500, []int64{0}, "0"},
			{request("GET", "/v1/paid?cost=-1", key), 200, []int64{3}, "3"},
			{request("GET", "/v1/paid?cost=1000001", key), 200, []int64{3}, "3"},
			{request("GET", "/v1/paid?cost=7x", key), 200, []int64{3}, "3"},
			{request("GET", "/v1/paid?cost=7&cost=8", key), 200, []int64{3}, "3"},
			{request("GET", "/v1/creators/7", key), 200, []int64{0}, ""},
			{request("GET", "/v1/creators/7?cost=2", key), 200, []int64{2}, "2"},
			{request("GET", "/v1/down", key), 502, []int64{0}, "0"},
			{request("GET", "/v1/slow", key), 504, []int64{0}, "0"},
			{request("GET", "/v1/account/panic", key), 500, []int64{0}, "0"},
			{request("GET", "/v1/account/usage", key), 200, []int64{0}, ""},
			{request("POST", "/v1/creators/search", key, "Content-Length: 65"), 413, []int64{0}, "0"},
			{request("POST", "/v1/creators/search", key, "Transfer-Encoding: chunked") + "zz\r\n", 400, []int64{0}, "0"},
			{request("GET", "/v1/paid", "Authorization: Bearer other"), 401, nil, ""},
			{request("PUT", "/v1/paid", key), 405, nil, ""},
		} {
			line, _, _ := strings.Cut(c.request, " HTTP/1.1")
			got := b.raw(c.request)
			_, charged := b.engine.take()
			if got.StatusCode != c.status || got.Header.Get("X-Toksta-Credit-Cost") != c.cost || len(got.Header["X-Toksta-Credit-Cost"]) > 1 {
				t.Errorf("%s: %d, cost %q; want %d, %q", line, got.StatusCode, got.Header["X-Toksta-Credit-Cost"], c.status, c.cost)
			}
			if diff := cmp.Diff(c.charged, charged); diff != "" {
				t.Errorf("%s: charged (-want +got)\n%s", line, diff)
			}
		}
	})
}

// Guarantee: an early hint is not the response. The call is charged, and the fields of this
// system are set, with the final response.
func TestEarlyHints(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusBadGateway)
		}, nil)
		conn := b.dial()
		defer conn.Close()
		_, _ = io.WriteString(conn, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey))
		br := bufio.NewReader(conn)
		for _, want := range []int{http.StatusEarlyHints, http.StatusBadGateway} {
			res, err := http.ReadResponse(br, nil)
			if err != nil || res.StatusCode != want {
				t.Fatalf("%v, %v, want %d", res, err, want)
			}
			if want == http.StatusBadGateway && (res.Header.Get("X-Request-Id") == "" || res.Header.Get("X-Toksta-Credit-Cost") != "0") {
				t.Errorf("header %v", res.Header)
			}
		}
		if _, charged := b.engine.take(); len(charged) != 1 || charged[0] != 0 {
			t.Errorf("charged %v", charged)
		}
	})
}

// Guarantee: each piece of a stream is forwarded at once.
func TestStreams(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		for _, contentType := range []string{"text/event-stream", "application/x-ndjson"} {
			next := make(chan struct{})
			b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", contentType)
				for i := range 3 {
					_, _ = fmt.Fprintf(w, "data: %d\n", i)
					_ = http.NewResponseController(w).Flush()
					select {
					case <-next:
					case <-r.Context().Done():
						return
					}
				}
			}, nil)
			conn := b.dial()
			t.Cleanup(func() { conn.Close() })
			_, _ = io.WriteString(conn, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, charged := b.engine.take(); len(charged) != 1 || charged[0] != 3 {
				t.Errorf("charged %v when the header is out", charged)
			}
			body := bufio.NewReader(res.Body)
			for i := range 3 {
				line, err := body.ReadString('\n')
				if err != nil || line != fmt.Sprintf("data: %d\n", i) {
					t.Fatalf("%s: %q, %v", contentType, line, err)
				}
				next <- struct{}{}
			}
			conn.Close()
		}
	})
}

// Guarantee: a WebSocket works in both directions. Its call is charged before the switch,
// and the upstream receives the caller's identity.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Toksta-Account-Id") != "acct_1" || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Toksta-Credit-Cost: 9\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	}, nil)
	conn := b.dial()
	defer conn.Close()
	_, _ = io.WriteString(conn, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey, "Connection: Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13"))
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", res, err)
	}
	if got := res.Header["X-Toksta-Credit-Cost"]; len(got) != 1 || got[0] != "9" || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("header %v", res.Header)
	}
	if _, charged := b.engine.take(); len(charged) != 1 || charged[0] != 9 {
		t.Errorf("charged %v", charged)
	}
	_, _ = io.WriteString(conn, "hello\n")
	if line, err := br.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// Guarantee: when a client disconnects, the request to the upstream is canceled, the call
// is charged, and the record reports no error of the upstream.
func TestClientGone(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		arrived, gone := make(chan struct{}), make(chan error, 1)
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			gone <- r.Context().Err()
		}, nil)
		conn := b.dial()
		_, _ = io.WriteString(conn, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey))
		wait(t, "request at the upstream", arrived)
		conn.Close()
		if err := wait(t, "cancellation at the upstream", gone); err != context.Canceled {
			t.Errorf("the upstream saw %v", err)
		}
		rec := b.record(t)
		if rec["outcome"] != "client_gone" || rec["code"] != nil {
			t.Errorf("record %v", rec)
		}
		if _, charged := b.engine.take(); len(charged) != 1 || charged[0] == 0 {
			t.Errorf("charged %v: hanging up made the call free", charged)
		}
	})
}

// Guarantee: a call whose body breaks off is charged, because the upstream may have acted
// on the part that it received.
func TestBodyBrokenOff(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		arrived := make(chan struct{})
		b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 5))
			arrived <- struct{}{}
			_, _ = io.Copy(io.Discard, r.Body)
		}, nil)
		begun := request("POST", "/v1/creators/search", "Authorization: Bearer "+goodKey, "Transfer-Encoding: chunked") + "5\r\nhello\r\n"
		for name, broken := range map[string]func(net.Conn){
			"hangs up":  func(c net.Conn) { _ = c.Close() },
			"nonsense":  func(c net.Conn) { _, _ = io.WriteString(c, "zz\r\n") },
			"too large": func(c net.Conn) { _, _ = io.WriteString(c, "41\r\n"+strings.Repeat(" ", 65)+"\r\n") },
		} {
			conn := b.dial()
			_, _ = io.WriteString(conn, begun)
			wait(t, "body at the upstream", arrived)
			broken(conn)
			b.record(t)
			if _, charged := b.engine.take(); len(charged) != 1 || charged[0] != 1 {
				t.Errorf("%s: charged %v, want the price", name, charged)
			}
			_ = conn.Close()
		}
	})
}

// Guarantee: a response that the upstream breaks off breaks off for the client too, so that
// the client detects the incomplete response. It is charged at its start.
func TestUpstreamBreaksOff(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, nil)
		conn := b.dial()
		defer conn.Close()
		_, _ = io.WriteString(conn, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("the client took %q for whole", body)
		}
		if rec := b.record(t); rec["outcome"] != "aborted" || rec["status"] != 200.0 {
			t.Errorf("record %v", rec)
		}
		if _, charged := b.engine.take(); len(charged) != 1 || charged[0] != 3 {
			t.Errorf("charged %v", charged)
		}
	})
}

// Guarantee: the base path of the upstream precedes the request's path, byte for byte.
func TestUpstreamBasePath(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, nil, func(c *Config) { c.Upstreams[0].URL = parseURL(t, c.Upstreams[0].URL.String()+"/in%20side/") })
		if got := b.get("/v1/creators/a%20b?c=%20"); got.StatusCode != 200 {
			t.Fatalf("%d %s", got.StatusCode, got.Body)
		}
		if got := b.forwarded()[0].RequestURI; got != "/in%20side/v1/creators/a%20b?c=%20" {
			t.Errorf("forwarded %s", got)
		}
	})
}

// Guarantee: compressed bodies are forwarded unchanged, and the gateway requests no
// compression itself.
func TestBytesUntouched(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "not really gzip, asked for: "+r.Header.Get("Accept-Encoding"))
		}, nil)
		if got := b.get("/v1/creators/7"); got.Body != "not really gzip, asked for: " || got.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%q %v", got.Body, got.Header)
		}
	})
}

// Guarantee: each request has one log record with its caller, operation and outcome, and
// without secrets, query or body.
func TestRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }, nil)
	addRejection(b, "scoped", "FORBIDDEN", "scope_insufficient")
	key := "Authorization: Bearer " + goodKey
	secrets := []string{"X-Private: hush-value", "Cookie: hush-cookie", "User-Agent: hush-agent"}
	for _, c := range []struct {
		request string
		want    map[string]any
	}{
		{request("GET", "/v1/creators/7?q=hush-query", append(secrets, key)...), map[string]any{
			"path": "/v1/creators/7", "route": "getCreator", "family": "data", "account": "acct_1", "key_id": "key_1", "outcome": "answered", "status": 200.0, "bytes": 5.0,
		}},
		{request("GET", "/v1/paid?q=hush-query", append(secrets, key)...), map[string]any{
			"path": "/v1/paid", "route": "paid", "family": "data", "account": "acct_1", "key_id": "key_1", "outcome": "answered", "status": 200.0, "bytes": 5.0, "credits": 3.0,
		}},
		{request("GET", "/v1/creators/7", append(secrets, "Authorization: Bearer hush-key")...), map[string]any{
			"path": "/v1/creators/7", "route": "getCreator", "family": "data", "outcome": "refused", "code": "UNAUTHORIZED", "reason": "key_unknown", "status": 401.0,
		}},
		{request("GET", "/v1/creators/7"), map[string]any{
			"path": "/v1/creators/7", "route": "getCreator", "family": "data", "outcome": "refused", "code": "UNAUTHORIZED", "reason": "key_missing", "status": 401.0,
		}},
		{request("GET", "/v1/creators/7", "Authorization: Bearer scoped"), map[string]any{
			"path": "/v1/creators/7", "route": "getCreator", "family": "data", "account": "acct_secretive", "key_id": "key_secretive",
			"outcome": "refused", "code": "FORBIDDEN", "reason": "scope_insufficient", "status": 403.0,
		}},
		{request("GET", "/v1/nothing", append(secrets, key)...), map[string]any{
			"path": "/v1/nothing", "outcome": "refused", "code": "NOT_FOUND", "status": 404.0,
		}},
		{request("GET", "/v1/account/panic", append(secrets, key)...), map[string]any{
			"path": "/v1/account/panic", "route": "panic", "family": "account", "account": "acct_1", "key_id": "key_1", "outcome": "failed", "code": "INTERNAL_ERROR", "status": 500.0,
		}},
		{request("GET", "/v1/down?hush=hush", append(secrets, key)...), map[string]any{
			"path": "/v1/down", "route": "down", "family": "data", "account": "acct_1", "key_id": "key_1", "outcome": "failed", "code": "UPSTREAM_ERROR", "status": 502.0,
		}},
	} {
		conn := b.dial()
		_, _ = io.WriteString(conn, c.request)
		line := wait(t, "log record", b.log.written)
		conn.Close()
		if strings.Contains(line, "hush") || strings.Contains(line, goodKey[8:]) || strings.Count(line, "\n") != 1 {
			t.Errorf("record %s", line)
		}
		var rec map[string]any
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatal(err)
		}
		if at, err := time.Parse(time.RFC3339Nano, rec["time"].(string)); err != nil || at.Location() != time.UTC {
			t.Errorf("time %v", rec["time"])
		}
		if failed := c.want["status"].(float64) >= 500; failed != (rec["error"] != nil) {
			t.Errorf("error %v in %s", rec["error"], line)
		}
		for _, name := range []string{"time", "level", "msg", "method", "address", "request_id", "trace_id", "duration_ms", "error"} {
			if name != "error" && name != "address" && rec[name] == nil {
				t.Errorf("no %s in %s", name, line)
			}
			delete(rec, name)
		}
		if unknown := c.want["reason"] == "key_unknown"; unknown != (rec["key_fingerprint"] != nil) {
			t.Errorf("fingerprint %v in %s", rec["key_fingerprint"], line)
		}
		delete(rec, "key_fingerprint")
		if c.want["status"].(float64) >= 400 {
			delete(rec, "bytes")
		}
		if diff := cmp.Diff(c.want, rec); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}
