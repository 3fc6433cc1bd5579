package changefeed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

var _ store.Log = (*Feed)(nil)

// Commit writes the change and waits until no node admits a request on the state
// before the change: each node has applied the change, or its lease has ended. A
// mutation with nothing to do and a mutation whose token was used before wait in the
// same way for the changes already written, so that a repeated call gives the same
// guarantee as the first. The receipt returned with a *store.RepeatedError belongs
// to the first change.
//
// If ctx ends or the store fails during the wait, or if this node cannot record a
// tombstone, the error has the code UNAVAILABLE and says that the change was
// written.
func (f *Feed) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Receipt, error) {
	applied := f.applied.Load()
	var written store.Mutation
	change, err := f.commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := decide(ctx, r)
		written = m
		return m, err
	})
	if err == nil && change.Seq != 0 && change.Seq <= applied {
		f.stopAfterLoss(ctx)
	}
	repeated, again := errors.AsType[*store.RepeatedError](err)
	switch {
	case again:
		change, written = repeated.Change, store.Mutation{}
	case errors.Is(err, store.ErrUncertain):
		// The commit can have succeeded without notifying this node, so read once.
		// If it succeeds later, a notification arrives.
		f.notifyUnknown()
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
			Message: "The change was written and is in effect, but this node could not record it, so a restored backup would undo it. " +
				"Repeat the request later.",
		}, failed)
	}
	return w.receipt, err
}

// commit allows one transaction of this process at a time. Changes queue for the
// clock row anyway. If the process loses its connection, the database has to time
// out one abandoned transaction instead of several in turn.
func (f *Feed) commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Change, error) {
	if err := f.awaitTurn(ctx); err != nil {
		return toksta.Change{}, err
	}
	defer func() { <-f.committing }()
	change, err := f.store.Commit(ctx, by, decide)
	if ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUncertain) {
		f.responses.Add(1)
	}
	return change, err
}

// maxTurnLeases limits the time that a change waits for the changes before it, in
// leases, however fast the database responds.
const maxTurnLeases = 3

// awaitTurn returns once the caller holds committing. The queue of this process does
// not count as a slow database: awaitTurn returns [store.ErrUnavailable] only if in
// half a lease no change before this one got a response from the database, or if the
// whole wait takes maxTurnLeases.
func (f *Feed) awaitTurn(ctx context.Context) error {
	responses, start := f.responses.Load(), time.Now()
	limit := time.NewTicker(f.leaseLen / 2)
	defer limit.Stop()
	for {
		select {
		case f.committing <- struct{}{}:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("wait for another commit of this process: %w", ctx.Err())
		case <-limit.C:
		}
		seen := f.responses.Load()
		switch {
		case seen == responses:
			return fmt.Errorf("%w: the commit before it got no response within %v", store.ErrUnavailable, f.leaseLen/2)
		case time.Since(start) >= maxTurnLeases*f.leaseLen:
			return fmt.Errorf("%w: it waited %v for the commits before it", store.ErrUnavailable, maxTurnLeases*f.leaseLen)
		}
		responses = seen
	}
}

// stopAfterLoss drops the lease and makes Run return. It is called if a new change
// has a sequence number under which this node has already applied another change:
// the database went back in time and issues its numbers again, and this node would
// never read the new change.
func (f *Feed) stopAfterLoss(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = true
	_ = f.dropIfFenced(ctx, store.ErrFenced)
}
