package downstream

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// frame encodes an HTTP/2 frame.
func frame(kind, flags byte, stream uint32, payload string) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return string(binary.BigEndian.AppendUint32(append(head, flags), stream)) + payload
}

// streams opens an HTTP/2 connection whose window for responses is empty, and
// sends n requests.
func streams(t *testing.T, s server, path string, n int) *tls.Conn {
	t.Helper()
	c := tls.Client(dial(t, s), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	requests := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "\x00\x04\x00\x00\x00\x00")
	for i := range n {
		// The fields by their number in HPACK's table; the path is spelt.
		fields := "\x82\x87\x41\x01h\x04" + string(rune(len(path))) + path
		requests += frame(1, 5, uint32(2*i+1), fields)
	}
	if _, err := io.WriteString(c, requests); err != nil {
		t.Fatal(err)
	}
	return c
}

// Guarantee: an HTTP/2 client that never opens the window of a stream is disconnected,
// although TCP itself progresses. A small response stalls after its handler has ended.
func TestStalledWindow(t *testing.T) {
	t.Parallel()
	s := serve(t, limits(short), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless" {
			endless(w, r)
		}
		_, _ = io.WriteString(w, "small")
	}))
	s.StartTLS()
	for _, path := range []string{"/endless", "/"} {
		c := streams(t, s, path, 100)
		reading := make(chan struct{})
		go func() { // as a live client does
			defer close(reading)
			for b := make([]byte, 1<<10); ; {
				if _, err := c.Read(b); err != nil {
					return
				}
			}
		}()
		closed(t, s, path)
		<-reading
	}
}

// Guarantee: a stalled stream does not end the other streams of its connection.
func TestStalledStream(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var over sync.WaitGroup
	over.Add(1)
	s := serve(t, limits(short), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless" {
			defer over.Done()
			endless(w, r)
			return
		}
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = io.WriteString(w, "late")
	}))
	s.StartTLS()
	get := func(path string) *http.Response {
		res, err := s.Client().Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	stuck, other := get("/endless"), get("/other")
	defer stuck.Body.Close()
	over.Wait()
	close(release)
	if body, err := io.ReadAll(other.Body); err != nil || string(body) != "late" {
		t.Errorf("the other call: %q, %v", body, err)
	}
}

// Guarantee: a gRPC stream whose caller only receives stays open until its upstream ends
// it, on both versions of HTTP.
func TestSilentBodyAfterResponse(t *testing.T) {
	t.Parallel()
	s := serve(t, limits(short), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ResponseBegun(r.Context())
		_ = http.NewResponseController(w).Flush()
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "at last" {
			t.Errorf("%s: %q, %v", r.Proto, body, err)
		}
	}))
	s.StartTLS()
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, transport := range []http.RoundTripper{s.Client().Transport, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}} {
		in, out := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, in)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * short)
		_, _ = io.WriteString(out, "at last")
		_ = out.Close()
		_, err = io.Copy(io.Discard, res.Body)
		if err != nil {
			t.Error(err)
		}
	}
}

// Guarantee: the total time of a form that arrives byte by byte is limited.
func TestFormWithin(t *testing.T) {
	t.Parallel()
	s := serve(t, limits(patient), Within(short, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm() })))
	s.Start()
	c := dial(t, s)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\n")
	go func() {
		for pace := time.NewTicker(short / 10); ; <-pace.C {
			if _, err := io.WriteString(c, "a"); err != nil {
				return
			}
		}
	}()
	isClosed(t, c, "form")
}

// Guarantee: a client without any kind of progress does not delay a shutdown, however long
// its usual limit is.
func TestShutdown(t *testing.T) {
	t.Parallel()
	active := make(chan struct{}, 3)
	s := serve(t, limits(time.Hour), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		active <- struct{}{}
		if r.URL.Path == "/endless" {
			endless(w, r)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	s.StartTLS()
	http1 := &tls.Config{InsecureSkipVerify: true}
	dial(t, s)
	_, _ = io.WriteString(tls.Client(dial(t, s), http1), "GET / HT")
	_, _ = io.WriteString(tls.Client(dial(t, s), http1), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
	_, _ = io.WriteString(tls.Client(dial(t, s), http1), "GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
	streams(t, s, "/endless", 1)
	for range cap(active) {
		<-active
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patient)
	defer cancel()
	if err := s.Config.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	closed(t, s, "shutdown")
	if took := time.Since(began); took > 2*drainLimit {
		t.Errorf("the shutdown took %v", took)
	}
}

// Guarantee: a shutdown does not wait for WebSockets, which may stay open forever.
func TestShutdownLeavesWebSockets(t *testing.T) {
	t.Parallel()
	hijacked := make(chan struct{})
	s := serve(t, limits(patient), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		close(hijacked)
		_, _ = io.Copy(io.Discard, conn)
	}))
	s.Start()
	c := dial(t, s)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-hijacked
	if err := s.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	if s.clients.Run(ctx); ctx.Err() != nil {
		t.Error("the shutdown waits for a WebSocket")
	}
}
