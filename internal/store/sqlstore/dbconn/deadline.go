package dbconn

import (
	"context"
	"errors"
	"time"
)

// limitKey is the context key of the time limit of each call, in leases.
type limitKey struct{}

// WithLongTimeout returns a context with which each call can take thirty leases instead
// of one. It is for statements that read or write whole tables.
func WithLongTimeout(ctx context.Context) context.Context {
	return context.WithValue(ctx, limitKey{}, 30)
}

// WithoutTimeout returns a context with which each call can take any time. It is for
// migrations. The kernel still closes the connection if the server is gone.
func WithoutTimeout(ctx context.Context) context.Context {
	return context.WithValue(ctx, limitKey{}, 0)
}

// isCanceled reports whether the caller of ctx is gone. A deadline of ctx is one
// that this process set for the database.
func isCanceled(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// call is the context of one call to the database, with its deadline.
type call struct {
	context.Context
	caller context.Context
	limit  time.Duration // 0: none
	timer  *time.Timer   // nil: no limit
	cancel context.CancelFunc
}

// startCall returns a call for ctx, with the limit that ctx has, or one lease. The
// caller must end the call.
func (s *Server) startCall(ctx context.Context) *call {
	leases, marked := ctx.Value(limitKey{}).(int)
	if !marked {
		leases = 1
	}
	return startCallWithin(ctx, s.callTimeout*time.Duration(leases))
}

// startCallWithin returns a call for ctx with a limit.
func startCallWithin(ctx context.Context, limit time.Duration) *call {
	c := &call{caller: ctx, limit: limit}
	c.Context, c.cancel = context.WithCancel(ctx)
	if c.limit > 0 {
		c.timer = time.AfterFunc(c.limit, c.cancel)
	}
	return c
}

// pause stops the timer while the caller, not the database, takes its time.
func (c *call) pause() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// resume restarts the timer with the full limit.
func (c *call) resume() {
	if c.timer != nil {
		c.timer.Reset(c.limit)
	}
}

// end releases the context.
func (c *call) end() {
	c.pause()
	c.cancel()
}

// isLate reports whether the call was ended by its deadline.
func (c *call) isLate() bool { return c.Err() != nil && c.caller.Err() == nil }
