package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// bufferSize is the size of the buffer for a response. Only a longer header needs more.
const bufferSize = 16 << 10

// errSlow is the error of a read that Open no longer waits for.
var errSlow = errors.New("no byte of the body within the time")

// Exchange is one request and its response. It is used in this order: Begin, Set for each
// field, Send, Receive until the status is final, Open, Piece and Fill until io.EOF,
// Close. It must be closed, also after an error, and not used afterwards. One goroutine
// uses it.
type Exchange struct {
	client *Client
	conn   *conn // nil before Send
	ctx    context.Context
	stop   func() bool // ends watching ctx; nil if it is not watched

	method  string
	out     []byte // header of the request
	invalid error  // of the request
	upload  *upload
	sent    time.Time // of the header
	single  bool      // the connection is closed after the exchange, see ExpectsBody

	progress time.Duration // Config.Progress, or that of LimitProgress

	buf   []byte // bytes of the response; buf[r:w] are unread
	r, w  int
	began bool // a byte of the response has arrived

	section  section
	head     head
	chunks   chunks
	left     int64  // bytes of a body with Content-Length
	first    []byte // first piece of the body, read by Open
	received bool   // the final header has arrived
	ended    bool   // the whole response has arrived
	opens    time.Time
}

// Begin starts a request. target is the request target in origin-form.
func (c *Client) Begin(method, target, host string) *Exchange {
	x, ok := c.exchanges.Get().(*Exchange)
	if !ok {
		x = &Exchange{client: c, buf: make([]byte, bufferSize), out: make([]byte, 0, 2<<10)}
	}
	x.method, x.progress = method, c.config.Progress
	x.out = append(x.out, method...)
	x.out = append(x.out, ' ')
	x.out = append(x.out, target...)
	x.out = append(x.out, " HTTP/1.1\r\nHost: "...)
	x.out = append(x.out, host...)
	x.out = append(x.out, crlf...)
	if !isVisible(method) || !isVisible(target) || !isVisible(host) {
		// The target can contain a secret, and the log shows the error.
		x.invalid = errors.New("the method, the target or the host of the request is empty or contains a space or a control character")
	}
	return x
}

// LimitProgress replaces Config.Progress for this exchange, unless limit is 0. It must run before Send.
func (x *Exchange) LimitProgress(limit time.Duration) {
	if limit > 0 {
		x.progress = limit
	}
}

// isVisible reports whether s contains no space and no control character.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

// Set adds a field to the request. An invalid field makes Send fail.
func (x *Exchange) Set(name, value string) {
	for i := range len(name) {
		if !isToken[name[i]] {
			x.invalid = fmt.Errorf("the name of the field %q is not a token", name)
		}
	}
	for i := range len(value) {
		if !isText(value[i]) {
			x.invalid = fmt.Errorf("the value of the field %s contains a control character", name)
		}
	}
	x.out = append(x.out, name...)
	x.out = append(x.out, ": "...)
	x.out = append(x.out, value...)
	x.out = append(x.out, crlf...)
}

// ExpectsBody reports whether upstreams expect a body in requests with a method. Some read
// none for the others, and take its bytes for the next request (RFC 9110, section 9.3.1),
// which would mix the calls of different callers. A connection must therefore carry no
// further request after such a body.
func ExpectsBody(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodDelete:
		return false
	}
	return true
}

// Send connects and sends the request. A body of unknown length has the length -1. A nil
// body has the length 0. The body is read until Receive or Piece returns an error, and
// beyond that by at most one Read: the caller must make that one end.
func (x *Exchange) Send(ctx context.Context, body io.Reader, length int64) error {
	if x.invalid != nil {
		return x.invalid
	}
	switch {
	case length < 0:
		x.out = append(x.out, "Transfer-Encoding: chunked\r\n"...)
	case length > 0 || x.method == http.MethodPost || x.method == http.MethodPut || x.method == http.MethodPatch:
		x.out = append(x.out, "Content-Length: "...)
		x.out = strconv.AppendInt(x.out, length, 10)
		x.out = append(x.out, crlf...)
	}
	if x.single = length != 0 && !ExpectsBody(x.method); x.single {
		x.out = append(x.out, "Connection: close\r\n"...)
	}
	x.out = append(x.out, crlf...)
	x.ctx = ctx
	if err := x.sendHead(false); err != nil {
		return err
	}
	if length != 0 {
		_ = x.conn.SetWriteDeadline(time.Time{}) // check limits the body, by reads
		x.upload = &upload{conn: x.conn, body: body, length: length, buffers: &x.client.pieces, done: make(chan struct{})}
		go x.upload.run()
	}
	return nil
}

