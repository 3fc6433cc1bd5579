package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/toksta"
)

// fail is the proxy's ErrorHandler. A bad or oversized request body is the
// client's 4xx, charged if part of it was forwarded: a body that never ends must
// not make the call free. If the client disconnected, the call is charged and the
// connection is cut. Otherwise it responds 502, or 504 on timeout.
func (f *forwarding) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		f.body.settle()
	}
	if mistake := f.body.mistake(); mistake != nil {
		if f.body.begun.Load() {
			f.x.Abandon()
		}
		closeAfter(r, f.x)
		reject(w, f.x, mistake)
		return
	}
	if r.Context().Err() != nil {
		f.x.Outcome = exchange.ClientGone
		f.x.Abandon()
		panic(http.ErrAbortHandler)
	}
	e := &toksta.Error{Code: toksta.CodeUpstreamError, Message: "The service behind this endpoint could not be reached, or its response broke off."}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		e = &toksta.Error{Code: toksta.CodeUpstreamTimeout, Message: "The service behind this endpoint did not answer in time."}
	}
	reject(w, f.x, e)
	f.x.Err = err
}

// body remembers how reading a request's body failed, because the transport
// reports its own errors and the client's alike.
type body struct {
	io.ReadCloser
	mu    sync.Mutex  // held by Read
	begun atomic.Bool // some of it was read, so the upstream may have it
	fault atomic.Pointer[error]
}

// Read notes any error but the end.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.begun.Store(true)
	}
	if err != nil && err != io.EOF {
		b.fault.CompareAndSwap(nil, &err)
	}
	return n, err
}

// limit rejects a body of more than the upstream's limit, at once when its length
// is announced, and lets only WebSocket leave HTTP: another protocol would carry
// requests without a decision. r is the handler's own copy, not net/http's.
func (f *forwarding) limit(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > f.maxBody {
		return tooLarge()
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		r.Header.Del("Upgrade")
	}
	if r.Body != nil && r.Body != http.NoBody {
		f.body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, f.maxBody)}
		r.Body = f.body
	}
	return nil
}

// settle waits for a read in progress. net/http cancels the request when a read
// fails, before the read returns its error.
func (b *body) settle() {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
}

// mistake returns the client's own failure to send the body, nil without one.
func (b *body) mistake() error {
	if b == nil {
		return nil
	}
	failure := b.fault.Load()
	if failure == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](*failure); ok {
		return tooLarge()
	}
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: "The request's body could not be read."}
}

// closeAfter closes an HTTP/1 connection after the response to a request whose
// body is not read to its end. An HTTP/2 connection stays open: its other streams
// do not depend on the body.
func closeAfter(r *http.Request, x *exchange.Exchange) {
	if r.ProtoMajor < 2 {
		x.Close = true
	}
}

func tooLarge() error {
	return &toksta.Error{Code: toksta.CodePayloadTooLarge, Message: "The request's body is too large."}
}
