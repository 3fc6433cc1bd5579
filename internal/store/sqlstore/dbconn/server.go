package dbconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sys/unix"
)

// defaultLease applies if the configuration has no lease.
const defaultLease = 10 * time.Second

// Server is a PostgreSQL server, or several servers in one URL. All its pools share
// the time limits. If one connection does not respond, all others are replaced before
// their next use, in all pools, because a firewall or a switch that loses its state
// usually drops the packets of all connections silently. The methods of a Server are
// safe for concurrent use.
type Server struct {
	config    *pgx.ConnConfig
	onConnect string // a statement for each new connection

	// The limits follow from the lease, so that a change ends within two leases.
	connectTimeout time.Duration // to connect, over all servers of the URL
	pingTimeout    time.Duration // for the response of an idle connection
	callTimeout    time.Duration // for the response to a statement

	suspectedAt atomic.Pointer[time.Time] // connections that have not responded since are suspected to be lost
	lastFailure atomic.Pointer[connectFailure]
}

// connectFailure is a slow attempt to connect that failed.
type connectFailure struct {
	at  time.Time
	err error
}

// NewServer returns the server of a PostgreSQL URL, without connecting to it.
// The usual PG variables supply the parts that the URL omits. Each connection of a
// pool executes onConnect first. A lease of 0 is 10 s.
func NewServer(url string, lease time.Duration, onConnect string) (*Server, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if lease == 0 {
		lease = defaultLease
	}
	s := &Server{
		config: config, onConnect: onConnect,
		connectTimeout: lease / 2, pingTimeout: lease / 4, callTimeout: lease,
	}
	s.configureSockets()
	config.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			c.CustomData()[commitWarning] = n.Message
		}
	}
	for name, value := range s.serverTimeouts() {
		if _, isSet := config.RuntimeParams[name]; !isSet {
			config.RuntimeParams[name] = value
		}
	}
	return s, nil
}

// commitWarning is the key under which a connection keeps a warning of the server.
const commitWarning = "toksta.unconfirmed"

// PoolConfig describes one pool of connections.
type PoolConfig struct {
	Size       int
	Ping       bool              // before the use of a connection that was idle
	Parameters map[string]string // of the session
}

// Pool returns a pool whose connections connect at their first use.
func (s *Server) Pool(p PoolConfig) *sql.DB {
	config := s.config.Copy()
	for name, value := range p.Parameters {
		config.RuntimeParams[name] = value
	}
	db := sql.OpenDB(connector{stdlib.GetConnector(*config, stdlib.OptionAfterConnect(s.afterConnect)), s, p.Ping})
	db.SetMaxOpenConns(p.Size)
	db.SetMaxIdleConns(p.Size)
	return db
}

func (s *Server) afterConnect(ctx context.Context, c *pgx.Conn) error {
	if _, err := c.Exec(ctx, s.onConnect); err != nil {
		return errors.Join(fmt.Errorf("prepare a new connection: %w", err), c.Close(ctx))
	}
	return nil
}

// Listen calls notified for each notification on channel until ctx ends or the
// connection fails. It calls notified with "" once it listens, because earlier
// notifications are lost.
func (s *Server) Listen(ctx context.Context, channel string, notified func(payload string)) error {
	c, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, `LISTEN `+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for notified(""); ; {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		notified(n.Payload)
	}
}

// serverTimeouts returns session parameters that end the transaction of a process
// that stopped in the middle of a change: all changes wait for the lock of the
// clock row. A parameter in the URL takes precedence.
func (s *Server) serverTimeouts() map[string]string {
	return map[string]string{
		"idle_in_transaction_session_timeout": milliseconds(max(s.pingTimeout, minIdleInTransaction)),
		"tcp_user_timeout":                    milliseconds(s.connectTimeout),
		"tcp_keepalives_idle":                 seconds(s.pingTimeout),
		"tcp_keepalives_interval":             seconds(s.pingTimeout / 2),
		"tcp_keepalives_count":                "2",
	}
}

// minIdleInTransaction is the time that a process can need between two statements on a
// busy machine.
const minIdleInTransaction = time.Second

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func seconds(d time.Duration) string { return strconv.Itoa(int(wholeSeconds(d) / time.Second)) }

// connectPause is the time after a slow, failed attempt to connect in which all other
// attempts fail at once with the same error, so that callers that queue for a connection
// do not wait for one attempt each. An attempt is slow if it takes longer than that.
const connectPause = 100 * time.Millisecond

// connect opens a connection. It fails with [store.ErrUnavailable], unless the
// caller is gone.
func (s *Server) connect(ctx context.Context, to driver.Connector) (*stdlib.Conn, error) {
	if f := s.lastFailure.Load(); f != nil && time.Since(f.at) < connectPause {
		return nil, f.err
	}
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, s.connectTimeout)
	defer cancel()
	c, err := to.Connect(limited)
	switch {
	case err == nil:
		s.lastFailure.Store(nil)
		return c.(*stdlib.Conn), nil
	case isCanceled(ctx):
		return nil, err
	}
	err = unavailable(err)
	if now := time.Now(); now.Sub(start) > connectPause {
		s.lastFailure.Store(&connectFailure{now, err})
	}
	return nil, err
}

// suspectAll makes the pools replace every connection that does not respond after now,
// before its next use.
func (s *Server) suspectAll() {
	now := time.Now()
	s.suspectedAt.Store(&now)
}

// isSuspected reports whether a connection is suspected to be lost, given the time of
// its last response.
func (s *Server) isSuspected(responded time.Time) bool {
	since := s.suspectedAt.Load()
	return since != nil && responded.Before(*since)
}

// configureSockets sets the limits that the kernel enforces: it closes a connection if
// the peer acknowledges nothing. A statement without a timeout therefore ends if its
// server is gone.
func (s *Server) configureSockets() {
	c := s.config
	if limit := s.connectTimeout / time.Duration(1+len(c.Fallbacks)); c.ConnectTimeout == 0 || c.ConnectTimeout > limit {
		c.ConnectTimeout = limit
	}
	dialer := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: wholeSeconds(s.pingTimeout), Interval: wholeSeconds(s.pingTimeout / 2), Count: 2},
		Control:         userTimeout(s.connectTimeout),
	}
	c.DialFunc = dialer.DialContext
}

// wholeSeconds truncates d to seconds, the kernel's unit for keep-alives. The
// result is at least one second.
func wholeSeconds(d time.Duration) time.Duration { return max(d.Truncate(time.Second), time.Second) }

// userTimeout returns a dialer's Control function: the kernel closes a TCP
// connection if sent data is not acknowledged within limit.
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
