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

// await sends a request and returns its response. It fails with a timeout if the
// upstream makes no progress for limit: if it neither reads what the client has
// sent nor, at the end, responds. Time in which the client is waited for does
// not count.
func await(next http.RoundTripper, r *http.Request, limit time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	p := &patience{limit: limit}
	p.timer = time.AfterFunc(limit, func() {
		p.expired.Store(true)
		cancel()
	})
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &pacedBody{r.Body, p}
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
	downstream.Answered(ctx)
	return res, nil
}

// patience is the time that is left to an upstream.
type patience struct {
	limit time.Duration
	timer *time.Timer

	expired atomic.Bool

	mu    sync.Mutex
	ended bool // the response has begun, or never will
}

// pause stops the time, resume gives the upstream all of it again.
func (p *patience) pause() { p.timer.Stop() }

func (p *patience) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.timer.Reset(p.limit)
	}
}

// end stops the time for good.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
}

// pacedBody is a request's body whose reads wait for the client.
type pacedBody struct {
	io.ReadCloser
	patience *patience
}

// Read stops the upstream's time.
func (b *pacedBody) Read(p []byte) (int, error) {
	b.patience.pause()
	defer b.patience.resume()
	return b.ReadCloser.Read(p)
}
