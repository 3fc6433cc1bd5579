package downstream

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// drainTime is how long net/http may read the rest of a body after the
	// response, to use the connection again.
	drainTime = time.Second
	// maxDrain is how much of a body it reads, in bytes.
	maxDrain = 256 << 10
)

// past is a deadline that is over.
var past = time.Unix(1, 0)

// stream is one request and its response.
type stream struct {
	conn        *Conn
	body        io.ReadCloser // nil: none
	length      int64         // of the body; -1: unknown
	control     *http.ResponseController
	multiplexed bool // HTTP/2: the connection carries other streams too

	mu       sync.Mutex
	reads    activity
	writes   activity
	whole    bool // the body was read to its end
	failed   bool // reading it failed
	closed   bool // the body is not read any more
	answered bool // the response has begun, so that the body may stay open in silence
	ended    bool
	readFor  stopwatch // of check alone, as writeFor
	writeFor stopwatch
}

// activity is an operation that waits for the client.
type activity struct {
	running bool
	count   uint64
}

func (a *activity) start() { a.running, a.count = true, a.count+1 }

// Handler wraps a server's whole handler. It measures the progress of clients and
// does not let a response wait for the rest of a request.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(*Conn)
		x := &stream{conn: conn, length: r.ContentLength, control: http.NewResponseController(w), multiplexed: r.ProtoMajor >= 2}
		// A copy: net/http itself looks at its own request's body after next.
		r = r.WithContext(context.WithValue(r.Context(), streamKey{}, x))
		if r.Body != nil && r.Body != http.NoBody {
			x.body = r.Body
			r.Body = body{x}
			if !x.multiplexed {
				_ = x.control.EnableFullDuplex()
			}
		}
		if x.multiplexed || x.body != nil {
			w = &writer{ResponseWriter: w, x: x}
		}
		conn.begin(x)
		done := false
		defer func() { x.end(done) }()
		next.ServeHTTP(w, r)
		done = true
	})
}

// streamKey finds the stream in a context.
type streamKey struct{}

// Answered says that the response to a request has begun. From then on the client
// may keep the request's body open in silence, as gRPC streams do.
func Answered(ctx context.Context) {
	if x, ok := ctx.Value(streamKey{}).(*stream); ok {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.answered = true
	}
}

// Within bounds the time in which next receives the whole body of a request.
func Within(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit))
		}
		next.ServeHTTP(w, r)
	})
}

// end leaves what is unread of an HTTP/1 body to net/http, for drainTime. It ends
// the connection if a read is still in progress: net/http would interrupt the
// read, and the next request would find itself canceled.
func (x *stream) end(done bool) {
	x.conn.end(x)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended, x.closed = true, true
	switch {
	case x.body == nil || x.multiplexed || x.whole:
	case x.conn != nil && (x.reads.running || x.failed || !done):
		x.conn.endReads()
	default:
		_ = x.control.SetReadDeadline(time.Now().Add(drainTime))
	}
}

// verdict is which operations of a stream have exceeded their limit.
type verdict struct {
	stream        *stream
	reads, writes bool
	read, write   uint64 // which operations
}

// check measures the operations in progress. The time of a write is paused while
// the client has bytes to acknowledge: check of the connection measures those.
func (x *stream) check(now time.Time, limits Limits, unacknowledged bool) verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := verdict{stream: x, read: x.reads.count, write: x.writes.count}
	v.reads = x.readFor.still(now, x.reads.running && !x.answered, false, v.read) >= limits.Body
	v.writes = x.writeFor.still(now, x.writes.running, unacknowledged, v.write) >= limits.Write
	return v
}

// expire fails the operations of a verdict that still run.
func (x *stream) expire(v verdict) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return
	}
	if v.reads && x.reads == (activity{true, v.read}) {
		_ = x.control.SetReadDeadline(past)
	}
	if v.writes && x.writes == (activity{true, v.write}) {
		_ = x.control.SetWriteDeadline(past)
	}
}

// body is the body of a request.
type body struct{ x *stream }

// Read reads from the client.
func (b body) Read(p []byte) (int, error) {
	if !b.x.startRead() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.x.body.Read(p)
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	b.x.reads.running = false
	b.x.whole = b.x.whole || err == io.EOF
	b.x.failed = b.x.failed || err != nil && err != io.EOF
	return n, err
}

func (x *stream) startRead() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return false
	}
	x.reads.start()
	return true
}

// Close only ends reading. net/http closes its own body after the response: that
// can wait for the client, and the response would wait as well.
func (b body) Close() error {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	b.x.closed = true
	return nil
}

// writer measures writes. It hides no optional method of the writer below from
// [http.ResponseController].
type writer struct {
	http.ResponseWriter
	x     *stream
	begun bool // the header of the final response is written
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader announces the end of an HTTP/1 connection that carries the rest of
// a body. Otherwise the client might send its next request on it.
func (w *writer) WriteHeader(status int) {
	if status >= http.StatusOK && !w.begun {
		w.begun = true
		if !w.x.multiplexed && w.x.leavesBody() {
			w.Header().Set("Connection", "close")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// leavesBody reports whether net/http cannot read the rest of the body after the
// response: there is too much of it, or another goroutine reads it.
func (x *stream) leavesBody() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.body != nil && !x.whole && (x.reads.count > 0 || x.length > maxDrain)
}

// Write writes to the client.
func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	w.x.startWrite()
	defer w.x.endWrite()
	return w.ResponseWriter.Write(p)
}

// begin writes the header that a body without one implies.
func (w *writer) begin() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
}

// Flush is for handlers that ask for an http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError sends what is buffered.
func (w *writer) FlushError() error {
	w.begin()
	w.x.startWrite()
	defer w.x.endWrite()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (x *stream) startWrite() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writes.start()
}

func (x *stream) endWrite() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writes.running = false
}
