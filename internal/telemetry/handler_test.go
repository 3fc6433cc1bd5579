package telemetry

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// lineChan receives one record at a time.
type lineChan chan []byte

func (s lineChan) Write(p []byte) (int, error) {
	s <- bytes.Clone(p)
	return len(p), nil
}

// serve handles one request with h through a real listener. It returns the response,
// the body, the record, and any error of reading the body.
func serve(t *testing.T, h http.HandlerFunc) (*http.Response, string, map[string]any, error) {
	t.Helper()
	log := make(lineChan, 1)
	s := httptest.NewUnstartedServer(Handler(Config{Log: NewLog(LogConfig{Out: log})}, h))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.Start()
	t.Cleanup(s.Close)
	var body []byte
	res, err := s.Client().Get(s.URL + "/path?query=hush")
	if err == nil {
		body, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	var rec map[string]any
	if invalid := json.Unmarshal(<-log, &rec); invalid != nil {
		t.Fatal(invalid)
	}
	return res, string(body), rec, err
}

// Guarantee: if a handler panics, the caller gets the envelope and the operator the
// stack trace, and headers of the failed response are not sent.
func TestPanicBeforeResponse(t *testing.T) {
	t.Parallel()
	res, body, rec, err := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "hush")
		panic("boom")
	})
	if err != nil || res.StatusCode != 500 || !strings.Contains(body, "INTERNAL_ERROR") || strings.Contains(body, "boom") || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("%v %s %v", res, body, err)
	}
	if text, _ := rec["error"].(string); !strings.Contains(text, "boom") || !strings.Contains(text, "handler_test.go") || rec["outcome"] != "failed" {
		t.Errorf("%v", rec)
	}
}

// Guarantee: if only errors are logged, the log contains internal errors, but
// neither successful nor rejected calls.
func TestLevels(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := Config{Log: NewLog(LogConfig{Out: &log, Level: slog.LevelError})}
	refused := &toksta.Error{Code: toksta.CodeForbidden}
	for _, err := range []error{nil, refused, errors.New("boom")} {
		h := Handler(c, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err != nil {
				exchange.FromContext(r.Context()).Fail(err)
			}
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "boom") {
		t.Errorf("%s", &log)
	}
}

// Guarantee: a client can detect an incomplete response.
func TestPanicDuringResponse(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]any{"panic": "boom", "abort": http.ErrAbortHandler} {
		_, body, rec, err := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(fault)
		})
		if err == nil || rec["outcome"] != "aborted" || rec["status"] != 200.0 || rec["bytes"] != 4.0 {
			t.Errorf("%s: %q %v %v", name, body, err, rec)
		}
		if (rec["error"] != nil) != (name == "panic") {
			t.Errorf("%s: error %v", name, rec["error"])
		}
	}
}

// Guarantee: the record contains the status and the bytes sent, whichever method
// sent them.
func TestRecorderCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  float64
		bytes   float64
	}{
		"nothing": {func(http.ResponseWriter, *http.Request) {}, 200, 0},
		"status":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, 0},
		"write":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("12345")) }, 200, 5},
		"copy": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader("12345"), 5))
		}, 200, 5},
		"flusher": {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, 200, 0},
		"hint": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(201)
		}, 201, 0},
		"hijack": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			conn.Close()
		}, 101, 0},
	} {
		_, _, rec, err := serve(t, c.handler)
		if err != nil || rec["status"] != c.status || rec["bytes"] != c.bytes {
			t.Errorf("%s: %v %v", name, err, rec)
		}
	}
}

// Guarantee: the optional methods of the wrapped writer remain available: deadlines
// and the fast copy.
func TestRecorderHidesNothing(t *testing.T) {
	t.Parallel()
	full := &fullWriter{ResponseWriter: httptest.NewRecorder()}
	w := &recorder{ResponseWriter: full, x: &exchange.Exchange{}}
	if _, err := w.ReadFrom(io.LimitReader(strings.NewReader("x"), 1)); err != nil || full.read != 1 {
		t.Errorf("ReadFrom: %v, %d", err, full.read)
	}
	if _, _, err := http.NewResponseController(w).Hijack(); err != errHijacked {
		t.Errorf("Hijack: %v", err)
	}
	if http.NewResponseController(w).EnableFullDuplex() != nil {
		t.Error("EnableFullDuplex is hidden")
	}
}

var errHijacked = errors.New("hijacked")

type fullWriter struct {
	http.ResponseWriter
	read int
}

func (w *fullWriter) ReadFrom(src io.Reader) (int64, error) {
	w.read++
	return io.Copy(io.Discard, src)
}
func (w *fullWriter) EnableFullDuplex() error { return nil }
func (w *fullWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errHijacked
}

// Guarantee: a client that disconnects causes no error record, whatever error the
// handler returns, but a panic does.
func TestClientGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		panics  any
		level   string
		outcome string
		status  float64
	}{
		"failed work":     {nil, "INFO", "client_gone", 0},
		"a part was sent": {http.ErrAbortHandler, "INFO", "client_gone", 200},
		"panic":           {"boom", "ERROR", "failed", 500},
	} {
		log, working := make(lineChan, 1), make(chan struct{})
		s := httptest.NewServer(Handler(Config{Log: NewLog(LogConfig{Out: log})}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(working)
			<-r.Context().Done()
			x := exchange.FromContext(r.Context())
			x.Fail(fmt.Errorf("read usage: %w", context.Cause(r.Context())))
			if c.panics == http.ErrAbortHandler {
				_, _ = io.WriteString(w, "half")
			}
			if c.panics != nil {
				panic(c.panics)
			}
			httpauth.WriteError(w, &x.Meta, x.Err)
		})))
		t.Cleanup(s.Close)
		ctx, disconnect := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-working
			disconnect()
		}()
		if _, err := s.Client().Do(r); err == nil {
			t.Fatal("there is a response")
		}
		var rec map[string]any
		if err := json.Unmarshal(<-log, &rec); err != nil {
			t.Fatal(err)
		}
		if rec["level"] != c.level || rec["outcome"] != c.outcome || rec["status"] != c.status {
			t.Errorf("%s: %v", name, rec)
		}
	}
}
