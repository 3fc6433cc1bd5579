package changefeed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// errLost ends the process: what it holds may be in no database any more, where
// nobody could revoke it, and an index forgets nothing.
var errLost = errors.New("the database lost changes that this process had applied, and it must start anew")

// beats is how many renewals fall into a lease: three may fail in a row.
const beats = 4

// Run makes this process a node and keeps it one until ctx ends: it reads the
// tombstones, registers, loads the index, then renews the lease at every beat
// and whenever something wakes it. On the way out it stops admitting before
// it leaves. It fails only when the tombstone file cannot be used; trouble
// with the store is logged and tried again.
func (f *Feed) Run(ctx context.Context) error {
	tomb, err := openTombstones(f.path)
	if err != nil {
		return err
	}
	defer tomb.close()
	f.mu.Lock()
	f.tomb = tomb
	f.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		f.listen(ctx)
	}()
	beat := time.NewTicker(f.life / beats)
	defer beat.Stop()
	for ctx.Err() == nil && !errors.Is(err, errLost) {
		if err = f.keepUp(ctx); err != nil && ctx.Err() == nil {
			f.log.LogAttrs(ctx, slog.LevelWarn, "the node could not renew its lease", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-beat.C:
		case <-f.woken:
		}
	}
	cancel()
	<-listened
	left := f.leave(context.WithoutCancel(ctx))
	if errors.Is(err, errLost) {
		return err
	}
	return left
}

// listen turns the store's wakes into nudges until ctx ends. Losing the
// connection costs time, not truth: the beat goes on.
func (f *Feed) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.store.Listen(ctx, f.nudge); err != nil && ctx.Err() == nil {
			f.log.LogAttrs(ctx, slog.LevelWarn, "the node cannot hear of changes and polls", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(f.life / beats):
		}
	}
}

// keepUp registers when the node is not a member, and renews; after news it
// renews once more at once, which tells those who wait that it knows.
func (f *Feed) keepUp(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node.Epoch == "" {
		if err := f.register(ctx); err != nil {
			return err
		}
	}
	news, err := f.follow(ctx)
	if err != nil || !news {
		return err
	}
	if _, err := f.follow(ctx); err != nil {
		return err
	}
	return f.revokeAgain(ctx)
}

// catchUp renews on the path of a mutation, unless the node has applied seq
// already (0: never enough) or is no member. Mutations at once share a
// renewal. It returns the node as it is then.
func (f *Feed) catchUp(ctx context.Context, seq int64) (store.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node.Epoch == "" || seq != 0 && f.node.Applied >= seq {
		return f.node, nil
	}
	_, err := f.follow(ctx)
	return f.node, err
}

// register loads everything, then joins, under an epoch of its own: a process
// never takes over the row of an earlier one. In this order nobody waits for,
// or gives up on, a node that is busy loading; what changes meanwhile comes
// with the first renewal, before the first lease.
func (f *Feed) register(ctx context.Context) error {
	seq, err := f.load(ctx)
	if err != nil {
		return fmt.Errorf("load the keys: %w", err)
	}
	if seq < f.applied.Load() {
		return errLost
	}
	if err := f.revokeAgain(ctx); err != nil {
		return err
	}
	n := f.node
	n.Epoch, n.Applied = rand.Text(), seq
	if err := f.store.Register(ctx, n); err != nil {
		return fmt.Errorf("register the node: %w", err)
	}
	f.node = n
	f.applied.Store(seq)
	return nil
}

// load brings the index to one moment of the store and returns its number.
func (f *Feed) load(ctx context.Context) (seq int64, err error) {
	ctx, sink := f.watch(ctx)
	defer sink.stop()
	seq, err = f.store.Snapshot(ctx, sink)
	f.revived = append(f.revived, sink.revived...)
	return seq, errors.Join(err, sink.err)
}

// follow renews once: it applies what is new, then publishes the lease that
// began before the request was sent. The caller holds mu. It reports whether
// there was news that the store has not been told of yet.
func (f *Feed) follow(ctx context.Context) (news bool, err error) {
	from := f.clock.At(time.Now())
	keys, _ := f.index.Len()
	n := f.node
	n.Keys = int64(keys)
	ctx, sink := f.watch(ctx)
	defer sink.stop()
	seq, err := f.store.Renew(ctx, n, sink)
	f.revived = append(f.revived, sink.revived...)
	if err == nil && seq < n.Applied {
		err = fmt.Errorf("the store went back from change %d to %d: %w", n.Applied, seq, store.ErrFenced)
	}
	if errors.Is(err, store.ErrFenced) {
		f.lease.Store(nil)
		// Its row may still be there, of another incarnation. If it stays, the
		// next change waits for it once.
		_ = f.store.Leave(ctx, f.node)
		f.node.Epoch = ""
		f.nudge() // to come back as somebody new at once
	}
	if err = errors.Join(err, sink.err); err != nil {
		return false, fmt.Errorf("renew the lease: %w", err)
	}
	f.node.Applied = seq
	f.applied.Store(seq)
	f.lease.Store(newLease(from, f.life))
	f.once.Do(func() { close(f.ready) })
	return seq > n.Applied, nil
}

// leave stops admitting, then removes the node's row, so that nobody waits
// for a process that is gone.
func (f *Feed) leave(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lease.Store(nil)
	if f.node.Epoch == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.life)
	defer cancel()
	err := f.store.Leave(ctx, f.node)
	f.node.Epoch = ""
	if err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}