// sendHead sends the header on a connection. If an idle connection accepts no byte, it
// uses another one.
func (x *Exchange) sendHead(fresh bool) error {
	for {
		conn, err := x.client.get(x.ctx, fresh)
		if err != nil {
			return err
		}
		x.conn = conn
		n, err := x.writeHead()
		if err == nil {
			return nil
		}
		if n > 0 || !conn.used || x.ctx.Err() != nil {
			return err
		}
		x.drop()
		fresh = true
	}
}

// writeHead writes the header of the request, at most for the limit of progress.
func (x *Exchange) writeHead() (written int, err error) {
	x.sent = time.Now()
	limit := x.progress
	x.conn.extend(x.sent, min(tick, limit))
	if x.conn.secure {
		_ = x.conn.SetWriteDeadline(x.sent.Add(limit))
	}
	for written < len(x.out) {
		n, err := x.conn.Write(x.out[written:])
		written += n
		switch {
		case err == nil:
		case x.conn.secure || !errors.Is(err, os.ErrDeadlineExceeded):
			return written, x.cause(err)
		default:
			if err := x.check(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// Receive returns when the next header has arrived: a final one, or an informational one
// with a status below 200.
func (x *Exchange) Receive() error {
	for try := 0; ; try++ {
		err := x.readHead()
		if err == nil || try > 1 || !x.mayRepeat() {
			return err
		}
		x.drop()
		if err := x.sendHead(true); err != nil {
			return err
		}
	}
}

// mayRepeat reports whether a failed request can be sent again: the upstream could have
// closed the connection before it read the request, and a second execution would change
// nothing.
func (x *Exchange) mayRepeat() bool {
	if !x.conn.used || x.began || x.upload != nil || x.ctx.Err() != nil || time.Since(x.sent) >= x.progress {
		return false
	}
	switch x.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// readHead reads the next header section.
func (x *Exchange) readHead() error {
	x.section = section{}
	for {
		n, err := x.section.end(x.buf[x.r:x.w])
		if err != nil {
			return err
		}
		if n > maxHead || n == 0 && x.w-x.r > maxHead {
			return malformed(fmt.Sprintf("the header is longer than %d bytes", maxHead))
		}
		if n > 0 {
			err = x.head.parse(x.buf[x.r:x.r+n], x.method)
			x.r += n
			return x.start(err)
		}
		if err := x.read(); err != nil {
			return unexpected(err)
		}
	}
}

// start prepares for the body of a final response.
func (x *Exchange) start(err error) error {
	switch {
	case err != nil:
		return err
	case x.head.status == http.StatusSwitchingProtocols:
		return malformed("a switch of the protocol without a request for it")
	case x.head.status < http.StatusOK:
		return nil
	}
	x.received = true
	x.ended = x.head.frame == frameNone
	x.left = x.head.length
	return nil
}

// unexpected returns the error for the end of a connection within a response.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Status returns the status of the last header.
func (x *Exchange) Status() int { return x.head.status }

// Fields returns the fields of the last header. They are valid until Receive or Close;
// their strings stay valid.
func (x *Exchange) Fields() []Field { return x.head.fields }

// Length returns the number of bytes of the body, or -1 if the header does not state it.
func (x *Exchange) Length() int64 {
	switch x.head.frame {
	case frameNone:
		return 0
	case frameLength:
		return x.head.length
	default:
		return -1
	}
}

// Trailer returns the fields of the trailer, once Piece has returned io.EOF or Ended
// reports true. They are valid until Close; their strings stay valid.
func (x *Exchange) Trailer() []Field { return x.chunks.fields }

// Ended reports whether the whole response has arrived, without unread bytes of a body.
func (x *Exchange) Ended() bool { return x.ended && len(x.first) == 0 }
