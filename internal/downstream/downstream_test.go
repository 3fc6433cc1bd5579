package downstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	short   = 400 * time.Millisecond
	patient = 10 * time.Second
)

// server is a server with limited connections.
type server struct {
	*httptest.Server
	clients *Listener
}

// serve serves h on a limited listener.
func serve(t *testing.T, c Config, h http.Handler) server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, clients := httptest.NewUnstartedServer(Handler(h)), Listen(l, c)
	s.Listener.Close()
	s.Listener, s.EnableHTTP2 = clients, true
	clients.Configure(s.Config)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	ctx, stop := context.WithCancel(context.Background())
	go clients.Run(ctx)
	t.Cleanup(func() {
		s.Close()
		stop()
	})
	return server{s, clients}
}

func limits(d time.Duration) Config { return Config{Limits: Limits{Body: d, Write: d}} }

func dial(t *testing.T, s server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patient))
	return c
}

// isClosed fails unless the server closes the connection.
func isClosed(t *testing.T, c io.Reader, what string) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("%s: the connection is open after %v", what, patient)
	}
}

// closed waits until the server has closed all connections.
func closed(t *testing.T, s server, what string) {
	t.Helper()
	for deadline := time.After(patient); ; {
		if len(s.clients.openConns()) == 0 {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatalf("%s: a connection is open after %v", what, patient)
		}
	}
}

// endless writes until the client disconnects.
func endless(w http.ResponseWriter, _ *http.Request) {
	for piece := make([]byte, 32<<10); ; {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// Guarantee: a client that does not read is disconnected, because it occupies kernel memory
// without a key.
func TestClientThatNeverReads(t *testing.T) {
	t.Parallel()
	s := serve(t, limits(short), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless" {
			endless(w, r)
		}
		_, _ = w.Write(make([]byte, 16<<10))
	}))
	s.Start()
	for name, requests := range map[string]string{
		"one":       "GET /endless HTTP/1.1\r\nHost: h\r\n\r\n",
		"pipelined": strings.Repeat("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 3000),
	} {
		_, _ = io.WriteString(dial(t, s), requests)
		closed(t, s, name)
	}
}

// Guarantee: a slow download is not disconnected, although a full socket buffer blocks a
// write for longer than the limit.
func TestSlowDownloadContinues(t *testing.T) {
	t.Parallel()
	const size, limit = 16 << 20, 600 * time.Millisecond
	s := serve(t, limits(limit), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) }))
	s.Start()
	c := dial(t, s)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, pace := int64(0), time.NewTicker(limit/10)
	for range 40 { // four times the limit, at about 1 MB/s
		<-pace.C
		n, _ := io.CopyN(io.Discard, res.Body, 64<<10)
		got += n
	}
	rest, err := io.Copy(io.Discard, res.Body)
	got += rest
	if err != nil || got != size {
		t.Errorf("%d of %d bytes: %v", got, size, err)
	}
}

// Guarantee: a client that announces a body and does not send it is disconnected, whether
// the handler reads the body or not.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	s := serve(t, limits(short), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}))
	s.Start()
	for _, path := range []string{"/read", "/ignored"} {
		for _, body := range []string{"Content-Length: 9\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"} {
			c := dial(t, s)
			_, _ = io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: h\r\n"+body)
			isClosed(t, c, path)
		}
	}
}

// Guarantee: only time spent waiting for the client counts, not the time before a body is
// read, nor a long response, nor the next request on the connection.
func TestProgressingBody(t *testing.T) {
	t.Parallel()
	const size, limit = 3 << 20, 400 * time.Millisecond
	s := serve(t, limits(limit), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-time.After(2 * limit)
		body, err := io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			t.Error("the request was canceled during its response")
		case <-time.After(2 * limit):
		}
		if err != nil || len(body) != size {
			t.Errorf("%s: %d bytes, %v", r.Proto, len(body), err)
		}
	}))
	s.StartTLS()
	http2 := s.Client().Transport.(*http.Transport)
	http1 := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: http2.TLSClientConfig.RootCAs}}
	var both sync.WaitGroup
	for _, transport := range []*http.Transport{http2, http1} {
		both.Go(func() {
			for range 2 {
				res, err := (&http.Client{Transport: transport}).Post(s.URL, "", strings.NewReader(strings.Repeat("a", size)))
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
			}
		})
	}
	both.Wait()
}

// Guarantee: a response sent before the end of the upload announces the end of the
// connection, so that the client does not send its next request on it.
func TestUnreadBodyEndsConnection(t *testing.T) {
	t.Parallel()
	reading := make(chan struct{})
	s := serve(t, limits(patient), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			go func() {
				_, _ = io.ReadFull(r.Body, make([]byte, 4))
				close(reading)
				_, _ = r.Body.Read(make([]byte, 4))
			}()
			<-reading
		}
		_, _ = io.WriteString(w, "")
	}))
	s.Start()
	for path, ends := range map[string]bool{"/read": true, "/ignored": false} {
		c := dial(t, s)
		_, _ = io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf")
		r := bufio.NewReader(c)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "half"+"GET /ignored HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, err := r.ReadByte(); res.Close != ends || (err != nil) != ends {
			t.Errorf("%s: announced: %v, ended: %v, want %v", path, res.Close, err, ends)
		}
	}
}

// Guarantee: clients beyond the limit wait for a connection, and the log reports it.
func TestSlots(t *testing.T) {
	t.Parallel()
	warnings := make(chan string, 10)
	c := limits(patient)
	c.Slots, c.Log = make(Slots, 1), slog.New(slog.NewTextHandler(lines(warnings), nil))
	s := serve(t, c, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Start()
	first, second := dial(t, s), dial(t, s)
	for _, c := range []net.Conn{first, second} {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	if _, err := http.ReadResponse(bufio.NewReader(first), nil); err != nil {
		t.Fatal(err)
	}
	if warning := <-warnings; !strings.Contains(warning, "max_connections=1") {
		t.Error(warning)
	}
	_ = second.SetReadDeadline(time.Now().Add(short))
	if n, err := second.Read(make([]byte, 1)); err == nil {
		t.Errorf("the second client got %d bytes", n)
	}
	first.Close()
	_ = second.SetReadDeadline(time.Now().Add(patient))
	if _, err := http.ReadResponse(bufio.NewReader(second), nil); err != nil {
		t.Errorf("the second client: %v", err)
	}
}

// lines sends log lines to a channel.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}
