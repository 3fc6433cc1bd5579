package downstream

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// drainTime limits the time in which net/http reads the rest of a body after the
	// response, to use the connection again.
	drainTime = time.Second
	// maxDrain is the number of bytes of a body that net/http reads then.
	maxDrain = 256 << 10
)

// past is a deadline in the past.
var past = time.Unix(1, 0)

// stream is one request and its response.
type stream struct {
	conn        *Conn
	body        io.ReadCloser // nil without a body
	length      int64         // of the body; -1 if unknown
	control     *http.ResponseController
	multiplexed bool // HTTP/2: the connection carries other streams too

	mu         sync.Mutex
	reads      activity
	writes     activity
	whole      bool // the body was read to its end
	failed     bool // a read of the body failed
	closed     bool // the body is no longer read
	responding bool // the response has begun, so the body may stay open without data
	ended      bool
	readFor    stopwatch // like writeFor used by check only
	writeFor   stopwatch
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
		// A copy, because net/http uses the body of its own request after next.
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

// streamKey is the key of the stream in a context.
type streamKey struct{}

// ResponseBegun records that the response to a request has begun. From then on the client
// may keep the request's body open without sending, as gRPC streams do.
func ResponseBegun(ctx context.Context) {
	if x, ok := ctx.Value(streamKey{}).(*stream); ok {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.responding = true
	}
}

// Within limits the time in which next receives the whole body of a request.
func Within(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit))
		}
		next.ServeHTTP(w, r)
	})
}

// end gives net/http drainTime to read the rest of an HTTP/1 body. It ends the
// connection instead if a read is still in progress, because net/http would interrupt
// the read and cancel the next request. It also does so if a read failed, or if the
// handler panicked (done is false).
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

// verdict lists the operations of a stream that have exceeded their limit.
type verdict struct {
	stream        *stream
	reads, writes bool
	read, write   uint64 // counts that identify the operations
}

// check returns the operations in progress that have exceeded their limit. A read has
// no limit once the response has begun. The time of a write stands still while the
// client has bytes to acknowledge, because Conn.check measures those.
func (x *stream) check(now time.Time, limits Limits, unacknowledged bool) verdict {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := verdict{stream: x, read: x.reads.count, write: x.writes.count}
	v.reads = x.readFor.stalled(now, x.reads.running && !x.responding, false, v.read) >= limits.Body
	v.writes = x.writeFor.stalled(now, x.writes.running, unacknowledged, v.write) >= limits.Write
	return v
}

// expire makes the operations of a verdict fail if they are still running.
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

// Close ends reading. It does not close the body of net/http, which may wait for the
// client and would delay the response; net/http closes it after the response.
func (b body) Close() error {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	b.x.closed = true
	return nil
}

// writer measures writes. Through Unwrap, [http.ResponseController] finds the optional
// methods of the wrapped writer.
type writer struct {
	http.ResponseWriter
	x     *stream
	begun bool // the header of the final response is written
}

// Unwrap returns the wrapped writer to http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader announces the end of an HTTP/1 connection on which the rest of a body would
// arrive, so that the client does not send its next request on it.
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
// response. It cannot if a read of the body has begun and none has reached its end,
// because another goroutine can still be reading, or if the body is longer than
// maxDrain.
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

// begin writes the header if the handler has not written one.
func (w *writer) begin() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
}

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError sends the buffered bytes.
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
