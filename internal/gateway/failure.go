package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/httpauth"
	"github.com/toksta/toksta/internal/telemetry"
)

// fail answers for an upstream that did not. What the client did wrong is its
// own error, and paid if the upstream may have acted on what came before: a body
// that says all and never ends must not make the call free. A client that has
// gone away is nobody's: its connection is cut rather than answered, should it
// be there after all.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	b, _ := r.Context().Value(bodyKey{}).(*body)
	if fault := b.refusal(); fault != nil {
		if b.begun.Load() {
			abandon(r)
		}
		closeAfter(r)
		refuse(w, r, fault)
		return
	}
	rec := telemetry.RecordFrom(r.Context())
	if r.Context().Err() != nil {
		rec.Outcome = telemetry.ClientGone
		abandon(r)
		panic(http.ErrAbortHandler)
	}
	e := &toksta.Error{Code: toksta.CodeUpstreamError, Message: "The service behind this endpoint could not be reached."}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		e = &toksta.Error{Code: toksta.CodeUpstreamTimeout, Message: "The service behind this endpoint did not answer in time."}
	}
	refuse(w, r, e)
	rec.Err = err
}

// abandon settles a call whose client broke it off.
func abandon(r *http.Request) {
	if p := httpauth.PassageFrom(r.Context()); p != nil {
		p.Abandon()
	}
}

// body is a request's body that remembers how reading it failed, since the
// transport reports its own failures and the client's alike.
type body struct {
	io.ReadCloser
	begun atomic.Bool // some of it was read, so the upstream may have it
	fault atomic.Pointer[error]
}

// Read notes any error but the end.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.begun.Store(true)
	}
	if err != nil && err != io.EOF {
		b.fault.CompareAndSwap(nil, &err)
	}
	return n, err
}

// bodyKey carries a request's body to its failure.
type bodyKey struct{}

// limitBody refuses bodies of more than limit bytes, at once when the length
// is announced, and lets only WebSocket leave HTTP: another protocol would
// carry requests that nobody decides on.
func limitBody(limit int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > limit {
			closeAfter(r)
			refuse(w, r, tooLarge())
			return
		}
		if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			r.Header.Del("Upgrade")
		}
		if r.Body != nil && r.Body != http.NoBody {
			b := &body{ReadCloser: http.MaxBytesReader(w, r.Body, limit)}
			r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, b))
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

// refusal is the client's own failure to send the request, nil without one.
func (b *body) refusal() error {
	if b == nil {
		return nil
	}
	fault := b.fault.Load()
	if fault == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](*fault); ok {
		return tooLarge()
	}
	return badRequest("The request's body could not be read.")
}

// closeAfter ends an HTTP/1 connection after the response, because the rest of
// the request's body is not worth reading. On HTTP/2 only the stream ends.
func closeAfter(r *http.Request) {
	if r.ProtoMajor < 2 {
		httpauth.ExchangeFrom(r.Context()).Close = true
	}
}

func tooLarge() error {
	return &toksta.Error{Code: toksta.CodePayloadTooLarge, Message: "The request's body is too large."}
}
