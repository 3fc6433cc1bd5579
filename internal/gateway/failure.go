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

// fail is the proxy's ErrorHandler. For a bad or oversized request body, it responds
// with a 4xx. The call is charged if part of the body was forwarded, because an endless
// body must not make the call free. If the client disconnected, the call is charged and
// the connection closed. Otherwise fail responds 502, or 504 on timeout.
func (f *forwarding) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		f.body.waitForRead()
	}
	if clientErr := f.body.clientError(); clientErr != nil {
		if f.body.begun.Load() {
			f.x.Abandon()
		}
		closeAfter(r, f.x)
		reject(w, f.x, clientErr)
		return
	}
	if r.Context().Err() != nil {
		f.x.Outcome = exchange.ClientGone
		f.x.Abandon()
		panic(http.ErrAbortHandler)
	}
	e := &toksta.Error{Code: toksta.CodeUpstreamError, Message: "The service behind this endpoint could not be reached, or its response broke off."}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		e = &toksta.Error{Code: toksta.CodeUpstreamTimeout, Message: "The service behind this endpoint did not respond in time."}
	}
	reject(w, f.x, e)
	f.x.Err = err
}

// body is a request's body that records the error of a failed read, because the
// transport does not tell whether an error comes from the client or from the upstream.
type body struct {
	io.ReadCloser
	mu      sync.Mutex  // held by Read
	begun   atomic.Bool // part of it was read, so the upstream may have received it
	readErr atomic.Pointer[error]
}

// Read reads from the client and records an error other than io.EOF.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.begun.Store(true)
	}
	if err != nil && err != io.EOF {
		b.readErr.CompareAndSwap(nil, &err)
	}
	return n, err
}

// limit returns an error if the announced length of the body exceeds maxBody. If no
// length is announced, reading beyond maxBody fails. limit also removes the Upgrade
// field unless it names WebSocket alone, because another protocol could carry requests
// without a decision. r is a copy that belongs to the handler.
func (f *forwarding) limit(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > f.maxBody {
		return tooLarge()
	}
	if upgrade := r.Header["Upgrade"]; len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket") {
		r.Header.Del("Upgrade")
	}
	if r.Body != nil && r.Body != http.NoBody {
		f.body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, f.maxBody)}
		r.Body = f.body
	}
	return nil
}

// waitForRead waits for a read in progress. When a read fails, net/http cancels the
// request before the read returns its error.
func (b *body) waitForRead() {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
}

// clientError returns the error for a body that was too long or could not be read from
// the client, otherwise nil.
func (b *body) clientError() error {
	if b == nil {
		return nil
	}
	failure := b.readErr.Load()
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
