package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rawUpstream is an upstream that serves connections byte by byte. It responds "pong" to
// the path /v1/creators/ping, and to any other path by a function.
func rawUpstream(t *testing.T, serve func(c net.Conn, br *bufio.Reader, r *http.Request)) func(*Config) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for br := bufio.NewReader(c); ; {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					if r.URL.Path == "/v1/creators/ping" {
						_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong")
						continue
					}
					serve(c, br, r)
				}
			}()
		}
	}()
	return func(c *Config) {
		c.MaxBody = 1 << 30
		for i := range c.Upstreams {
			c.Upstreams[i].URL = parseURL(t, "http://"+l.Addr().String())
		}
	}
}

// passed is a response as its caller receives it.
type passed struct {
	Status int
	Body   string
	Cut    bool
	Hints  []int
	Fields string // X-A and X-B
}

// receive reads a response with its informational ones.
func receive(conn net.Conn, method string) (p passed, err error) {
	br := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return p, err
		}
		if res.StatusCode < http.StatusOK {
			p.Hints = append(p.Hints, res.StatusCode)
			continue
		}
		body, err := io.ReadAll(res.Body)
		p.Status, p.Body, p.Cut = res.StatusCode, string(body), err != nil
		if p.Fields = res.Header.Get("X-A") + res.Header.Get("X-B") + res.Trailer.Get("X-A"); p.Status == http.StatusBadGateway {
			p.Body = ""
		}
		return p, nil
	}
}

// pathCase is a response of an upstream and its form at the caller.
type pathCase struct {
	method string // GET if empty
	sent   string
	want   passed
	strict bool // the reverse proxy accepts it
}

