package upstream

import (
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pieceSize is the size of the buffer for a request's body.
	pieceSize = 16 << 10
	// sizeLine is the space for the size of a chunk before the data.
	sizeLine = len("ffffffff\r\n")
	// lastPiece is the time for which the end of an exchange waits until the last piece
	// of a body is sent, so that the connection can be used again.
	lastPiece = 50 * time.Millisecond
)

// upload sends the body of a request in its own goroutine, because the response may
// begin earlier than the body ends.
type upload struct {
	conn    net.Conn
	body    io.Reader
	length  int64        // -1: unknown, so the body is sent in chunks
	buffers *sync.Pool   // of *[]byte
	waiting atomic.Bool  // a read of the body is in progress
	resumed atomic.Int64 // Unix time in nanoseconds at which the last read ended

	done chan struct{}
	// Set before done is closed:
	whole   bool  // the whole body was sent
	readErr error // of the caller
}

// run sends the body. If the body cannot be read, run closes the connection: the upstream
// must not take the request for a whole one. If the upstream does not accept the rest,
// run ends, because the response can still arrive.
func (u *upload) run() {
	u.readErr, u.whole = u.copy()
	close(u.done)
	if u.readErr != nil {
		_ = u.conn.Close()
	}
}

// copy copies the body piece by piece and reports whether all of it was sent.
func (u *upload) copy() (readErr error, whole bool) {
	pooled, ok := u.buffers.Get().(*[]byte)
	if !ok {
		pooled = new([]byte)
		*pooled = make([]byte, sizeLine+pieceSize+len("\r\n0\r\n\r\n"))
	}
	defer u.buffers.Put(pooled)
	buffer := *pooled
	piece := buffer[sizeLine : sizeLine+pieceSize]
	for left := u.length; ; {
		n, err := u.read(piece)
		switch {
		case err != nil && err != io.EOF:
			return err, false
		case u.length >= 0 && (int64(n) > left || err == io.EOF && int64(n) < left):
			return io.ErrUnexpectedEOF, false
		}
		left -= int64(n)
		if !u.write(buffer, n, err == io.EOF) {
			return nil, false
		}
		if err == io.EOF {
			return nil, true
		}
	}
}

// read reads from the caller.
func (u *upload) read(piece []byte) (int, error) {
	u.waiting.Store(true)
	n, err := u.body.Read(piece)
	u.resumed.Store(time.Now().UnixNano())
	u.waiting.Store(false)
	return n, err
}

// write sends n bytes, which follow the space for the size of a chunk in buffer.
func (u *upload) write(buffer []byte, n int, last bool) bool {
	begin, end := sizeLine, sizeLine+n
	if u.length < 0 {
		if n > 0 {
			var line [sizeLine]byte
			size := append(strconv.AppendInt(line[:0], int64(n), 16), crlf...)
			begin -= len(size)
			copy(buffer[begin:], size)
			end += copy(buffer[end:], crlf)
		}
		if last {
			end += copy(buffer[end:], "0\r\n\r\n")
		}
	}
	if begin == end {
		return true
	}
	_, err := u.conn.Write(buffer[begin:end])
	return err == nil
}

// progress returns the time since which the upstream could make progress: now, while the
// caller is awaited. It returns since if the caller has not sent anything.
func (u *upload) progress(since, now time.Time) time.Time {
	if u.waiting.Load() {
		return now
	}
	if resumed := u.resumed.Load(); resumed > since.UnixNano() {
		return time.Unix(0, resumed)
	}
	return since
}

// wait reports whether the whole body was sent. It waits shortly for the upstream, and
// not for the caller.
func (u *upload) wait() bool {
	select {
	case <-u.done:
		return u.whole
	default:
		if u.waiting.Load() {
			return false
		}
	}
	limit := time.NewTimer(lastPiece)
	defer limit.Stop()
	select {
	case <-u.done:
		return u.whole
	case <-limit.C:
		return false
	}
}

// callerErr returns the error of a read from the caller, or nil.
func (u *upload) callerErr() error {
	if u == nil {
		return nil
	}
	select {
	case <-u.done:
		return u.readErr
	default:
		return nil
	}
}
