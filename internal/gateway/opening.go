package gateway

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

const (
	// openingSize is the largest number of bytes that open waits for. If the length of a
	// response is known, net/http buffers about this many bytes anyway, so waiting for
	// them causes no delay.
	openingSize    = 4 << 10
	defaultOpening = 250 * time.Millisecond
)

// open waits for the first bytes of the body, at most for delay if the response is a
// stream. Until then nothing is sent or charged, so a response that breaks off earlier
// is an error. open returns a copy of res, because the transport could still write the
// trailer of the original.
func open(res *http.Response, delay time.Duration, forbidden func(name string) bool) (*http.Response, error) {
	if res.Body == http.NoBody || res.StatusCode == http.StatusSwitchingProtocols {
		return res, nil
	}
	out := *res
	out.Trailer = maps.Clone(res.Trailer)
	b := &opening{Closer: res.Body, ahead: bufio.NewReaderSize(res.Body, openingSize), done: make(chan struct{}), from: res, to: &out, forbidden: forbidden}
	out.Body = b
	size, limit := min(res.ContentLength, openingSize), time.Duration(0)
	if isStream(res) {
		size, limit = 1, delay
	}
	go b.peek(int(size))
	switch {
	case !b.wait(limit) || b.err == nil:
		return &out, nil
	case b.err == io.EOF: // without a byte
		b.copyTrailer()
		out.Body = http.NoBody
		return &out, res.Body.Close()
	default:
		_ = res.Body.Close()
		return nil, fmt.Errorf("read the beginning of the response: %w", b.err)
	}
}

// isStream reports whether each piece of the body is forwarded on arrival.
func isStream(res *http.Response) bool {
	return res.ContentLength < 0 || hasType(res, "text/event-stream")
}

// hasType reports whether the media type of a response starts with prefix.
func hasType(res *http.Response, prefix string) bool {
	return hasMediaType(res.Header.Get("Content-Type"), prefix)
}

// hasMediaType reports whether a Content-Type starts with prefix, in any case.
func hasMediaType(contentType, prefix string) bool {
	return len(contentType) >= len(prefix) && strings.EqualFold(contentType[:len(prefix)], prefix)
}

// opening is a body whose first bytes are read ahead.
type opening struct {
	io.Closer
	ahead    *bufio.Reader
	done     chan struct{} // closed when peek has returned
	err      error         // result of peek
	from, to *http.Response
	// forbidden reports whether only this system may set a field of the trailer.
	forbidden func(name string) bool
}

// peek reads size bytes ahead.
func (b *opening) peek(size int) {
	defer close(b.done)
	_, b.err = b.ahead.Peek(size)
}

// wait waits for peek and reports whether peek has returned. It waits at most for the
// duration limit, or without a bound if limit is 0.
func (b *opening) wait(limit time.Duration) bool {
	var expired <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-b.done:
		return true
	case <-expired:
		return false
	}
}

// Read reads the body from its first byte.
func (b *opening) Read(p []byte) (int, error) {
	<-b.done
	n, err := b.ahead.Read(p)
	if err != nil {
		b.copyTrailer()
	}
	return n, err
}

// copyTrailer copies the trailer at the end of the body, without the fields that only
// this system may set. The trailer can contain fields that the header did not announce.
func (b *opening) copyTrailer() {
	b.to.Trailer = maps.Clone(b.from.Trailer)
	strip(b.to.Trailer, b.forbidden)
}
