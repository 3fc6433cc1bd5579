package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/store"
)

// defaultLease is that of a store whose configuration has none.
const defaultLease = 10 * time.Second

// link is the way from this process to a PostgreSQL server, which the
// connections of all pools share. A firewall or a switch that loses its state
// usually drops all of them in silence, so what one connection finds out counts
// for the others (docs/decisions/0019-limit-database-calls.md). Its methods are
// safe for concurrent use.
type link struct {
	// The limits follow from the lease, so that a change ends within two.
	connect time.Duration // to connect, over all servers of the URL
	ping    time.Duration // for the response of an idle connection
	call    time.Duration // for the response to a statement

	suspected atomic.Pointer[time.Time] // a connection that was last heard before may be dead
	failed    atomic.Pointer[dialFailure]
}

// dialFailure is a slow attempt to connect that failed.
type dialFailure struct {
	at  time.Time
	err error
}

func newLink(lease time.Duration) *link {
	if lease == 0 {
		lease = defaultLease
	}
	return &link{connect: lease / 2, ping: lease / 4, call: lease}
}

// dialPause is the time after a failed attempt to connect in which others fail
// with the same error, if the attempt took longer than that: callers that queue
// for a connection must not wait for one attempt each.
const dialPause = 100 * time.Millisecond

// gaveUp reports whether the caller of ctx is gone. A deadline of ctx is one that
// this process set for the database.
func gaveUp(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// dial opens a connection. It fails with [store.ErrUnavailable], unless the
// caller is gone.
func (l *link) dial(ctx context.Context, to driver.Connector) (*stdlib.Conn, error) {
	if f := l.failed.Load(); f != nil && time.Since(f.at) < dialPause {
		return nil, f.err
	}
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, l.connect)
	defer cancel()
	conn, err := to.Connect(limited)
	switch {
	case err == nil:
		l.failed.Store(nil)
		return conn.(*stdlib.Conn), nil
	case gaveUp(ctx):
		return nil, err
	}
	err = &storeError{store.ErrUnavailable, err}
	if now := time.Now(); now.Sub(start) > dialPause {
		l.failed.Store(&dialFailure{now, err})
	}
	return nil, err
}

// suspect makes every connection prove that it lives before its next use.
func (l *link) suspect() {
	now := time.Now()
	l.suspected.Store(&now)
}

// suspects reports whether a connection that was last heard at a time may be
// dead.
func (l *link) suspects(heard time.Time) bool {
	since := l.suspected.Load()
	return since != nil && heard.Before(*since)
}

// configure sets the limits of a connection that the kernel keeps. It notices a
// peer that acknowledges nothing, so a statement may run for long as long as its
// server is there.
func (l *link) configure(c *pgx.ConnConfig) {
	if limit := l.connect / time.Duration(1+len(c.Fallbacks)); c.ConnectTimeout == 0 || c.ConnectTimeout > limit {
		c.ConnectTimeout = limit
	}
	dialer := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: wholeSeconds(l.ping), Interval: wholeSeconds(l.ping / 2), Count: 2},
		Control:         userTimeout(l.connect),
	}
	c.DialFunc = dialer.DialContext
}

// wholeSeconds is what the kernel takes for keep-alives, at least one.
func wholeSeconds(d time.Duration) time.Duration { return max(d.Truncate(time.Second), time.Second) }

// userTimeout returns a dialer's Control that has the kernel close a TCP
// connection once data that was sent is not acknowledged for a time.
func userTimeout(limit time.Duration) func(network, _ string, c syscall.RawConn) error {
	return func(network, _ string, c syscall.RawConn) (err error) {
		if network == "unix" {
			return nil
		}
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
		})
		if failed != nil {
			return failed
		}
		return err
	}
}

// limitKey is the key of a number of leases in a context.
type limitKey struct{}

// wholeTables allows the calls made with ctx thirty leases instead of one: they
// read or write whole tables.
func wholeTables(ctx context.Context) context.Context { return context.WithValue(ctx, limitKey{}, 30) }

// unlimited allows the calls made with ctx any time, as migrations need: the
// kernel still notices a server that is gone.
func unlimited(ctx context.Context) context.Context { return context.WithValue(ctx, limitKey{}, 0) }

// call is the context of one call to the database, with its deadline.
type call struct {
	context.Context
	caller context.Context
	limit  time.Duration // 0: none
	timer  *time.Timer   // nil: no limit
	cancel context.CancelFunc
}

// begin returns a call for ctx, whose clock runs. Its caller ends it.
func (l *link) begin(ctx context.Context) *call {
	leases, marked := ctx.Value(limitKey{}).(int)
	if !marked {
		leases = 1
	}
	return within(ctx, l.call*time.Duration(leases))
}

// within is begin with a limit of its own.
func within(ctx context.Context, limit time.Duration) *call {
	c := &call{caller: ctx, limit: limit}
	c.Context, c.cancel = context.WithCancel(ctx)
	if c.limit > 0 {
		c.timer = time.AfterFunc(c.limit, c.cancel)
	}
	return c
}

// pause stops the clock while the caller, not the database, takes its time.
func (c *call) pause() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// resume starts the clock anew.
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

// late reports whether the call was ended by its deadline.
func (c *call) late() bool { return c.Err() != nil && c.caller.Err() == nil }
