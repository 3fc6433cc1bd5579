package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Wait bounds the time until the first byte of a response.
type Wait struct {
	Limit time.Duration // 0: only the context of the call ends it
	// Notice, if set, is called once for each call that has waited for After. It
	// runs in a goroutine of its own and returns before the call does.
	Notice func(endpoint string)
	After  time.Duration
}

// bounded sends a request and cancels it after the limit. The body of the
// response is bounded only by ctx.
func (w Wait) bounded(ctx context.Context, endpoint string, send func(context.Context) (*http.Response, error)) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	if w.Limit > 0 {
		limit := time.AfterFunc(w.Limit, func() { cancel(noResponse(endpoint, w.Limit)) })
		defer limit.Stop()
	}
	if w.Notice != nil {
		done := make(chan struct{})
		notice := time.AfterFunc(w.After, func() {
			defer close(done)
			w.Notice(endpoint)
		})
		defer func() {
			if !notice.Stop() {
				<-done
			}
		}()
	}
	resp, err := send(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &canceling{resp.Body, cancel}
	return resp, nil
}

// noResponse returns the error of a call that was canceled after the limit.
func noResponse(endpoint string, limit time.Duration) error {
	return &toksta.Error{
		Code:    toksta.CodeUnavailable,
		Message: fmt.Sprintf("The server did not respond to %s within %v. If this was a change, it may have been made.", endpoint, limit),
		Hint:    "toksta audit shows whether the change was made; toksta doctor checks the server",
	}
}

// canceling is a body whose Close also cancels the context of the call.
type canceling struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close closes the body.
func (c *canceling) Close() error {
	defer c.cancel(nil)
	return c.ReadCloser.Close()
}
