package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/downstream"
	"github.com/toksta/toksta/internal/telemetry"
)

// fixedUpstream responds to every request with the same bytes and allocates nothing.
func fixedUpstream(tb testing.TB) Upstream {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	response := []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 30 Nov 2026 05:00:00 GMT\r\nContent-Type: application/json\r\n" +
		"Content-Length: 61\r\nConnection: keep-alive\r\n\r\n" + `{"success":true,"data":{"id":"7","name":"a"},"meta":{"n":12}}`)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf, n := make([]byte, 8<<10), 0
				for {
					read, err := c.Read(buf[n:])
					if err != nil {
						return
					}
					if n += read; bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						_, _ = c.Write(response)
						n = 0
					}
				}
			}()
		}
	}()
	return Upstream{Name: "main", URL: parseURL(tb, "http://"+l.Addr().String())}
}

// forwardingHandler returns the whole handler of a node, without the decision, in front of
// an upstream.
func forwardingHandler(tb testing.TB, u Upstream) http.Handler {
	tb.Helper()
	g, err := New(Config{Routes: testRoutes[1:2], Upstreams: []Upstream{u}, Engine: admitAll{}})
	if err != nil {
		tb.Fatal(err)
	}
	return telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})}, g)
}

// apiRequest is a request as a program sends it.
const apiRequest = "GET /v1/creators/7?fields=id HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer " + goodKey +
	"\r\nUser-Agent: demo/1.0\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n\r\n"

// roundTrips returns a function that sends apiRequest on one connection to a server with
// the handler h, and reads the response without an allocation.
func roundTrips(tb testing.TB, h http.Handler) func() {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := Server(h, DefaultMaxHeader)
	clients := downstream.Listen(l, downstream.Config{Limits: downstream.Limits{Body: time.Minute, Write: time.Minute}})
	clients.Configure(s)
	go func() { _ = s.Serve(clients) }()
	tb.Cleanup(func() { _ = s.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	sent, buf := []byte(apiRequest), make([]byte, 8<<10)
	return func() {
		_, _ = c.Write(sent)
		for n := 0; !bytes.HasSuffix(buf[:n], []byte("}}")) && !bytes.HasSuffix(buf[:n], []byte("bare")); {
			read, err := c.Read(buf[n:])
			if n += read; err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200")) {
				tb.Fatalf("%q, %v", buf[:n], err)
			}
		}
	}
}

// Guarantee: a call to an upstream allocates little, so that garbage collection does not
// delay others. The limit of the handler holds for all that is ours. The server of
// net/http adds its own share, which a bare handler shows.
func TestForwardingAllocations(t *testing.T) {
	h := forwardingHandler(t, fixedUpstream(t))
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader([]byte(apiRequest))))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "127.0.0.1:1234"
	w := &discardWriter{http.Header{}}
	ours := testing.AllocsPerRun(500, func() { clear(w.header); h.ServeHTTP(w, r) })
	bare := testing.AllocsPerRun(500, roundTrips(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "bare") })))
	whole := testing.AllocsPerRun(500, roundTrips(t, h))
	t.Logf("handler %v, bare server %v, whole %v", ours, bare, whole)
	if most := float64(16 + raceAllocations); ours > most || whole > bare+30 {
		t.Errorf("%v allocations in the handler, %v beside a bare server; want at most %v and 30", ours, whole-bare, most)
	}
}