// pathCases is the table of responses for both paths to an upstream.
func pathCases() map[string]pathCase {
	const ok, forged = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
	bad := passed{Status: http.StatusBadGateway}
	return map[string]pathCase{
		"HEAD":                 {method: "HEAD", sent: ok + "Content-Length: 5\r\nX-A: b\r\n\r\n", want: passed{Status: 200, Fields: "b"}},
		"HEAD, chunked":        {method: "HEAD", sent: ok + "Transfer-Encoding: chunked\r\n\r\n", want: passed{Status: 200}},
		"HEAD with a body":     {method: "HEAD", sent: ok + "Content-Length: 5\r\n\r\nhello" + forged, want: passed{Status: 200}},
		"informational":        {sent: "HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 y\r\nX-A: b\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", want: passed{Status: 200, Body: "hi", Hints: []int{102, 103}}},
		"unexpected 101":       {sent: "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + forged, want: bad},
		"204 with a body":      {sent: "HTTP/1.1 204 x\r\n\r\n" + forged, want: passed{Status: 204}},
		"304 with a body":      {sent: "HTTP/1.1 304 x\r\nContent-Length: 6\r\n\r\nforged", want: passed{Status: 304}},
		"304, chunked":         {sent: "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + forged, want: passed{Status: 304}},
		"length":               {sent: ok + "Content-Length: 5\r\nX-A: 1\r\n\r\nhello", want: passed{Status: 200, Body: "hello", Fields: "1"}},
		"no length":            {sent: "HTTP/1.0 200 OK\r\n\r\nhello", want: passed{Status: 200, Body: "hello"}},
		"chunked":              {sent: ok + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", want: passed{Status: 200, Body: "hello!"}},
		"trailer":              {sent: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-A: t\r\n\r\n", want: passed{Status: 200, Body: "hi", Fields: "t"}},
		"split after length":   {sent: ok + "Content-Length: 5\r\n\r\nhello" + forged, want: passed{Status: 200, Body: "hello"}},
		"split after chunks":   {sent: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" + forged, want: passed{Status: 200, Body: "hi"}},
		"split in a field":     {sent: ok + "X-A: b\rX-B: c\r\nContent-Length: 2\r\n\r\nhi", want: bad},
		"named by Connection":  {sent: ok + "Connection: x-b, Keep-Alive\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n", want: passed{Status: 200, Fields: "1"}},
		"two lengths":          {sent: ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", want: bad},
		"one length, twice":    {sent: ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", want: bad, strict: true},
		"list of lengths":      {sent: ok + "Content-Length: 5, 5\r\n\r\nhello", want: bad},
		"length with a sign":   {sent: ok + "Content-Length: +5\r\n\r\nhello", want: bad},
		"length and chunked":   {sent: ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want: bad, strict: true},
		"chunked not last":     {sent: ok + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", want: bad},
		"chunked in HTTP/1.0":  {sent: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: bad, strict: true},
		"chunk with a sign":    {sent: ok + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", want: bad},
		"folded line":          {sent: ok + "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n", want: bad, strict: true},
		"space before colon":   {sent: ok + "X-A : b\r\nContent-Length: 0\r\n\r\n", want: bad, strict: true},
		"lines without CR":     {sent: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", want: bad, strict: true},
		"NUL":                  {sent: ok + "X-A: \x00\r\nContent-Length: 0\r\n\r\n", want: bad},
		"status of two digits": {sent: "HTTP/1.1 20 OK\r\n\r\n", want: bad},
		"long header":          {sent: ok + "X-C: " + strings.Repeat("c", 50<<10) + "\r\nX-A: b\r\nContent-Length: 0\r\n\r\n", want: passed{Status: 200, Fields: "b"}},
		"oversized header":     {sent: ok + "X-C: " + strings.Repeat("c", 70<<10) + "\r\nContent-Length: 0\r\n\r\n", want: bad, strict: true},
		"cut in long body":     {sent: ok + "Content-Length: 10000\r\n\r\n" + strings.Repeat("x", 9000), want: passed{Status: 200, Body: strings.Repeat("x", 9000), Cut: true}},
		"cut in chunks":        {sent: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhe", want: passed{Status: 200, Body: "hellohe", Cut: true}},
	}
}

// Guarantee: on both paths a caller receives the same response, and never a byte of
// another one. A response that is cut is never completed.
func TestBothPaths(t *testing.T) {
	t.Parallel()
	for name, c := range pathCases() {
		onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
			b := newBench(t, nil, rawUpstream(t, func(conn net.Conn, _ *bufio.Reader, _ *http.Request) {
				_, _ = io.WriteString(conn, c.sent)
				if c.want.Cut || strings.HasPrefix(c.sent, "HTTP/1.0") || strings.HasPrefix(c.sent, "HTTP/1.1 20 ") {
					_ = conn.Close()
				}
			}))
			conn := b.dial()
			defer conn.Close()
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			_, _ = io.WriteString(conn, request(method, "/v1/paid", "Authorization: Bearer "+goodKey))
			got, err := receive(conn, method)
			if diff := cmp.Diff(c.want, got); (diff != "" || err != nil) && !(c.strict && strings.Contains(t.Name(), "reverse")) {
				t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
			}
			for range 3 {
				if next := b.get("/v1/creators/ping"); next.Body != "pong" {
					t.Errorf("%s: the next call got %d %q", name, next.StatusCode, next.Body)
				}
			}
		})
	}
}

// Guarantee: a request reaches the upstream with one length, without the fields of the
// caller's connection, and with its whole body.
func TestForwardedRequest(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			_, _ = fmt.Fprint(w, r.ContentLength, r.TransferEncoding, len(body), err, r.Header["X-Keep"],
				r.Trailer, r.Header["Connection"], r.Header["Keep-Alive"], r.Header["X-Drop"], r.Header["User-Agent"], r.Header["Accept-Encoding"])
		}, func(c *Config) { c.MaxBody = 1 << 20 })
		fields := []string{"Authorization: Bearer " + goodKey, "Connection: keep-alive, x-drop", "Keep-Alive: 5", "X-Drop: a", "X-Keep: b", "X-Keep: c"}
		const path = "/v1/creators/search"
		for raw, want := range map[string]string{
			request("POST", path, append(fields, "Content-Length: 0")...):                                                                          "0 [] 0",
			request("POST", path, append(fields, "Content-Length: 5")...) + "hello":                                                                "5 [] 5",
			request("POST", path, append(fields, "Content-Length: 100000")...) + strings.Repeat("x", 100_000):                                      "100000 [] 100000",
			request("POST", path, append(fields, "Transfer-Encoding: chunked")...) + "5\r\nhello\r\n5;x\r\nworld\r\n0\r\nX-Toksta-Plan: z\r\n\r\n": "-1 [chunked] 10",
			request("POST", path, append(fields, "Transfer-Encoding: chunked")...) + "186a0\r\n" + strings.Repeat("x", 100_000) + "\r\n0\r\n\r\n":  "-1 [chunked] 100000",
		} {
			if got := b.raw(raw); got.Body != want+" <nil> [b c] map[] [] [] [] [] []" {
				t.Errorf("%.60q: %d %q, want %q", raw, got.StatusCode, got.Body, want)
			}
		}
	})
}

// Guarantee: a header that arrives byte by byte is a response, and one that never ends is
// a timeout.
func TestSlowHeader(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, nil, rawUpstream(t, func(c net.Conn, _ *bufio.Reader, _ *http.Request) {
			for _, piece := range strings.Split("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "") {
				_, _ = io.WriteString(c, piece)
			}
		}))
		if got := b.get("/v1/paid"); got.StatusCode != http.StatusOK || got.Body != "hi" {
			t.Errorf("%d %q", got.StatusCode, got.Body)
		}
		endless := newBench(t, nil, rawUpstream(t, func(c net.Conn, _ *bufio.Reader, _ *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(c, "X-%d: a\r\n", i); err != nil {
					return
				}
				<-time.After(5 * time.Millisecond)
			}
		}))
		if got := endless.get("/v1/slow"); got.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("%d %q", got.StatusCode, got.Body)
		}
	})
}

