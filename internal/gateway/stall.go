package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxStall is how long a request's body may stand still. Without it anybody
// could keep a connection, and what reads from it, for ever by announcing a
// body and not sending it; net/http bounds the header alone.
const maxStall = 30 * time.Second

// timed cuts off requests whose body stands still for longer than stall, whether
// next reads the body or leaves it to net/http.
func timed(stall time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		b := &moving{ReadCloser: r.Body, stall: stall, conn: http.NewResponseController(w)}
		b.wait(stall)
		r.Body = b
		// Whoever still reads afterwards must not set the next request's time.
		defer b.leave()
		next.ServeHTTP(w, r)
	})
}

// moving is a body each of whose reads has a time of its own.
type moving struct {
	io.ReadCloser
	stall time.Duration
	conn  *http.ResponseController

	mu   sync.Mutex
	left bool
}

// Read gives the time back at the end: from there on net/http watches the
// connection, which may be silent for as long as the answer takes.
func (b *moving) Read(p []byte) (int, error) {
	b.wait(b.stall)
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.wait(0)
	}
	return n, err
}

// wait sets the time of what is read next; 0 is no bound. A writer that has no
// such times, as tests have, is not bounded.
func (b *moving) wait(stall time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left {
		return
	}
	var until time.Time
	if stall > 0 {
		until = time.Now().Add(stall)
	}
	_ = b.conn.SetReadDeadline(until)
}

// leave ends the setting of times.
func (b *moving) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = true
}
