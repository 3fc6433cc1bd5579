package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/downstream"
)

// await sends a request and returns its response. It returns a timeout error if the
// upstream makes no progress for the duration limit. Progress means that the upstream
// reads available bytes of the request's body or, after the last byte, begins its
// response. Time spent waiting for bytes from the client does not count.
func await(next http.RoundTripper, r *http.Request, limit time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	p := &progressTimer{limit: limit}
	p.timer = time.AfterFunc(limit, func() {
		p.expired.Store(true)
		cancel()
	})
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &timedBody{r.Body, p}
	}
	res, err := next.RoundTrip(r)
	p.end()
	if p.expired.Load() {
		if err == nil {
			_ = res.Body.Close()
		}
		return nil, fmt.Errorf("the upstream made no progress for %v: %w", limit, os.ErrDeadlineExceeded)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	downstream.ResponseBegun(ctx)
	return res, nil
}

// progressTimer expires after the upstream has made no progress for the duration limit.
type progressTimer struct {
	limit time.Duration
	timer *time.Timer

	expired atomic.Bool

	mu    sync.Mutex
	ended bool // the response has begun, or the request failed
}

// pause stops the timer.
func (p *progressTimer) pause() { p.timer.Stop() }

// resume starts the timer again with the whole limit, unless end was called.
func (p *progressTimer) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.timer.Reset(p.limit)
	}
}

// end stops the timer permanently.
func (p *progressTimer) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
}

// timedBody is a request's body that pauses the timer while a read waits for the client.
type timedBody struct {
	io.ReadCloser
	timer *progressTimer
}

// Read reads with the timer paused.
func (b *timedBody) Read(p []byte) (int, error) {
	b.timer.pause()
	defer b.timer.resume()
	return b.ReadCloser.Read(p)
}
