package changefeed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	found, err := f.tomb.open()
	if err != nil {
		return err
	}
	defer f.tomb.close()
	if found != (damage{}) {
		f.log.LogAttrs(ctx, slog.LevelError, "the file of tombstones was damaged", slog.String("file", f.tomb.path), slog.Any("error", found))
	}

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
			step = f.followHeard
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

// listen hears of changes until ctx ends. Losing the connection costs time, not
// truth: the beat goes on.
func (f *Feed) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.store.Listen(ctx, f.ring); err != nil && ctx.Err() == nil {
			f.log.LogAttrs(ctx, slog.LevelWarn, "the node cannot hear of changes and polls", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(f.life / beats):
		}
	}
}

// ring hears of a change whose number the bell may not know.
func (f *Feed) ring(seq int64) {
	if seq == 0 {
		f.hearMore()
		return
	}
	f.hear(seq)
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
	f.flushTombstones(ctx)
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
	if f.lost || seq < f.applied.Load() {
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

// load brings the index to one moment of the store and returns its number. A
// process that is new among others that serve takes its time: they may share
// processors and database with it. After a fail-over nobody serves, and all
// load at once.
func (f *Feed) load(ctx context.Context) (seq int64, err error) {
	others, err := f.store.ListNodes(ctx)
	if err != nil {
		return 0, err
	}
	ctx, sink := f.watch(ctx)
	defer sink.stop()
	sink.gentle = f.applied.Load() == 0 && slices.ContainsFunc(others, func(n store.Node) bool { return !n.Stale(time.Now()) })
	seq, err = f.store.Snapshot(ctx, sink)
	f.revived = append(f.revived, sink.revived...)
	return seq, err
}

// renew renews the node's row, applies what came before that, and then
// publishes the lease, which began before the request was sent. The caller
// holds mu.
func (f *Feed) renew(ctx context.Context) error {
	from := f.clock.At(time.Now())
	seq, err := f.beat(ctx)
	if err == nil && seq > f.node.Applied {
		err = f.follow(ctx)
	}
	switch {
	case err != nil:
		return fmt.Errorf("renew the lease: %w", err)
	case seq > f.node.Applied:
		return fmt.Errorf("renew the lease: change %d is written, and not to be read", seq)
	}
	f.lease.Store(newLease(from, f.life))
	f.once.Do(func() { close(f.ready) })
	return nil
}

// beat renews the node's row and returns the number of the last change then.
func (f *Feed) beat(ctx context.Context) (seq int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.life)
	defer cancel()
	keys, _ := f.index.Len()
	f.node.Keys = int64(keys)
	seq, err = f.store.Renew(ctx, f.node)
	if err := f.fenced(ctx, f.ahead(seq, err)); err != nil {
		return 0, err
	}
	f.told = f.node.Applied
	return seq, nil
}

// followHeard follows unless all that was heard of is applied. The caller
// holds mu.
func (f *Feed) followHeard(ctx context.Context) error {
	if f.node.Applied >= f.heard.Load() {
		return nil
	}
	return f.follow(ctx)
}

// follow applies what is new and leaves the lease as it is. Knowing more than
// the lease vouches for is always right. The caller holds mu.
func (f *Feed) follow(ctx context.Context) error {
	f.heard.CompareAndSwap(unknowable, 0) // whatever it is, this reads it
	ctx, sink := f.watch(ctx)
	defer sink.stop()
	seq, err := f.store.Follow(ctx, f.node, sink)
	f.revived = append(f.revived, sink.revived...)
	if err = f.fenced(ctx, f.ahead(seq, err)); err != nil {
		return fmt.Errorf("follow the changes: %w", err)
	}
	f.node.Applied = seq
	f.applied.Store(seq)
	return nil
}

// ahead makes an error of a number, read without one, that is less than what
// the node has applied: the store has lost changes.
func (f *Feed) ahead(seq int64, err error) error {
	if err == nil && seq < f.node.Applied {
		return fmt.Errorf("the store went back from change %d to %d: %w", f.node.Applied, seq, store.ErrFenced)
	}
	return err
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
// lost them, and returns err. A node that held a lease registers again at once;
// a node that was fenced before it took a lease waits for the next heartbeat, so
// that it does not load and register in a busy loop.
func (f *Feed) fenced(ctx context.Context, err error) error {
	if errors.Is(err, store.ErrFenced) {
		if f.lease.Swap(nil) != nil {
			f.hearMore()
		}
		// Its row may still be there, of another incarnation. If it stays, the
		// next change waits for it once.
		_ = f.store.Leave(ctx, f.node)
		f.node.Epoch = ""
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
