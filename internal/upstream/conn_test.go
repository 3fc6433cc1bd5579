package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// script is an upstream that serves each connection by a function, which receives the
// number of the connection.
func script(t *testing.T, serve func(c net.Conn, number int64)) *Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var number atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c, number.Add(1))
			}()
		}
	}()
	return New(Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		},
		Connect: time.Minute, Progress: time.Minute, Idle: time.Minute, Age: time.Minute, Now: time.Now,
	})
}

// call sends a request and returns the body of its response.
func call(t *testing.T, c *Client, method, body string) (string, error) {
	t.Helper()
	return callContext(t.Context(), c, method, body)
}

func callContext(ctx context.Context, c *Client, method, body string) (string, error) {
	x := c.Begin(method, "/", "h")
	defer x.Close()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	if err := x.Send(ctx, from, int64(len(body))); err != nil {
		return "", err
	}
	if err := x.Receive(); err != nil {
		return "", err
	}
	read, err := readBody(x)
	return string(read), err
}

// answer reads a request and sends a response with the number of the connection.
func answer(c net.Conn, br *bufio.Reader, number int64) error {
	r, err := http.ReadRequest(br)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", number)
	return err
}

// Guarantee: a request on a connection that the upstream closes meanwhile is sent again
// only if a second execution changes nothing and no byte of a body was sent.
func TestRepeat(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		method, body string
		repeated     bool
	}{
		{"GET", "", true},
		{"HEAD", "", true},
		{"OPTIONS", "", true},
		{"GET", "x", false},
		{"POST", "x", false},
		{"POST", "", false},
		{"DELETE", "", false},
		{"PUT", "x", false},
	} {
		var connections atomic.Int64
		c := script(t, func(c net.Conn, number int64) {
			connections.Store(number)
			br := bufio.NewReader(c)
			if answer(c, br, number) == nil && number == 1 {
				_, _ = http.ReadRequest(br) // and close without a response
				return
			}
			_ = answer(c, br, number)
		})
		if body, err := call(t, c, "GET", ""); body != "1" || err != nil {
			t.Fatalf("first call: %q, %v", body, err)
		}
		c.config.Progress = 2 * time.Second
		body, err := call(t, c, row.method, row.body)
		if row.repeated != (err == nil) || row.repeated != (connections.Load() == 2) || err == nil && body != "2" && row.method != "HEAD" {
			t.Errorf("%s with body %q: %q, %v; want repeated: %v", row.method, row.body, body, err, row.repeated)
		}
	}
}

// Guarantee: a request on a new connection is sent once.
func TestNoRepeatOnNewConnection(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	c := script(t, func(c net.Conn, _ int64) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			requests.Add(1)
		}
	})
	if _, err := call(t, c, "GET", ""); err == nil || requests.Load() != 1 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
}

// Guarantee: an upstream that ignores the body of a GET does not take it for the beginning
// of the next caller's request.
func TestIgnoredBody(t *testing.T) {
	t.Parallel()
	c := script(t, func(c net.Conn, _ int64) {
		for br := bufio.NewReader(c); ; {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.URL.Path), r.URL.Path)
			// r.Body is not read.
			if r.Close {
				return
			}
		}
	})
	for _, method := range []string{"GET", "OPTIONS", "DELETE"} {
		if got, err := call(t, c, method, "GET /of-another HTTP/1.1\r\nX-Rest: "); got != "/" || err != nil {
			t.Errorf("%s: %q, %v", method, got, err)
		}
		if got, err := call(t, c, "GET", ""); got != "/" || err != nil {
			t.Errorf("the next caller after %s got %q, %v", method, got, err)
		}
	}
}

// Guarantee: bytes that an upstream sends without a request are not the response to the
// next request, and a closed connection is not used, whatever the method is.
func TestIdleConnectionIsChecked(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{
		"closed": "", "unsolicited": "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", "timeout": "HTTP/1.1 408 Request Timeout\r\n\r\n",
	} {
		idle, ended := make(chan struct{}), make(chan struct{})
		c := script(t, func(c net.Conn, number int64) {
			br := bufio.NewReader(c)
			if answer(c, br, number) == nil && number == 1 {
				<-idle
				_, _ = io.WriteString(c, end)
				if end == "" {
					_ = c.Close()
				}
				close(ended)
			}
			_ = answer(c, br, number)
		})
		if _, err := call(t, c, "GET", ""); err != nil {
			t.Fatal(err)
		}
		close(idle)
		<-ended
		if body, err := call(t, c, "POST", "x"); body != "2" || err != nil {
			t.Errorf("%s: %q, %v; want the second connection", name, body, err)
		}
	}
}

