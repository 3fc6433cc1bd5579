package changefeed

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Intervals between reads of the node table while a caller waits. The first reads
// follow each other at once, because the other nodes usually need only a few round
// trips to apply a change. Later reads leave processor time to the other nodes and
// the database, which can run on the same machine.
const (
	quickPolls = 10
	firstPause = time.Millisecond // doubles with every read
	maxPause   = 50 * time.Millisecond
)

// unknownSeq replaces the number of a change if that is not known. No node reports
// unknownSeq, so a wait for it lasts until all leases have ended.
const unknownSeq = math.MaxInt64

// wait waits for one change to be enforced on every node.
type wait struct {
	feed    *Feed
	start   time.Time    // after the commit returned
	listed  time.Time    // after the nodes were listed, which follows the commit
	seq     int64        // 0: all changes committed before start
	self    store.Node   // Epoch "" if this process is not registered
	pending []store.Node // may still admit requests on the state before seq
	receipt toksta.Receipt
}

func newWait(f *Feed, c toksta.Change) *wait {
	return &wait{feed: f, start: time.Now(), seq: c.Seq, receipt: toksta.Receipt{Change: c}}
}

// enforce waits until every node has applied the change or its lease has ended.
// It lists the nodes after the commit: a node that registers later loads the
// change with its snapshot. This node acknowledges the change last, or once the
// quick polls are over, because until then its own acknowledgement would delay the
// other nodes.
func (w *wait) enforce(ctx context.Context) error {
	w.follow(ctx)
	defer func() { w.feed.notify(w.seq) }()
	nodes, err := w.feed.store.ListNodes(ctx)
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	w.listed = time.Now()
	w.pending = slices.DeleteFunc(slices.Clone(nodes), w.isSelf)
	if w.self.Epoch != "" {
		w.pending = append(w.pending, w.self)
	}
	for polls := 1; ; polls++ {
		w.checkPending(ctx, nodes)
		if len(w.pending) == 0 {
			w.receipt.Took = time.Since(w.start)
			return nil
		}
		if polls == quickPolls {
			w.feed.notify(w.seq) // once: the next heartbeat retries
		}
		if err := pause(ctx, polls); err != nil {
			return err
		}
		nodes = w.poll(ctx)
	}
}

// pause waits before the next poll. The time depends on the number of polls so far.
func pause(ctx context.Context, polls int) error {
	if polls < quickPolls {
		return ctx.Err()
	}
	doublings := min(polls-quickPolls, 10)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(firstPause<<doublings, maxPause)):
		return nil
	}
}

// poll reads the node table. If the store fails it returns no nodes, and the wait
// goes on until the leases have ended.
func (w *wait) poll(ctx context.Context) []store.Node {
	ctx, cancel := context.WithTimeout(ctx, w.feed.leaseLen/heartbeats)
	defer cancel()
	nodes, err := w.feed.store.ListNodes(ctx)
	if err != nil {
		return nil
	}
	return nodes
}

// follow applies the change on this node and sets self. If seq is 0, it sets seq to the
// number that the node has applied, because all changes committed before start have
// lower numbers; if the node could not read that number, it sets seq to unknownSeq. If
// the read fails, Run retries it.
func (w *wait) follow(ctx context.Context) {
	self, err := w.feed.catchUp(ctx, w.seq)
	w.self = self
	if err != nil {
		w.feed.notifyUnknown()
	}
	switch {
	case w.seq != 0:
	case err == nil && self.Epoch != "":
		w.seq = self.Applied
	default:
		w.seq = unknownSeq
	}
}

// checkPending removes from the pending nodes every node that has applied the change,
// according to nodes, and every node whose lease has ended.
func (w *wait) checkPending(ctx context.Context, nodes []store.Node) {
	took, listed := time.Since(w.start), time.Since(w.listed)
	w.pending = slices.DeleteFunc(w.pending, func(n store.Node) bool {
		switch {
		case w.hasApplied(n, nodes):
			w.receipt.Confirmed = append(w.receipt.Confirmed, toksta.NodeConfirmation{Node: n.ID, Took: took})
		case listed >= fenceAfter(n.Lease):
			w.receipt.Fenced = append(w.receipt.Fenced, n.ID)
			w.fence(ctx, n)
		default:
			return false
		}
		return true
	})
}

// fence removes the row of a node whose lease has ended, so that only one change
// waits for a killed node. If the node has renewed since it was listed, the store
// keeps the row. This node drops its own lease itself. If the store fails, the next
// change waits again.
func (w *wait) fence(ctx context.Context, n store.Node) {
	if w.isSelf(n) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, w.feed.leaseLen/heartbeats)
	defer cancel()
	if err := w.feed.store.Fence(ctx, n); err != nil {
		w.feed.log.LogAttrs(ctx, slog.LevelWarn, "the row of a node that does not respond could not be removed",
			slog.String("node", n.ID), slog.Any("error", err))
	}
}

// hasApplied reports whether the process n has applied the change. A later process of
// the same name has another epoch and does not count. The state of this node is read
// from memory; if it has no lease, it admits nothing until it has read all changes, so
// hasApplied returns true.
func (w *wait) hasApplied(n store.Node, nodes []store.Node) bool {
	if w.isSelf(n) {
		return w.feed.applied.Load() >= w.seq || w.feed.lease.Load() == nil
	}
	return slices.ContainsFunc(nodes, func(seen store.Node) bool {
		return seen.ID == n.ID && seen.Epoch == n.Epoch && seen.Applied >= w.seq
	})
}

func (w *wait) isSelf(n store.Node) bool { return n.ID == w.self.ID && n.Epoch == w.self.Epoch }
