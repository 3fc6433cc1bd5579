package changefeed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

var _ store.Log = (*Feed)(nil)

// Commit writes the change and waits until no node admits a request on the
// state before it: each node that could has applied it, or its lease has run
// out. A mutation with nothing to do, and one whose token was used before,
// wait just the same for what is already written, so that repeating a call is
// as good as the call. The receipt beside a *store.RepeatedError is that of
// the first change.
//
// When ctx ends or the store fails during the wait, or when this node cannot
// record a tombstone, the error is UNAVAILABLE and says that the change was
// written.
func (f *Feed) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Receipt, error) {
	applied := f.applied.Load()
	var written []toksta.Key
	change, err := f.commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := decide(ctx, r)
		written = m.Keys
		return m, err
	})
	if err == nil && change.Seq != 0 && change.Seq <= applied {
		f.lostHistory(ctx)
	}
	repeated, again := errors.AsType[*store.RepeatedError](err)
	switch {
	case again:
		change, written = repeated.Change, nil
	case errors.Is(err, store.ErrUncertain):
		f.hearMore() // it may have been made before it could ring here; later, and it rings
		return toksta.Receipt{}, err
	case err != nil:
		return toksta.Receipt{}, err
	}
	w := newWait(f, change)
	if failed := w.enforce(ctx); failed != nil {
		return w.receipt, fmt.Errorf("%w: %w", &toksta.Error{
			Code:    toksta.CodeUnavailable,
			Message: "The change was written, but not every node has confirmed it yet. Repeat the request to wait for them.",
		}, failed)
	}
	if failed := f.record(written); failed != nil {
		return w.receipt, fmt.Errorf("%w: %w", &toksta.Error{
			Code: toksta.CodeUnavailable,
			Message: "The change was written and is in effect, but it could not be recorded for the day on which a backup is restored. " +
				"Repeat the request later.",
		}, failed)
	}
	return w.receipt, err
}

// commit has one transaction of this process in flight at a time. Changes queue
// for the clock row anyway, so nothing is lost; but a process that is cut off
// leaves one transaction behind that the others wait out, instead of several in
// turn. Those that queue behind a transaction which gets no response give up.
func (f *Feed) commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Change, error) {
	limit := time.NewTimer(f.life / 2)
	defer limit.Stop()
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return toksta.Change{}, fmt.Errorf("wait for this process's turn to commit: %w", ctx.Err())
	case <-limit.C:
		return toksta.Change{}, fmt.Errorf("%w: the change before it did not end within %v", store.ErrUnavailable, f.life/2)
	}
	return f.store.Commit(ctx, by, decide)
}

// lostHistory ends the lease, and then the process, of a node that has applied
// another change under the number of one that is made only now: a database that
// went back gives numbers out again, and this node would take it for known.
func (f *Feed) lostHistory(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = true
	_ = f.fenced(ctx, store.ErrFenced)
}
