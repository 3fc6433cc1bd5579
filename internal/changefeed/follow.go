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

// errLostChanges makes Run return. The index can contain keys that the database no
// longer contains. Such keys could not be revoked, and an index removes nothing.
var errLostChanges = errors.New("the database lost changes that this process had applied; the process must restart")

// heartbeats is the number of renewals in a lease: the lease survives three failures in
// a row.
const heartbeats = 4

// Run makes this process a node until ctx ends: it reads the tombstones, loads the
// index, registers, and then renews the lease at every heartbeat and applies changes
// when it is notified. It stops admitting requests before it removes its
// registration. It returns an error only if the tombstone file cannot be used or the
// database lost changes; other failures of the store are logged and retried.
func (f *Feed) Run(ctx context.Context) error {
	found, err := f.tombstones.open()
	if err != nil {
		return err
	}
	defer f.tombstones.close()
	if found != (damage{}) {
		f.log.LogAttrs(ctx, slog.LevelError, "the tombstone file was damaged", slog.String("file", f.tombstones.path), slog.Any("error", found))
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		f.listen(ctx)
	}()
	heartbeat := time.NewTicker(f.leaseLen / heartbeats)
	defer heartbeat.Stop()
	step, behind := f.renew, false
	for ctx.Err() == nil && !errors.Is(err, errLostChanges) {
		if err = f.advance(ctx, step); err != nil && ctx.Err() == nil {
			f.log.LogAttrs(ctx, slog.LevelWarn, "the node could not apply the changes in the store", slog.Any("error", err))
		} else if behind {
			f.log.LogAttrs(ctx, slog.LevelInfo, "the node applies the changes in the store again")
		}
		behind = err != nil
		select {
		case <-ctx.Done():
		case <-heartbeat.C:
			step = f.renew
		case <-f.wake:
			step = f.followNotified
		}
	}
	cancel()
	<-listened
	left := f.leave(context.WithoutCancel(ctx))
	if errors.Is(err, errLostChanges) {
		return err
	}
	return left
}

// listen receives notifications until ctx ends. A lost connection delays changes
// until the next heartbeat, but loses none.
func (f *Feed) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.store.Listen(ctx, f.onNotification); err != nil && ctx.Err() == nil {
			f.log.LogAttrs(ctx, slog.LevelWarn, "the node receives no notifications of changes and polls for them", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(f.leaseLen / heartbeats):
		}
	}
}

// onNotification handles a notification, which has the number 0 if the number is not
// known.
func (f *Feed) onNotification(seq int64) {
	if seq == 0 {
		f.notifyUnknown()
		return
	}
	f.notify(seq)
}

// advance runs step, which is renew or followNotified, then acknowledges the changes
// that the node has applied. If the node is not registered, it registers and runs renew
// instead of step.
func (f *Feed) advance(ctx context.Context, step func(context.Context) error) error {
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
	if err := f.ack(ctx); err != nil {
		return err
	}
	return f.revokeRevived(ctx)
}

// catchUp applies the change seq on this node for the call that made it, and returns the
// node's state afterwards. It reads nothing if the node has already applied seq, or is
// not registered. If seq is 0, it applies all committed changes.
func (f *Feed) catchUp(ctx context.Context, seq int64) (store.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.node.Epoch == "" || seq != 0 && f.node.Applied >= seq {
		return f.node, nil
	}
	err := f.follow(ctx)
	return f.node, err
}

// register loads everything and then registers under a new epoch; a process never
// takes over the row of an earlier one. In this order no caller waits for, or
// fences, a node that is still loading. Changes during the load arrive with the
// first renewal, before the first lease.
func (f *Feed) register(ctx context.Context) error {
	seq, err := f.load(ctx)
	if err != nil {
		return fmt.Errorf("load the keys: %w", err)
	}
	if f.lost || seq < f.applied.Load() {
		return errLostChanges
	}
	if err := f.revokeRevived(ctx); err != nil {
		return err
	}
	n := f.node
	n.Epoch, n.Applied = rand.Text(), seq
	if err := f.store.Register(ctx, n); err != nil {
		return fmt.Errorf("register the node: %w", err)
	}
	f.node, f.acked = n, seq
	f.applied.Store(seq)
	return nil
}

