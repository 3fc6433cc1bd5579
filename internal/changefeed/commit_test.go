package changefeed

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: if the nodes cannot be listed, a change is not reported as enforced.
func TestCommitWithoutNodeList(t *testing.T) {
	t.Parallel()
	s := &unlisted{Store: openStore(t)}
	a := startNode(t, Config{Store: s, Node: "a"})
	defer a.stop()
	s.fail.Store(true)
	_, err := a.Commit(t.Context(), operator, create(newKey(time.Now(), "k")))
	if !errors.Is(err, &toksta.Error{Code: toksta.CodeUnavailable}) {
		t.Errorf("error %v, want %s", err, toksta.CodeUnavailable)
	}
}

// unlisted is a store that cannot list the nodes while fail is set.
type unlisted struct {
	Store
	fail atomic.Bool
}

func (s *unlisted) ListNodes(ctx context.Context) ([]store.Node, error) {
	if s.fail.Load() {
		return nil, store.ErrUnavailable
	}
	return s.Store.ListNodes(ctx)
}

// Guarantee: a commit wakes the other nodes, so that a change does not wait for their
// next heartbeat.
func TestCommitWakesOtherNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		a := startNode(t, Config{Store: s, Node: "a"})
		defer a.stop()
		b := startNode(t, Config{Store: s, Node: "b"})
		defer b.stop()
		synctest.Wait()
		r := mustCommit(t, a, create(newKey(time.Now(), "k")))
		if limit := DefaultLease / heartbeats / 2; r.Took > limit {
			t.Errorf("the change took %v, want at most %v", r.Took, limit)
		}
	})
}

// Guarantee: a change does not wait for long behind a change without a response from
// the database, and its error says that nothing was changed.
func TestQueuedCommitTimesOut(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	f := New(Config{Store: s, Node: "a", Lease: 200 * time.Millisecond})
	stuck, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := f.Commit(t.Context(), toksta.Actor{}, func(context.Context, store.Reader) (store.Mutation, error) {
			close(stuck)
			<-release
			return store.Mutation{}, nil
		})
		done <- err
	}()
	<-stuck
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := f.Commit(ctx, toksta.Actor{}, write(store.Mutation{Kind: toksta.ChangeAccountCreated}))
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("behind a change that hangs: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Guarantee: many changes at once on a slow machine all succeed, because waiting for the
// changes of the same process does not count as a database without a response. The
// wait is limited: if the database fails, all changes that wait return an error within
// a lease, and a queue that is too long does so within maxTurnLeases.
func TestQueueOfCommits(t *testing.T) {
	for name, c := range map[string]struct {
		changes int
		takes   time.Duration // each of them
		fails   bool
		least   int // changes that succeed
		longest time.Duration
	}{
		"slow":           {changes: 20, takes: DefaultLease / 8, least: 20, longest: maxTurnLeases * DefaultLease},
		"no database":    {changes: 20, takes: DefaultLease / 8, fails: true, longest: DefaultLease},
		"too many":       {changes: 100, takes: DefaultLease / 8, least: 8 * maxTurnLeases, longest: (maxTurnLeases + 1) * DefaultLease},
		"slower and few": {changes: 4, takes: DefaultLease * 2 / 5, least: 4, longest: maxTurnLeases * DefaultLease},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := New(Config{Store: slowCommits{openStore(t), c.takes, c.fails}, Node: "a"})
				start, errs := time.Now(), make(chan error, c.changes)
				for range c.changes {
					go func() {
						_, err := f.commit(t.Context(), operator, write(store.Mutation{Kind: toksta.ChangeAccountCreated}))
						errs <- err
					}()
				}
				made := 0
				for range c.changes {
					switch err := <-errs; {
					case err == nil:
						made++
					case !errors.Is(err, store.ErrUnavailable):
						t.Errorf("a change that waited: %v", err)
					}
				}
				if took := time.Since(start); took > c.longest {
					t.Errorf("the changes took %v, want at most %v", took, c.longest)
				}
				if made < c.least || c.fails && made > 0 {
					t.Errorf("%d of %d changes were made, want at least %d", made, c.changes, c.least)
				}
			})
		})
	}
}

// slowCommits is a store whose commits take some time and then can fail.
type slowCommits struct {
	Store
	takes time.Duration
	fails bool
}

func (s slowCommits) Commit(context.Context, toksta.Actor, store.Decide) (toksta.Change, error) {
	<-time.After(s.takes)
	if s.fails {
		return toksta.Change{}, store.ErrUnavailable
	}
	return toksta.Change{Seq: 1}, nil
}
