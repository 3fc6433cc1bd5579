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