// load fills the index with one snapshot of the store and returns its sequence
// number. A new process loads slowly if other nodes serve, because it can share
// processors and database with them. After a fail-over no node serves, so all nodes
// load at full speed.
func (f *Feed) load(ctx context.Context) (seq int64, err error) {
	others, err := f.store.ListNodes(ctx)
	if err != nil {
		return 0, err
	}
	ctx, sink := f.newDelta(ctx)
	defer sink.stop()
	sink.throttled = f.applied.Load() == 0 && slices.ContainsFunc(others, func(n store.Node) bool { return !n.Stale(time.Now()) })
	seq, err = f.store.Snapshot(ctx, sink)
	f.revived.add(sink.revived)
	return seq, err
}

// renew renews the node's row, applies the changes up to the renewal's number, and
// then publishes the lease, which started before the request was sent. The caller
// holds mu.
func (f *Feed) renew(ctx context.Context) error {
	from := f.clock.At(time.Now())
	seq, err := f.renewRow(ctx)
	if err == nil && seq > f.node.Applied {
		err = f.follow(ctx)
	}
	switch {
	case err != nil:
		return fmt.Errorf("renew the lease: %w", err)
	case seq > f.node.Applied:
		return fmt.Errorf("renew the lease: change %d is committed but not readable", seq)
	}
	f.lease.Store(newLease(from, f.leaseLen))
	f.once.Do(func() { close(f.ready) })
	return nil
}

// renewRow renews the node's row and returns the number of the last change at that
// time.
func (f *Feed) renewRow(ctx context.Context) (seq int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.leaseLen)
	defer cancel()
	keys, _ := f.index.Len()
	f.node.Keys = int64(keys)
	seq, err = f.store.Renew(ctx, f.node)
	if err := f.dropIfFenced(ctx, f.checkRegression(seq, err)); err != nil {
		return 0, err
	}
	f.acked = f.node.Applied
	return seq, nil
}

// followNotified follows unless the node has applied the change of every
// notification. The caller holds mu.
func (f *Feed) followNotified(ctx context.Context) error {
	if f.node.Applied >= f.notified.Load() {
		return nil
	}
	return f.follow(ctx)
}

// follow applies new changes and leaves the lease unchanged: a node can apply more
// changes than its lease requires. The caller holds mu.
func (f *Feed) follow(ctx context.Context) error {
	f.notified.CompareAndSwap(unknownSeq, 0) // this read includes the change of unknown number
	ctx, sink := f.newDelta(ctx)
	defer sink.stop()
	seq, err := f.store.Follow(ctx, f.node, sink)
	f.revived.add(sink.revived)
	if err = f.dropIfFenced(ctx, f.checkRegression(seq, err)); err != nil {
		return fmt.Errorf("follow the changes: %w", err)
	}
	f.node.Applied = seq
	f.applied.Store(seq)
	return nil
}

// checkRegression returns store.ErrFenced if seq is lower than the last change this
// node applied: the store lost committed changes. It returns err unchanged if err is
// not nil.
func (f *Feed) checkRegression(seq int64, err error) error {
	if err == nil && seq < f.node.Applied {
		return fmt.Errorf("the store went back from change %d to %d: %w", f.node.Applied, seq, store.ErrFenced)
	}
	return err
}

// ack writes the number of the last applied change to the node's row, so that
// callers that wait for it need not wait for the next heartbeat. The caller holds
// mu.
func (f *Feed) ack(ctx context.Context) error {
	if f.acked >= f.node.Applied {
		return nil
	}
	if err := f.dropIfFenced(ctx, f.store.Ack(ctx, f.node)); err != nil {
		return fmt.Errorf("acknowledge the applied changes: %w", err)
	}
	f.acked = f.node.Applied
	return nil
}

// dropIfFenced drops the lease and the registration if err is store.ErrFenced, and
// returns err. A node that held a lease registers again at once. A node that was
// fenced before it took a lease waits for the next heartbeat, so that it does not
// load and register in a busy loop.
func (f *Feed) dropIfFenced(ctx context.Context, err error) error {
	if errors.Is(err, store.ErrFenced) {
		if f.lease.Swap(nil) != nil {
			f.notifyUnknown()
		}
		// The row can still exist, with another incarnation. If Leave fails, the next
		// change waits for the row once.
		_ = f.store.Leave(ctx, f.node)
		f.node.Epoch = ""
	}
	return err
}

// leave drops the lease and then removes the node's row, so that no caller waits for
// a process that has ended.
func (f *Feed) leave(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lease.Store(nil)
	if f.node.Epoch == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.leaseLen)
	defer cancel()
	err := f.store.Leave(ctx, f.node)
	f.node.Epoch = ""
	if err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	return nil
}
