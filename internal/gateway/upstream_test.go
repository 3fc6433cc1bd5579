package gateway

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Guarantee: a redirect to the upstream's own address becomes a path, because callers cannot
// reach that address. Other references stay unchanged.
func TestLocation(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		var base, location string
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.Header().Set("Content-Location", location)
			w.Header().Set("Refresh", "5; URL="+location)
			w.WriteHeader(http.StatusCreated)
		}, func(c *Config) {
			base = c.Upstreams[0].URL.String()
			c.Upstreams[0].URL = parseURL(t, base+"/in%20side/")
			c.Upstreams[2] = Upstream{Name: "slow", URL: c.Upstreams[0].URL, KeepLocation: true}
		})
		host := strings.TrimPrefix(base, "http://")
		for sent, want := range map[string]string{
			base + "/in%20side/v1/jobs/a%2fb?c=%20#d": "/v1/jobs/a%2fb?c=%20#d",
			"HTTP://" + host + "/in%20side/v1/x":      "/v1/x",
			"//" + host + "/in%20side/v1/x":           "/v1/x",
			base + "/in%20side":                       "/",
			base + "/in%20side?a=b":                   "/?a=b",
			base + "/in%20side//evil.test/x":          "/.//evil.test/x",
			base + "/in%20sidecar":                    base + "/in%20sidecar",
			base + "/v1/x":                            base + "/v1/x",
			"https://" + host + "/in%20side/v1/x":     "https://" + host + "/in%20side/v1/x",
			"http://u@" + host + "/in%20side/v1/x":    "http://u@" + host + "/in%20side/v1/x",
			"http://" + host + "0/in%20side/v1/x":     "http://" + host + "0/in%20side/v1/x",
			"https://example.com/x":                   "https://example.com/x",
			"/v1/x":                                   "/v1/x",
			"x":                                       "x",
			"http://[":                                "http://[",
		} {
			location = sent
			for path, want := range map[string]string{"/v1/creators/7": want, "/v1/slow": sent} {
				got := b.get(path).Header
				if diff := cmp.Diff([]string{want, want, "5; URL=" + want}, []string{got.Get("Location"), got.Get("Content-Location"), got.Get("Refresh")}); diff != "" {
					t.Errorf("%s, %q (-want +got)\n%s", path, sent, diff)
				}
			}
		}
	})
}

// Guarantee: the upstream receives its own Host, or the caller's if so configured.
func TestHost(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, nil, func(c *Config) {
			c.Upstreams[2] = Upstream{Name: "slow", URL: c.Upstreams[0].URL, KeepHost: true}
		})
		b.get("/v1/creators/7")
		b.get("/v1/slow")
		seen := b.forwarded()
		if len(seen) != 2 || "http://"+seen[0].Host != b.upstream.URL || seen[1].Host != "api.test" {
			t.Errorf("forwarded %+v", seen)
		}
	})
}

// Guarantee: the gateway closes unused connections before the upstream does. A POST that is
// sent while the upstream closes the connection would be a 502.
func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		closed := make(chan struct{}, 9)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				closed <- struct{}{}
			}
		}
		s.Start()
		t.Cleanup(s.Close)
		b := newBench(t, nil, func(c *Config) { c.Upstreams[0].URL, c.Upstreams[0].Idle = parseURL(t, s.URL), 10*time.Millisecond })
		b.get("/v1/creators/7")
		wait(t, "close of the idle connection", closed)
		if got := (Upstream{URL: parseURL(t, s.URL)}).transport().IdleConnTimeout; got >= 5*time.Second {
			t.Errorf("by default idle connections live for %v, longer than in Node and uvicorn", got)
		}
	})
}

// Guarantee: when the name of an upstream resolves to another address, calls use it,
// although connections to the old address are always in use.
func TestUpstreamMoves(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		var second atomic.Bool
		names := startDNS(t, func() [4]byte {
			if second.Load() {
				return [4]byte{127, 0, 0, 3}
			}
			return [4]byte{127, 0, 0, 2}
		})
		port := serveOn(t, "127.0.0.2:0")
		serveOn(t, "127.0.0.3:"+port)
		var late atomic.Int64 // seconds
		start := time.Now()
		b := newBench(t, nil, func(c *Config) {
			c.Now = func() time.Time { return start.Add(time.Duration(late.Load()) * time.Second) }
			c.Upstreams[0].URL, c.Upstreams[0].Resolver = parseURL(t, "http://backend.test:"+port), names
			c.Upstreams[0].Age = time.Minute
		})
		steps := []struct {
			second bool
			late   int64
			want   string
		}{{false, 0, "127.0.0.2"}, {true, 59, "127.0.0.2"}, {true, 60, "127.0.0.3"}, {true, 61, "127.0.0.3"}}
		for _, step := range steps {
			second.Store(step.second)
			late.Store(step.late)
			if got := b.get("/v1/creators/7"); got.Body != step.want {
				t.Errorf("after %d s: %d %s, want %s", step.late, got.StatusCode, got.Body, step.want)
			}
		}
	})
}

// serveOn responds with its own address, and returns its port.
func serveOn(t *testing.T, address string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, host) })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return port
}

// startDNS runs a name server that resolves every name to one IPv4 address.
func startDNS(t *testing.T, address func() [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for query := make([]byte, 512); ; {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(answerDNS(query[:n], address()), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// answerDNS builds the response to a query with one question (RFC 1035, section 4).
func answerDNS(query []byte, address [4]byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root, type and class
	out := append([]byte{}, query[:end]...)
	copy(out[2:], []byte{0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}) // authoritative, one question
	if binary.BigEndian.Uint16(query[end-4:]) == 1 {       // A
		out[7] = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		out = append(out, address[:]...)
	}
	return out
}

// Guarantee: an upstream can listen on a Unix socket.
func TestUnixSocketUpstream(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
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
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://localhost/v1/x")
			_, _ = io.WriteString(w, r.Host+" "+r.RequestURI)
		})}
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { _ = s.Close() })
		b := newBench(t, nil, func(c *Config) { c.Upstreams[0].URL = parseURL(t, "unix:"+path) })
		got := b.get("/v1/creators/a%20b?c=d")
		if got.Body != "localhost /v1/creators/a%20b?c=d" || got.Header.Get("Location") != "/v1/x" {
			t.Errorf("%d %q %v", got.StatusCode, got.Body, got.Header)
		}
	})
}
