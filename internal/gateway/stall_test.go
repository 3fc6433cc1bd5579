package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A body that is announced and not sent must end the connection, whoever was to
// read it: else anybody can keep all of them without a key.
func TestBodyThatStandsStill(t *testing.T) {
	t.Parallel()
	read := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	ignore := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, h := range map[string]http.Handler{"read": read, "ignored": ignore} {
		for _, body := range []string{"Content-Length: 9\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"} {
			s := httptest.NewServer(timed(20*time.Millisecond, h))
			defer s.Close()
			conn := dialFor(t, s)
			defer conn.Close()
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\n"+body)
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("%s, %q: the connection stays: %v", name, body, err)
			}
		}
	}
}

// Only silence counts: neither a long answer to a whole body nor the next
// request on the connection is cut off.
func TestBodyThatMoves(t *testing.T) {
	t.Parallel()
	const stall = 50 * time.Millisecond
	s := httptest.NewServer(timed(stall, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			t.Error("the request ended while it was answered")
		case <-time.After(3 * stall):
		}
		if err != nil || string(body) != "whole" {
			t.Errorf("body %q, %v", body, err)
		}
		w.WriteHeader(http.StatusNoContent)
	})))
	defer s.Close()
	conn := dialFor(t, s)
	defer conn.Close()
	for range 2 {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nwhole")
		answer := make([]byte, 1024)
		if n, err := conn.Read(answer); err != nil || !strings.Contains(string(answer[:n]), " 204 ") {
			t.Fatalf("%q, %v", answer[:n], err)
		}
	}
}

// dialFor connects for at most ten seconds.
func dialFor(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}