// Guarantee: when a caller disconnects in the middle of a body, in either direction, the
// upstream notices it within a second. A busy machine may delay it, so only three rounds
// that are later are a failure.
func TestCallerGoneInBody(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		for name, sent := range map[string]string{
			"response": request("GET", "/v1/paid", "Authorization: Bearer "+goodKey),
			"request":  request("POST", "/v1/creators/search", "Authorization: Bearer "+goodKey, "Content-Length: 10") + "half",
		} {
			var took time.Duration
			for range 3 {
				if took = noticeTime(t, newBench, sent); took <= time.Second {
					break
				}
			}
			if took > time.Second {
				t.Errorf("%s: noticed after %v", name, took)
			}
		}
	})
}

// noticeTime returns the time between the disconnection of a caller that sent a request
// and its end at the upstream.
func noticeTime(t *testing.T, newBench newBenchFunc, sent string) time.Duration {
	t.Helper()
	arrived, closed := make(chan struct{}), make(chan time.Time, 1)
	b := newBench(t, nil, rawUpstream(t, func(c net.Conn, br *bufio.Reader, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.ReadFull(br, make([]byte, 4))
		} else {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		}
		close(arrived)
		_, _ = br.ReadByte()
		closed <- time.Now()
	}))
	conn := b.dial()
	_, _ = io.WriteString(conn, sent)
	wait(t, "request at the upstream", arrived)
	gone := time.Now()
	conn.Close()
	return wait(t, "end at the upstream", closed).Sub(gone)
}

// Guarantee: an endless body is read only as fast as the other side accepts it, so that it
// takes no memory.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	const most = 32 << 20 // socket buffers
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		// flood writes until a write does not end in time.
		flood := func(c net.Conn, sent *atomic.Int64) {
			for piece := make([]byte, 64<<10); sent.Load() < 2*most; {
				_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
				n, err := c.Write(piece)
				if sent.Add(int64(n)); errors.Is(err, os.ErrDeadlineExceeded) || err != nil {
					return
				}
			}
		}
		var down atomic.Int64
		full := make(chan struct{})
		b := newBench(t, nil, rawUpstream(t, func(c net.Conn, br *bufio.Reader, r *http.Request) {
			if r.Method == http.MethodPost {
				<-full // reads nothing
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
			flood(c, &down)
			close(full)
		}))
		up := b.dial()
		defer up.Close()
		_, _ = io.WriteString(up, request("POST", "/v1/creators/search", "Authorization: Bearer "+goodKey, "Content-Length: 1000000000"))
		var sent atomic.Int64
		if flood(up, &sent); sent.Load() > most {
			t.Errorf("%d bytes of a request were accepted", sent.Load())
		}
		reader := b.dial()
		defer reader.Close()
		_, _ = io.WriteString(reader, request("GET", "/v1/paid", "Authorization: Bearer "+goodKey))
		wait(t, "full buffers", full)
		if down.Load() > most {
			t.Errorf("%d bytes of a response were accepted", down.Load())
		}
	})
}
