package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Wait says how long a call waits for the first byte of its response.
type Wait struct {
	Limit time.Duration // 0: as long as its context
	// Notice, when set, is called once for a call that has waited for After.
	Notice func(endpoint string)
	After  time.Duration
}

// bounded sends a request and gives up after the limit. The response's body ends
// with ctx alone.
func (w Wait) bounded(ctx context.Context, endpoint string, send func(context.Context) (*http.Response, error)) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	if w.Limit > 0 {
		limit := time.AfterFunc(w.Limit, func() { cancel(noResponse(endpoint, w.Limit)) })
		defer limit.Stop()
	}
	if w.Notice != nil {
		notice := time.AfterFunc(w.After, func() { w.Notice(endpoint) })
		defer notice.Stop()
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

// noResponse is the error of a call that was given up.
func noResponse(endpoint string, limit time.Duration) error {
	return &toksta.Error{
		Code:    toksta.CodeUnavailable,
		Message: fmt.Sprintf("The server did not respond to %s within %v. If this was a change, it is not known whether it was made.", endpoint, limit),
		Hint:    "toksta audit shows whether a change was made; toksta doctor examines the server",
	}
}

// canceling releases a call's context with the body.
type canceling struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close closes the body.
func (c *canceling) Close() error {
	defer c.cancel(nil)
	return c.ReadCloser.Close()
}
