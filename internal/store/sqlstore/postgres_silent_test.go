package sqlstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// silentLease is the lease of stores with silent connections.
const silentLease = 2 * time.Second

// TestPostgresSilentConnections: a firewall that lost its state drops the packets of a
// connection silently. Every call on such a connection must end in time and report its
// outcome, and the next call must succeed on a new connection.
func TestPostgresSilentConnections(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	node := store.Node{ID: "a", Epoch: "1", Lease: silentLease}
	calls := map[string]func(ctx context.Context, s *sqlstore.Store, account toksta.AccountID) error{
		"commit": commitEverything,
		"read": func(ctx context.Context, s *sqlstore.Store, account toksta.AccountID) error {
			_, err := s.Account(ctx, account)
			return err
		},
		"read with a deadline": func(ctx context.Context, s *sqlstore.Store, account toksta.AccountID) error {
			ctx, cancel := context.WithTimeout(ctx, silentLease/2)
			defer cancel()
			_, err := s.Account(ctx, account)
			return err
		},
		"renew": func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error {
			_, err := s.Renew(ctx, node)
			return err
		},
		"follow": func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error {
			_, err := s.Follow(ctx, node, &everything{Grants: map[toksta.Digest]toksta.Grant{}})
			return err
		},
		"flush": func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error {
			return s.Flush(ctx, store.UsageBatch{Epoch: "e"})
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, server)
			s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: p.url, Lease: silentLease})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			account := newAccount(t, s)
			if err := s.Register(t.Context(), node); err != nil {
				t.Fatal(err)
			}
			_ = call(t.Context(), s, account) // uses the connection, so that it is not idle
			p.silence()
			start := time.Now()
			err = call(t.Context(), s, account)
			if took := time.Since(start); took > 2*silentLease {
				t.Errorf("it took %v", took)
			}
			if _, repeated := errors.AsType[*store.RepeatedError](err); err != nil && !repeated &&
				!errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUncertain) {
				t.Errorf("it ended with %v", err)
			}
			start = time.Now()
			err = call(t.Context(), s, account)
			if _, repeated := errors.AsType[*store.RepeatedError](err); err != nil && !repeated {
				t.Errorf("the next one failed: %v", err)
			}
			if took := time.Since(start); took > silentLease {
				t.Errorf("the next one took %v", took)
			}
		})
	}
}

// proxy is a TCP proxy in front of a server's socket.
type proxy struct {
	url      string
	trips    atomic.Int64 // requests that followed a response
	isAsking atomic.Bool  // the last bytes went to the server

	mu    sync.Mutex
	muted chan struct{} // closed: the present connections pass nothing any more
}

func newProxy(t *testing.T, server *pgtest.Server) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over, end := context.WithCancel(context.Background())
	t.Cleanup(func() { end(); l.Close() })
	address := server.NewDatabase(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{
		url:   "postgres://postgres@" + l.Addr().String() + u.Path + "?sslmode=disable",
		muted: make(chan struct{}),
	}
	socket := u.Query().Get("host") + "/.s.PGSQL.5432"
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", socket)
			if err != nil {
				near.Close()
				continue
			}
			context.AfterFunc(over, func() { near.Close(); far.Close() })
			muted := p.now()
			go pass(near, far, muted, func() { p.isAsking.Store(false) })
			go pass(far, near, muted, func() {
				if !p.isAsking.Swap(true) {
					p.trips.Add(1)
				}
			})
		}
	}()
	return p
}

func (p *proxy) now() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.muted
}

// silence mutes the connections that are open.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.muted)
	p.muted = make(chan struct{})
}

// pass copies bytes until muted is closed, and then discards them.
func pass(to, from net.Conn, muted chan struct{}, passed func()) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		select {
		case <-muted:
			_, _ = io.Copy(io.Discard, from)
			return
		default:
		}
		if n > 0 {
			passed()
		}
		if _, failed := to.Write(chunk[:n]); failed != nil || err != nil {
			to.Close()
			return
		}
	}
}

// TestPostgresLosesAllConnections: if all connections of a full pool are lost at once,
// database/sql returns "driver: bad connection". Callers must receive ErrUnavailable, and
// later calls must succeed.
func TestPostgresLosesAllConnections(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	address := server.NewDatabase(t)
	s := openPostgres(t, address)
	account := newAccount(t, s)
	const callers = 40 // more than all pools have connections
	for range 10 {
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				for range 5 {
					if _, err := s.Account(t.Context(), account); err != nil && !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("a read failed with: %v", err)
					}
				}
			})
		}
		server.Exec(t, "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+database(t, address)+`'`)
		group.Wait()
	}
	if _, err := s.Account(t.Context(), account); err != nil && !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
}
