package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Open waits for the first bytes of the body: for size bytes, or all if there are fewer.
// If the length is unknown, or delay is not 0, it waits for one byte, and at most for
// delay. If the body breaks off within these bytes, Open returns an error.
func (x *Exchange) Open(size int64, delay time.Duration) error {
	if x.head.frame == frameLength && delay == 0 {
		for want := min(x.left, size, bufferSize); int64(x.w-x.r) < want; {
			if err := x.read(); err != nil {
				return unexpected(err)
			}
		}
		return nil
	}
	defer func() { x.opens = time.Time{} }()
	for !x.ended && x.first == nil {
		var err error
		if x.first, err = x.next(); err != nil || x.first != nil {
			return notEOF(err)
		}
		if x.opens.IsZero() {
			x.opens = time.Now().Add(delay)
			if x.conn.deadline.IsZero() || x.conn.deadline.After(x.opens) {
				x.setDeadline(x.opens)
			}
		}
		if err := x.Fill(); err != nil {
			if err == errSlow {
				return nil
			}
			return err
		}
	}
	return nil
}

// notEOF returns nil for the end of a body.
func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// Piece returns the next piece of the body that has arrived. It is nil if Fill has to be
// called first. It is valid until the next call. The error is io.EOF after the last piece.
func (x *Exchange) Piece() ([]byte, error) {
	if piece := x.first; piece != nil {
		x.first = nil
		return piece, nil
	}
	return x.next()
}

// next decodes the next piece.
func (x *Exchange) next() (piece []byte, err error) {
	if x.ended {
		return nil, io.EOF
	}
	switch unread := x.buf[x.r:x.w]; x.head.frame {
	case frameChunked:
		var n int
		n, piece, err = x.chunks.next(unread)
		x.r += n
		x.ended = err == io.EOF
		return piece, err
	case frameLength:
		piece = unread[:min(int64(len(unread)), x.left)]
		x.left -= int64(len(piece))
		x.ended = x.left == 0
	default:
		piece = unread
	}
	x.r += len(piece)
	if len(piece) == 0 {
		return nil, nil
	}
	return piece, nil
}

// Fill waits for more bytes of the response.
func (x *Exchange) Fill() error {
	err := x.read()
	if err == io.EOF && x.head.frame == frameClose {
		x.ended = true
		return nil
	}
	return unexpected(err)
}

// read reads more bytes into the buffer.
func (x *Exchange) read() error {
	switch {
	case x.r == x.w:
		x.r, x.w = 0, 0
	case x.w < len(x.buf):
	case x.r > 0:
		x.w = copy(x.buf, x.buf[x.r:x.w])
		x.r = 0
	default:
		x.buf = append(x.buf, make([]byte, len(x.buf))...)
	}
	for {
		n, err := x.conn.Read(x.buf[x.w:])
		x.w += n
		switch {
		case n > 0:
			x.began = true
			return nil
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return x.cause(err)
		default:
			if err := x.check(); err != nil {
				return err
			}
		}
	}
}

// cause returns the reason for which an operation on the connection failed.
func (x *Exchange) cause(err error) error {
	if failed := x.upload.callerErr(); failed != nil {
		return failed
	}
	if x.ctx.Err() != nil {
		return x.ctx.Err()
	}
	return err
}

// check runs when a deadline has passed. It returns an error if the caller has
// disconnected, if the upstream makes no progress, or if Open waits no longer. Otherwise
// it sets the next deadline. From the first check on, the connection is closed when the
// caller disconnects, so that a long exchange needs no further checks for that.
func (x *Exchange) check() error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	now, next := time.Now(), time.Time{}
	if !x.received {
		limit, since := x.progress, x.sent
		if x.upload != nil {
			since = x.upload.progress(since, now)
		}
		if next = since.Add(limit); !next.After(now) {
			return fmt.Errorf("the upstream made no progress for %v: %w", limit, os.ErrDeadlineExceeded)
		}
	}
	if !x.opens.IsZero() {
		if !x.opens.After(now) {
			return errSlow
		}
		next = x.opens
	}
	if x.stop == nil {
		conn := x.conn
		x.stop = context.AfterFunc(x.ctx, func() { _ = conn.Close() })
	}
	x.setDeadline(next)
	return nil
}

// setDeadline makes operations fail at t.
func (x *Exchange) setDeadline(t time.Time) {
	x.conn.deadline = t
	if x.conn.secure || x.upload != nil {
		_ = x.conn.SetReadDeadline(t)
		return
	}
	_ = x.conn.SetDeadline(t)
}

// drop closes the connection.
func (x *Exchange) drop() {
	if x.stop != nil {
		x.stop()
		x.stop = nil
	}
	if x.conn != nil {
		_ = x.conn.Close()
		x.conn = nil
	}
}

// Close ends the exchange. The connection is used again if nothing of the request or the
// response is left on it. Otherwise it is closed, so that the upstream stops working.
func (x *Exchange) Close() {
	if x.isComplete() && (x.stop == nil || x.stop()) {
		if x.stop = nil; x.upload != nil {
			x.conn.deadline = time.Time{} // that of reads only
		}
		x.client.put(x.conn)
		x.conn = nil
	}
	x.drop()
	c := x.client
	clear(x.head.fields)
	clear(x.chunks.fields)
	if len(x.buf) > bufferSize || cap(x.out) > bufferSize {
		return // a rare size is no reason to keep the memory
	}
	*x = Exchange{
		client: c, out: x.out[:0], buf: x.buf,
		head: head{fields: x.head.fields[:0]}, chunks: chunks{fields: x.chunks.fields[:0]},
	}
	c.exchanges.Put(x)
}

// isComplete reports whether the connection can carry another exchange.
func (x *Exchange) isComplete() bool {
	return x.conn != nil && x.ended && !x.head.close && !x.single && x.r == x.w && len(x.first) == 0 && (x.upload == nil || x.upload.wait())
}
