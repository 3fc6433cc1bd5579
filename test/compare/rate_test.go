package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: calls are due at a fixed rate, whatever the responses are.
func TestSchedule(t *testing.T) {
	start := time.Unix(1000, 0)
	s := newSchedule(start, 500, 5*time.Second)
	if s.calls != 2500 {
		t.Errorf("%d calls in 5 s at 500/s, want 2500", s.calls)
	}
	for i, want := range map[int]time.Duration{0: 0, 1: 2 * time.Millisecond, 2499: 4998 * time.Millisecond} {
		if got := s.due(i).Sub(start); got != want {
			t.Errorf("call %d is due after %v, want %v", i, got, want)
		}
	}
}

// Guarantee: the percentile is the nearest rank, so p99 of 100 latencies is the second
// longest one, and p99 of fewer the longest.
func TestPercentile(t *testing.T) {
	latencies := make([]time.Duration, 100)
	for i := range latencies {
		latencies[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		name   string
		sorted []time.Duration
		p      int
		want   time.Duration
	}{
		{"p99", latencies, 99, 99},
		{"p50", latencies, 50, 50},
		{"p99 of 99", latencies[:99], 99, 99},
		{"p50 of an odd number", latencies[:3], 50, 2},
		{"p50 of one", latencies[:1], 50, 1},
		{"none", nil, 99, 0},
	} {
		if got := percentile(c.sorted, c.p); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Guarantee: a response counts when its last byte has arrived, and the generator rejects
// every response that it cannot delimit.
func TestParseResponse(t *testing.T) {
	for _, c := range []struct {
		name, received string
		status         int
		complete, ok   bool
	}{
		{"complete", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, true, true},
		{"rejection", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", 429, true, true},
		{"nothing", "", 0, false, true},
		{"part of the header", "HTTP/1.1 200 OK\r\nContent-Le", 0, false, true},
		{"part of the body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 200, false, true},
		{"a second response", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1", 0, false, false},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, false, false},
		{"closed afterwards", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 0, false, false},
		{"another protocol", "SSH-2.0-OpenSSH\r\n\r\n", 0, false, false},
	} {
		status, complete, err := parseResponse([]byte(c.received))
		if status != c.status || complete != c.complete || (err == nil) != c.ok {
			t.Errorf("%s: %d, %v, %v; want %d, %v, no error: %v", c.name, status, complete, err, c.status, c.complete, c.ok)
		}
	}
}

// testGenerator returns a generator with open connections to a server, whose calls are
// due from start.
func testGenerator(t *testing.T, server *httptest.Server, connections int, s schedule) *generator {
	t.Helper()
	g := &generator{
		schedule: s, timeout: 10 * time.Second,
		requests: [][]byte{[]byte("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), []byte("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")},
	}
	t.Cleanup(g.close)
	if err := g.connect(netip.MustParseAddrPort(server.Listener.Addr().String()), connections); err != nil {
		t.Fatal(err)
	}
	return g
}

// Guarantee: while all connections wait for responses, further calls become due, and
// their latency counts from then. A closed loop would hide such a pause.
func TestLatencyCountsFromDueTime(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	g := testGenerator(t, server, 1, schedule{start: time.Now().Add(-time.Hour), interval: time.Millisecond, calls: 3})
	if err := g.run(); err != nil {
		t.Fatal(err)
	}
	if len(g.latencies) != 2 { // not of the first call on the connection
		t.Fatalf("%d latencies, want 2", len(g.latencies))
	}
	for i, latency := range g.latencies {
		if latency < time.Hour-3*time.Millisecond {
			t.Errorf("latency %d of a call that was due an hour ago is %v", i, latency)
		}
	}
}

// Guarantee: a load sends each request in turn over connections that stay open, uses all
// of them, and counts rejections.
func TestGeneratorSendsEveryCall(t *testing.T) {
	const calls, connections = 200, 4
	var mu sync.Mutex
	clients, paths := map[string]int{}, map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		clients[r.RemoteAddr]++
		if paths[r.URL.Path]++; r.URL.Path == "/b" && paths["/b"] == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_, _ = io.WriteString(w, "body")
	}))
	defer server.Close()
	g := testGenerator(t, server, connections, schedule{start: time.Now().Add(-time.Hour)})
	for g.calls = 1; g.calls <= connections; g.calls++ { // one call at a time
		if err := g.run(); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	if len(clients) != connections {
		t.Errorf("%d calls in turn used %d connections, want %d", connections, len(clients), connections)
	}
	mu.Unlock()
	g.calls = calls
	if err := g.run(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(map[string]int{"/a": calls / 2, "/b": calls / 2}, paths); diff != "" {
		t.Error(diff)
	}
	if len(clients) != connections {
		t.Errorf("%d connections were used, want %d", len(clients), connections)
	}
	if r := g.result(time.Second); r.Requests != calls || r.BadStatus != 1 || len(g.latencies) != calls-connections {
		t.Errorf("%+v with %d latencies, want %d requests, one of them rejected, and %d latencies", r, len(g.latencies), calls, calls-connections)
	}
}

// Guarantee: a closed connection and a missing response end the run instead of looking
// fast.
func TestGeneratorReportsFailures(t *testing.T) {
	released := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			panic(http.ErrAbortHandler)
		}
		<-released
	}))
	defer server.Close()
	defer close(released)
	for first, want := range []string{"closed a connection", "no response in 1ms"} {
		g := testGenerator(t, server, 1, newSchedule(time.Now(), 1000, time.Millisecond))
		g.first, g.timeout = first, []time.Duration{time.Minute, time.Millisecond}[first]
		if err := g.run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("request %d: error %v, want %q", first, err, want)
		}
	}
}

// Guarantee: each change of a key's scopes changes them, also after a round that ended
// within a turn.
func TestScopesAlternate(t *testing.T) {
	narrow, wide := []toksta.Family{"data"}, []toksta.Family{"data", "account"}
	for _, c := range []struct{ initial, first, second []toksta.Family }{
		{nil, narrow, wide},
		{wide, narrow, wide},
		{narrow, wide, narrow},
	} {
		got := [][]toksta.Family{nextScopes(c.initial, 0), nextScopes(c.initial, 1)}
		if diff := cmp.Diff([][]toksta.Family{c.first, c.second}, got); diff != "" {
			t.Errorf("initial scopes %v: %s", c.initial, diff)
		}
	}
}
