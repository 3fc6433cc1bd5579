package telemetry

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/toksta/toksta/httpauth"
)

// Config is what [Handler] needs.
type Config struct {
	Log   *slog.Logger
	Realm string           // of the bearer challenge
	Now   func() time.Time // nil: time.Now
}

// Handler wraps next so that each request has an exchange and a record, and
// writes the record when next is done. It closes the connection after a request
// whose end is ambiguous. A panic becomes the 500 envelope, or
// cuts the connection when part of the answer is out; http.ErrAbortHandler
// goes on up, as net/http wants it.
func Handler(c Config, next http.Handler) http.Handler {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, r := httpauth.Begin(r, c.Realm, now())
		rec := &Record{Start: x.Now, RequestID: x.RequestID, TraceID: x.TraceID, Method: r.Method}
		r = r.WithContext(context.WithValue(r.Context(), recordKey{}, rec))
		if x.Close {
			w.Header().Set("Connection", "close")
		}
		rw := &recorder{ResponseWriter: w, rec: rec}
		defer func() {
			fault := recover()
			if fault != nil {
				fault = rw.recovered(r, fault)
			}
			rec.Duration = now().Sub(rec.Start)
			if rec.Status == 0 && rec.Outcome == "" {
				rec.Status = http.StatusOK
			}
			c.Log.LogAttrs(r.Context(), rec.level(), "request", rec.attrs()...)
			if fault != nil {
				panic(fault)
			}
		}()
		next.ServeHTTP(rw, r)
	})
}

// recorder notes status and bytes. It hides no optional method of the writer
// below from [http.ResponseController].
type recorder struct {
	http.ResponseWriter
	rec *Record
}

// recovered answers a panic if that is still possible, and returns what to
// panic with otherwise. The header of the failed attempt goes: it may hold
// what was meant for a success only.
func (w *recorder) recovered(r *http.Request, fault any) any {
	if fault == http.ErrAbortHandler {
		if w.rec.Outcome == "" {
			w.rec.Outcome = Aborted
		}
		return fault
	}
	begun := w.rec.Status != 0
	w.rec.Fail(fmt.Errorf("panic: %v\n%s", fault, debug.Stack()))
	if begun {
		w.rec.Outcome = Aborted
		return http.ErrAbortHandler
	}
	clear(w.Header())
	httpauth.WriteError(w, r, w.rec.Err)
	return nil
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the final status.
func (w *recorder) WriteHeader(status int) {
	if w.rec.Status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		w.rec.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the body's bytes.
func (w *recorder) Write(b []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(b)
	w.rec.Bytes += int64(n)
	return n, err
}

// ReadFrom keeps the fast paths of the writer below, such as sendfile.
func (w *recorder) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	n, err := io.Copy(w.ResponseWriter, src)
	w.rec.Bytes += n
	return n, err
}

// Flush is for handlers that ask for an http.Flusher.
func (w *recorder) Flush() { _ = w.FlushError() }

// FlushError sends the header if it is not out yet.
func (w *recorder) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack notes a switch of protocols.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.rec.Status == 0 {
		w.rec.Status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// begin notes the status that a body without WriteHeader implies.
func (w *recorder) begin() {
	if w.rec.Status == 0 {
		w.rec.Status = http.StatusOK
	}
}