// Guarantee: a request waits for a new connection or one that another request no longer
// uses, whichever is first. No waiting request is left behind.
func TestWaitForAnyConnection(t *testing.T) {
	t.Parallel()
	release, waiting := make(chan struct{}), make(chan struct{})
	c := script(t, func(c net.Conn, number int64) {
		br := bufio.NewReader(c)
		<-release
		for answer(c, br, number) == nil {
		}
	})
	dial, dials := c.config.Dial, atomic.Int64{}
	c.config.Dial = func(ctx context.Context) (net.Conn, error) {
		if dials.Add(1) > 1 {
			close(waiting)
			<-ctx.Done() // no further connection
			return nil, ctx.Err()
		}
		return dial(ctx)
	}
	bodies := make(chan string, 2)
	for range 2 {
		go func() {
			body, err := call(t, c, "GET", "")
			bodies <- fmt.Sprint(body, err)
		}()
	}
	<-waiting
	close(release)
	for range 2 {
		if got := <-bodies; got != "1<nil>" {
			t.Error(got)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) != 0 || len(c.idle) != 1 {
		t.Errorf("%d requests wait, %d connections are idle", len(c.waiting), len(c.idle))
	}
}

// Guarantee: a caller that disconnects while it waits for a connection, for the header or
// for the body does not wait longer, and the upstream notices it within a second.
func TestCallerDisconnects(t *testing.T) {
	t.Parallel()
	const half = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"
	for name, row := range map[string]struct {
		sent  string
		after time.Duration
	}{"header": {"", 0}, "body": {half, 0}, "late header": {"", 2 * tick}, "late body": {half, 2 * tick}} {
		arrived, closed := make(chan struct{}), make(chan time.Time, 1)
		c := script(t, func(c net.Conn, _ int64) {
			br := bufio.NewReader(c)
			_, _ = http.ReadRequest(br)
			_, _ = io.WriteString(c, row.sent)
			close(arrived)
			_, _ = br.ReadByte()
			closed <- time.Now()
		})
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := callContext(ctx, c, "GET", "")
			failed <- err
		}()
		<-arrived
		<-time.After(row.after)
		cancelled := time.Now()
		cancel()
		select {
		case at := <-closed:
			if took := at.Sub(cancelled); took > time.Second {
				t.Errorf("%s: the upstream noticed it after %v", name, took)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the upstream did not notice it", name)
		}
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := script(t, func(net.Conn, int64) {})
	c.config.Dial = func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := callContext(ctx, c, "GET", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("connection: %v", err)
	}
}

// Guarantee: an upstream that does not respond is a timeout after Progress, neither earlier
// nor much later.
func TestProgress(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"no body": "", "body": "x"} {
		for _, limit := range []time.Duration{50 * time.Millisecond, 700 * time.Millisecond} {
			c := script(t, func(c net.Conn, _ int64) { _, _ = io.Copy(io.Discard, c) })
			c.config.Progress = limit
			start := time.Now()
			_, err := call(t, c, "POST", body)
			if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took < limit || took > limit+5*time.Second {
				t.Errorf("%s, %v: %v after %v", name, limit, err, took)
			}
		}
	}
}

// secureClient returns a client of a server with TLS.
func secureClient(s *httptest.Server) *Client {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return New(Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
		},
		TLS:     &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2", "http/1.1"}},
		Connect: time.Minute, Progress: time.Minute, Idle: time.Minute, Age: time.Minute, Now: time.Now,
	})
}

// Guarantee: requests over TLS share a connection, whose certificate is verified. Bytes
// that arrive with a response but do not belong to it are never read.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); string(body) != "split" {
			_, _ = io.WriteString(w, r.RemoteAddr)
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
	}))
	t.Cleanup(s.Close)
	c := secureClient(s)
	first, err := call(t, c, "GET", "")
	if err != nil {
		t.Fatal(err)
	}
	if second, err := call(t, c, "POST", "x"); err != nil || second != first {
		t.Errorf("%q, %v: another connection than %q", second, err, first)
	}
	if body, err := call(t, c, "POST", "split"); body != "x" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	if next, err := call(t, c, "GET", ""); err != nil || next == first || next == "forged" {
		t.Errorf("%q, %v after unsolicited bytes", next, err)
	}
	c = secureClient(s)
	c.config.TLS.ServerName = "other.test"
	if _, err := call(t, c, "GET", ""); err == nil || c.UsesHTTP2() {
		t.Errorf("%v with another server name", err)
	}
}

// Guarantee: an upstream that chooses HTTP/2 is reported before anything is sent, and
// asked again after Config.Age.
func TestHTTP2IsReported(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	c := secureClient(s)
	now := time.Now()
	c.config.Now = func() time.Time { return now }
	if c.UsesHTTP2() {
		t.Error("HTTP/2 before the first connection")
	}
	body := strings.NewReader("x")
	x := c.Begin("POST", "/", "h")
	defer x.Close()
	if err := x.Send(t.Context(), body, 1); !errors.Is(err, ErrHTTP2) || body.Len() != 1 || !c.UsesHTTP2() {
		t.Errorf("%v, %d bytes left", err, body.Len())
	}
	if now = now.Add(time.Minute); c.UsesHTTP2() {
		t.Error("HTTP/2 is assumed forever")
	}
}
