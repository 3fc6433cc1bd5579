package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// serveSocket serves h on a Unix socket and returns its URL.
func serveSocket(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "toksta") // short, as paths of sockets must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "api.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "unix:" + path
}

// hijacked writes raw bytes to the caller. With echo it then returns the caller's bytes.
func hijacked(w http.ResponseWriter, raw string, echo bool) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, raw)
	if echo {
		_, _ = io.Copy(conn, rw)
	}
}

// Guarantee: through nginx the cost of a call is the same as without nginx. A response that
// breaks off is free, each piece of a stream arrives at once, and a WebSocket works.
func TestThroughNginx(t *testing.T) {
	t.Parallel()
	apptest.Require(t, "nginx")
	next := make(chan struct{})
	var broken atomic.Int64
	upstream := serveSocket(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/paid/broken":
			broken.Add(1)
			hijacked(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", false)
		case "/v1/paid/socket":
			hijacked(w, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n", true)
		case "/v1/paid/stream":
			w.Header().Set("Content-Type", "text/event-stream")
			for range 2 {
				_, _ = io.WriteString(w, "data: 1\n")
				_ = http.NewResponseController(w).Flush()
				<-next
			}
		}
	})
	n := apptest.Start(t, func(c *config.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.Upstreams["local"] = config.Upstream{URL: upstream}
		c.Routes = append(c.Routes, config.Route{Method: config.Methods{"GET"}, Path: "/v1/paid/{how}", Operation: "paid", Family: "data", Upstream: "local", Credits: 3})
	})
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Acme")
	secret := apptest.NewKey(t, api, owner, "caller").Secret
	front := startNginx(t, []string{strings.TrimPrefix(n.URL, "http://"), apptest.FreeAddress(t), apptest.FreeAddress(t)})

	for range 3 {
		front.expect(http.StatusBadGateway, "GET /v1/paid/broken", secret)
	}
	if n := broken.Load(); n != 3 {
		t.Errorf("3 calls became %d", n)
	}
	open := func(path string, lines ...string) (*bufio.Reader, net.Conn) {
		conn := dialTLS(t, front)
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "+secret+"\r\n"+strings.Join(append(lines, "\r\n"), "\r\n"))
		return bufio.NewReader(conn), conn
	}
	br, conn := open("/v1/paid/socket", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("a WebSocket through nginx: %v, %v", res, err)
	}
	_, _ = io.WriteString(conn, "hello\n")
	if line, err := br.ReadString('\n'); line != "hello\n" {
		t.Errorf("the WebSocket echoes %q, %v", line, err)
	}
	br, _ = open("/v1/paid/stream")
	if res, err = http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewReader(res.Body); ; next <- struct{}{} {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if line != "data: 1\n" {
			t.Fatalf("the stream brings %q, %v", line, err)
		}
	}
	var usage struct {
		Charged int64 `json:"total_credits_charged"`
	}
	apptest.Usage(t, api, owner, &usage)
	if usage.Charged != 6 {
		t.Errorf("a WebSocket and a stream cost %d credits, want 6", usage.Charged)
	}
	health, err := api.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range health.Checks {
		if c.Name == "upstream local" && c.Level != "ok" {
			t.Errorf("doctor finds %+v", c)
		}
	}
}

// dialTLS connects to nginx from the address of its callers.
func dialTLS(t *testing.T, f front) net.Conn {
	t.Helper()
	trusting := f.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	trusting.NextProtos = nil
	conn, err := tls.Dial("tcp", strings.TrimPrefix(f.url, "https://"), trusting)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}
