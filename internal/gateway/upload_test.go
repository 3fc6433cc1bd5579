package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/downstream"
	"github.com/toksta/toksta/internal/telemetry"
)

// Guarantee: a client that reads only after it has sent the whole request receives a 413
// or 401. A reset of the connection would discard the response.
func TestResponseOutlivesUpload(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	const size = 11 << 20
	piece := strings.Repeat("a", 1<<20)
	for name, c := range map[string]struct {
		head, before, after string
		status              int
	}{
		"413": {head: request("POST", "/v1/creators/search", "Authorization: Bearer "+goodKey, fmt.Sprintf("Content-Length: %d", size)), status: 413},
		"401": {
			head:   request("POST", "/v1/creators/search", "Transfer-Encoding: chunked"),
			before: fmt.Sprintf("%x\r\n", len(piece)), after: "\r\n", status: 401,
		},
		"401, announced": {head: request("POST", "/v1/creators/search", fmt.Sprintf("Content-Length: %d", size)), status: 401},
	} {
		for range 3 {
			conn := b.dial()
			_, err := io.WriteString(conn, c.head)
			for i := 0; i < size/len(piece) && err == nil; i++ {
				_, err = io.WriteString(conn, c.before+piece+c.after)
			}
			if err != nil {
				t.Fatalf("%s: send: %v", name, err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || res.StatusCode != c.status || !res.Close {
				t.Errorf("%s: %v, %v", name, res, err)
			}
			conn.Close()
		}
	}
}

// Guarantee: neither a rejection nor the upstream's response waits for the rest of a body
// that the client sends only after the response.
func TestResponseBeforeBody(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusTeapot)
		}, func(c *Config) { c.MaxBody = 1 << 20 })
		half := strings.Repeat("a", 10_000)
		key := "Authorization: Bearer " + goodKey
		for name, c := range map[string]struct {
			request string
			status  int
		}{
			"rejected":           {request("POST", "/v1/creators/search", "Content-Length: 9"), 401},
			"rejected, expected": {request("POST", "/v1/creators/search", "Content-Length: 9", "Expect: 100-continue"), 401},
			"final":              {request("POST", "/v1/creators/search", key, "Content-Length: 20000") + half, 418},
			"final, chunked":     {request("POST", "/v1/creators/search", key, "Transfer-Encoding: chunked") + "4e20\r\n" + half, 418},
			"final, expected":    {request("POST", "/v1/creators/search", key, "Content-Length: 9", "Expect: 100-continue"), 418},
		} {
			took := time.Hour
			for try := 0; try < 3 && took > 900*time.Millisecond; try++ { // the machine may be busy
				conn := b.dial()
				began := time.Now()
				_, _ = io.WriteString(conn, c.request)
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || res.StatusCode != c.status {
					t.Errorf("%s: %v, %v", name, res, err)
				}
				took = time.Since(began)
				conn.Close()
			}
			if took > 900*time.Millisecond {
				t.Errorf("%s: the response took %v", name, took)
			}
		}
	})
}

// Guarantee: a body that is too large does not end the other calls on its HTTP/2
// connection.
func TestTooLargeOnHTTP2(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	g, err := New(Config{
		Routes: testRoutes[:2], Engine: b.engine, MaxBody: 64,
		Upstreams: []Upstream{{Name: "main", URL: parseURL(t, b.upstream.URL)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(downstream.Handler(telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})}, g)))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	reused := false
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	for i, body := range []io.Reader{strings.NewReader(strings.Repeat("a", 1<<20)), io.MultiReader(strings.NewReader(strings.Repeat("a", 1<<20))), strings.NewReader("a")} {
		r, err := http.NewRequestWithContext(trace, http.MethodPost, s.URL+"/v1/creators/search", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+goodKey)
		res, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if want := []int{413, 413, 200}[i]; res.ProtoMajor != 2 || res.StatusCode != want || reused != (i > 0) {
			t.Errorf("request %d: %s %s, connection reused: %v", i, res.Proto, res.Status, reused)
		}
	}
}

// Guarantee: a stream whose caller sends nothing stays open until the upstream ends it.
func TestSilentCallerOfOpenStream(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			_ = c.EnableFullDuplex()
			_, _ = io.WriteString(w, "open,")
			_ = c.Flush()
			body, err := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s,%v", body, err)
		}, nil, 400*time.Millisecond)
		conn := b.dial()
		defer conn.Close()
		_, _ = io.WriteString(conn, request("POST", "/v1/creators/search", "Authorization: Bearer "+goodKey, "Transfer-Encoding: chunked")+"2\r\nhi\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		_, _ = io.WriteString(conn, "0\r\n\r\n")
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "open,hi,<nil>" {
			t.Errorf("%q, %v", body, err)
		}
	})
}

// Guarantee: a call whose upload the upstream stops reading times out after the configured
// time, whether or not bytes are left.
func TestUpstreamThatDoesNotRead(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close() // once the test is over
			}
		}()
		const size = 32 << 20
		b := newBench(t, nil, func(c *Config) {
			c.MaxBody = size
			c.Upstreams[0] = Upstream{Name: "main", URL: parseURL(t, "http://"+l.Addr().String()), Response: 200 * time.Millisecond}
		})
		conn := b.dial()
		defer conn.Close()
		go func() {
			_, _ = io.WriteString(conn, request("POST", "/v1/creators/search", "Authorization: Bearer "+goodKey, fmt.Sprintf("Content-Length: %d", size)))
			_, _ = io.Copy(conn, io.LimitReader(zeros{}, size))
		}()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("%v, %v", res, err)
		}
	})
}

// Guarantee: pauses of the caller during an upload do not count as time of the upstream.
func TestUpstreamTimeIsItsOwn(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }, func(c *Config) {
			c.Upstreams[0].Response = 300 * time.Millisecond
		})
		conn := b.dial()
		defer conn.Close()
		_, _ = io.WriteString(conn, request("POST", "/v1/creators/search", "Authorization: Bearer "+goodKey, "Content-Length: 4")+"ab")
		<-time.After(time.Second)
		_, _ = io.WriteString(conn, "cd")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || string(body) != "abcd" {
			t.Errorf("%s %q %v", res.Status, body, err)
		}
	})
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
