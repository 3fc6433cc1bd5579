package changefeed

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/index"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

func openStore(tb testing.TB) store.Store {
	tb.Helper()
	return sqlitetest.Open(tb).Store
}

// node is a feed with its index, running until stop.
type node struct {
	*Feed
	index *index.Index
	stop  func()
}

func startNode(tb testing.TB, c Config) node {
	tb.Helper()
	x := index.New(&toksta.Catalog{})
	c.Index = x
	f := New(c)
	done, cancel := run(tb, f)
	return node{f, x, func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	}}
}

// run starts f.Run, waits until f is ready, and returns the error of Run and a
// function that ends it.
func run(tb testing.TB, f *Feed) (done <-chan error, stop context.CancelFunc) {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	select {
	case <-f.Ready():
	case <-time.After(5 * DefaultLease):
		stop()
		tb.Fatal("the node takes no lease")
	}
	return ended, stop
}

var operator = toksta.Actor{Kind: toksta.ActorOperator, Name: "test"}

// write returns a decide function that writes m unconditionally.
func write(m store.Mutation) store.Decide {
	return func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }
}

func newKey(now time.Time, text string) toksta.Key {
	return toksta.Key{
		ID: toksta.KeyID(toksta.NewID(toksta.PrefixKey, now)), AccountID: "acct_1", Name: text, CreatedAt: now,
		Generations: []toksta.Generation{{Digest: sha256.Sum256([]byte(text)), Number: 1, CreatedAt: now}},
	}
}

func create(k toksta.Key) store.Decide {
	return write(store.Mutation{
		Kind: toksta.ChangeKeyCreated, AccountID: "acct_1", KeyID: k.ID,
		Accounts: []toksta.Account{{ID: "acct_1", Name: "Acme"}}, Keys: []toksta.Key{k},
	})
}

func revoke(k toksta.Key, now time.Time) store.Decide {
	k.RevokedAt = now
	return write(store.Mutation{Kind: toksta.ChangeKeyRevoked, AccountID: "acct_1", KeyID: k.ID, Keys: []toksta.Key{k}})
}

func mustCommit(tb testing.TB, log store.Log, d store.Decide) toksta.Receipt {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*DefaultLease)
	defer cancel()
	r, err := log.Commit(ctx, operator, d)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// admits checks the lease and the index, in the order of the request path.
func (n node) admits(k toksta.Key) bool {
	if !n.Valid(time.Now()) {
		return false
	}
	g, _, known := n.index.Lookup(k.Current().Digest)
	return known && !g.Revoked
}

// faulty is a node's connection to the store, with faults.
type faulty struct {
	Store
	cut     atomic.Bool                // all calls of the node fail
	stale   atomic.Bool                // writes succeed, Follow returns no changes
	late    atomic.Pointer[chan error] // the response of the next renewal waits
	first   func()                     // runs before the next commit
	lost    atomic.Bool                // commits succeed with an unknown outcome
	follows atomic.Int64
}

func (s *faulty) Renew(ctx context.Context, n store.Node) (int64, error) {
	if s.cut.Load() {
		return 0, errors.New("no route to the store")
	}
	seq, err := s.Store.Renew(ctx, n)
	if late := s.late.Swap(nil); late != nil {
		err = errors.Join(err, <-*late)
	}
	return seq, err
}

func (s *faulty) Follow(ctx context.Context, n store.Node, sink store.DeltaSink) (int64, error) {
	s.follows.Add(1)
	switch {
	case s.cut.Load():
		return 0, errors.New("no route to the store")
	case s.stale.Load():
		return n.Applied, nil
	}
	return s.Store.Follow(ctx, n, sink)
}

func (s *faulty) Ack(ctx context.Context, n store.Node) error {
	if s.cut.Load() {
		return errors.New("no route to the store")
	}
	return s.Store.Ack(ctx, n)
}

func (s *faulty) Commit(ctx context.Context, by toksta.Actor, d store.Decide) (toksta.Change, error) {
	if first := s.first; first != nil {
		s.first = nil
		first()
	}
	change, err := s.Store.Commit(ctx, by, d)
	if s.lost.Load() && err == nil {
		return toksta.Change{}, store.ErrUncertain
	}
	return change, err
}

// BenchmarkCommit measures an enforced change on one node.
func BenchmarkCommit(b *testing.B) {
	s := openStore(b)
	n := startNode(b, Config{Store: s, Node: "a"})
	defer n.stop()
	now := time.Now()
	for i := 0; b.Loop(); i++ {
		mustCommit(b, n, create(newKey(now, string(rune(i))+"k")))
	}
}

// BenchmarkValid measures the cost of the lease for every request.
func BenchmarkValid(b *testing.B) {
	n := startNode(b, Config{Store: openStore(b), Node: "a"})
	defer n.stop()
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		n.Valid(now)
	}
}
