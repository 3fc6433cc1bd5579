package telemetry

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/httpauth"
)

// Config configures [Handler].
type Config struct {
	Log   *Log
	Realm string           // of the bearer challenge
	Names *httpauth.Names  // of the fields with the vendor's prefix; nil: the default ones
	Now   func() time.Time // nil: time.Now
	// KeyPrefix starts every key, such as "tk_live_". A key that a client puts into a
	// path is left out of the record.
	KeyPrefix string
	// Sampling is the fraction of the started traces that are sampled, from 0 to 1.
	Sampling float64
	// Fingerprint is the secret with which fingerprints of unknown keys are made.
	Fingerprint [32]byte
}

// Handler wraps next so that each request has an exchange in its context, and
// writes the record when next returns. It closes the connection after a request
// whose end is ambiguous. If next panics, it responds with a 500
// envelope, or cuts the connection if part of the response was sent. An admitted call
// ends when next has returned or panicked.
// http.ErrAbortHandler is passed on, as net/http requires.
func Handler(c Config, next http.Handler) http.Handler {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchange.New(exchange.IDs{
			Request:     r.Header[httpauth.HeaderRequestID],
			Traceparent: r.Header[httpauth.HeaderTraceparent],
			Trace:       r.Header[httpauth.HeaderTraceID],
		}, c.Realm, c.Sampling, now())
		x.Names = c.Names
		x.Method, x.Path = r.Method, LoggedPath(r.URL.Path, c.KeyPrefix)
		if x.Close = mustClose(r); x.Close {
			w.Header().Set("Connection", "close")
		}
		r = r.WithContext(exchange.NewContext(r.Context(), x))
		rw := &recorder{ResponseWriter: w, x: x}
		defer func() {
			panicked := recover()
			if panicked == nil || panicked == http.ErrAbortHandler {
				rw.disconnected(r.Context().Err())
			}
			if panicked != nil {
				panicked = rw.recovered(panicked)
			}
			x.CloseHold(http.StatusInternalServerError)
			x.End()
			x.Duration = now().Sub(x.Start)
			if x.Status == 0 && x.Outcome == "" {
				x.Status = http.StatusOK
			}
			c.Record(x)
			if panicked != nil {
				panic(panicked)
			}
		}()
		next.ServeHTTP(rw, r)
		rw.begin(http.StatusOK)
	})
}

// Record writes the record of an exchange that has ended. Handler calls it for each request.
// It is safe for concurrent use.
func (c *Config) Record(x *exchange.Exchange) {
	x.Fingerprint = fingerprint(&c.Fingerprint, x)
	c.Log.request(x)
}

// mustClose reports whether a proxy in front could find the end of the request at
// another byte than net/http: with a Transfer-Encoding, perhaps beside a
// Content-Length that net/http hides (RFC 9112, section 6.1), and on HTTP/1.0.
func mustClose(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1)
}

// disconnected sets the outcome of a failed request to ClientGone if ended, the
// error of the client's context, is not nil: the failure then comes from the
// disconnection. It also sets a status of 500 or above to 0, because no client
// received that response.
func (w *recorder) disconnected(ended error) {
	if ended == nil || w.x.Err == nil || w.x.Outcome != "" {
		return
	}
	w.x.Outcome = exchange.ClientGone
	if w.x.Status >= http.StatusInternalServerError {
		w.x.Status = 0
	}
}

// recovered responds with a 500 if no byte of the response was sent before the
// panic. Otherwise it returns the value with which the caller must panic again.
// It deletes the header of the failed attempt, which could hold fields that were
// meant for a success.
func (w *recorder) recovered(panicked any) any {
	if panicked == http.ErrAbortHandler {
		if w.x.Outcome == "" {
			w.x.Outcome = exchange.Aborted
		}
		return panicked
	}
	begun := w.x.Status != 0
	w.x.Fail(fmt.Errorf("panic: %v\n%s", panicked, debug.Stack()))
	if begun {
		w.x.Outcome = exchange.Aborted
		return http.ErrAbortHandler
	}
	clear(w.Header())
	httpauth.WriteError(w, &w.x.Meta, w.x.Err)
	return nil
}
