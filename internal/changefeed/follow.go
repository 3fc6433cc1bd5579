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
	step, behind := f.renew, false
	for ctx.Err() == nil && !errors.Is(err, errLost) {
		if err = f.keepUp(ctx, step); err != nil && ctx.Err() == nil {
			f.log.LogAttrs(ctx, slog.LevelWarn, "the node could not keep up with the store", slog.Any("error", err))
		} else if behind {
			f.log.LogAttrs(ctx, slog.LevelInfo, "the node keeps up with the store again")
		}
		behind = err != nil
		select {
		case <-ctx.Done():
		case <-beat.C:
			step = f.renew
		case <-f.woken:
			step = f.follow
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

// keepUp takes a step, after registering and by a renewal when the node is no
// member, and tells those who wait what it knows now.
func (f *Feed) keepUp(ctx context.Context, step func(context.Context) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node.Epoch == "" {
		if err := f.register(ctx); err != nil {
			return err
		}
		step = f.renew
	}
	if err := step(ctx); err != nil {
		return err
	}
	if err := f.tell(ctx); err != nil {
		return err
	}
	return f.revokeAgain(ctx)
}

// catchUp follows on the path of a mutation, unless the node has applied seq
// already (0: never enough) or is no member. It returns the node as it is
// then.
func (f *Feed) catchUp(ctx context.Context, seq int64) (store.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node.Epoch == "" || seq != 0 && f.node.Applied >= seq {
		return f.node, nil
	}
	err := f.follow(ctx)
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
	f.node, f.told = n, seq
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

// renew applies what is new, then publishes the lease that began before the
// request was sent. The caller holds mu.
func (f *Feed) renew(ctx context.Context) error {
	from, told := f.clock.At(time.Now()), f.node.Applied
	if err := f.read(ctx, f.store.Renew); err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	f.told = told
	f.lease.Store(newLease(from, f.life))
	f.once.Do(func() { close(f.ready) })
	return nil
}

// follow applies what is new and leaves the lease as it is. Knowing more than
// the lease vouches for is always right. The caller holds mu.
func (f *Feed) follow(ctx context.Context) error {
	if err := f.read(ctx, f.store.Follow); err != nil {
		return fmt.Errorf("follow the changes: %w", err)
	}
	return nil
}

// read takes what from brings into the index.
func (f *Feed) read(ctx context.Context, from func(context.Context, store.Node, store.DeltaSink) (int64, error)) error {
	keys, _ := f.index.Len()
	f.node.Keys = int64(keys)
	ctx, sink := f.watch(ctx)
	defer sink.stop()
	seq, err := from(ctx, f.node, sink)
	f.revived = append(f.revived, sink.revived...)
	if err == nil && seq < f.node.Applied {
		err = fmt.Errorf("the store went back from change %d to %d: %w", f.node.Applied, seq, store.ErrFenced)
	}
	if err = errors.Join(f.fenced(ctx, err), sink.err); err != nil {
		return err
	}
	f.node.Applied = seq
	f.applied.Store(seq)
	return nil
}

// tell says what this node has applied, when the store does not know: those
// who wait for it need not wait for the next beat. The caller holds mu.
func (f *Feed) tell(ctx context.Context) error {
	if f.told >= f.node.Applied {
		return nil
	}
	if err := f.fenced(ctx, f.store.Ack(ctx, f.node)); err != nil {
		return fmt.Errorf("tell what the node knows: %w", err)
	}
	f.told = f.node.Applied
	return nil
}

// fenced drops the lease and the membership when err says that the node has
// lost them, and returns err.
func (f *Feed) fenced(ctx context.Context, err error) error {
	if errors.Is(err, store.ErrFenced) {
		f.lease.Store(nil)
		// Its row may still be there, of another incarnation. If it stays, the
		// next change waits for it once.
		_ = f.store.Leave(ctx, f.node)
		f.node.Epoch = ""
		f.nudge() // to come back as somebody new at once
	}
	return err
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
