package changefeed

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// Intervals between reads of the node table while a caller waits. The first reads
// follow each other at once, because the other nodes usually need only a few round
// trips to apply a change. Later reads leave processor time to the other nodes and
// the database, which may run on the same machine.
const (
	quickPolls = 10
	firstPause = time.Millisecond // doubles with every read
	maxPause   = 50 * time.Millisecond
)

// unknowable is the number of a change that has a number which nobody knows: no
// node reports it, so leases are waited out, and none has applied it.
const unknowable = math.MaxInt64

// wait is one change on its way to every node.
type wait struct {
	feed    *Feed
	start   time.Time    // after the commit returned
	listed  time.Time    // after the nodes were read, which came after the commit
	seq     int64        // 0: whatever was written before start
	self    store.Node   // Epoch "" when this process does not admit
	open    []store.Node // may still admit on the state before seq
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
	defer func() { w.feed.hear(w.seq) }()
	nodes, err := w.feed.store.ListNodes(ctx)
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	w.listed = time.Now()
	w.open = slices.DeleteFunc(slices.Clone(nodes), w.isSelf)
	if w.self.Epoch != "" {
		w.open = append(w.open, w.self)
	}
	for polls := 1; ; polls++ {
		w.settle(ctx, nodes)
		if len(w.open) == 0 {
			w.receipt.Took = time.Since(w.start)
			return nil
		}
		if polls == quickPolls {
			w.feed.hear(w.seq) // once: the next heartbeat retries
		}
		if err := pause(ctx, polls); err != nil {
			return err
		}
		nodes = w.poll(ctx)
	}
}

// pause waits before the next read of the node table, after so many of them.
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
	ctx, cancel := context.WithTimeout(ctx, w.feed.life/beats)
	defer cancel()
	nodes, err := w.feed.store.ListNodes(ctx)
	if err != nil {
		return nil
	}
	return nodes
}

// follow brings this node up to the change and settles its number: after it
// has read, all that was written before is covered by what was applied. If it
// cannot, Run is left to try again.
func (w *wait) follow(ctx context.Context) {
	self, err := w.feed.catchUp(ctx, w.seq)
	w.self = self
	if err != nil {
		w.feed.hearMore()
	}
	switch {
	case w.seq != 0:
	case err == nil && self.Epoch != "":
		w.seq = self.Applied
	default:
		w.seq = unknowable
	}
}

// settle closes every node that has applied the change or whose lease is over.
func (w *wait) settle(ctx context.Context, nodes []store.Node) {
	took, listed := time.Since(w.start), time.Since(w.listed)
	w.open = slices.DeleteFunc(w.open, func(n store.Node) bool {
		switch {
		case w.knows(n, nodes):
			w.receipt.Confirmed = append(w.receipt.Confirmed, toksta.NodeConfirmation{Node: n.ID, Took: took})
		case listed >= sitOut(n.Lease):
			w.receipt.Fenced = append(w.receipt.Fenced, n.ID)
			w.fence(ctx, n)
		default:
			return false
		}
		return true
	})
}

// fence takes a node that was waited out off the list, so that a dead one
// costs one wait, once. Whatever lease it held when it was listed is over; had
// it renewed since, the store would keep its row. This node ends its own lease
// by itself. If the store cannot be reached the next change waits again.
func (w *wait) fence(ctx context.Context, n store.Node) {
	if w.isSelf(n) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, w.feed.life/beats)
	defer cancel()
	if err := w.feed.store.Fence(ctx, n); err != nil {
		w.feed.log.LogAttrs(ctx, slog.LevelWarn, "a node that does not answer could not be removed",
			slog.String("node", n.ID), slog.Any("error", err))
	}
}

// knows reports whether that very process, not a later one of its name, has
// applied the change. This node knows its own state before the store does;
// without a lease it admits nothing until it has read everything again.
func (w *wait) knows(n store.Node, nodes []store.Node) bool {
	if w.isSelf(n) {
		return w.feed.applied.Load() >= w.seq || w.feed.lease.Load() == nil
	}
	return slices.ContainsFunc(nodes, func(seen store.Node) bool {
		return seen.ID == n.ID && seen.Epoch == n.Epoch && seen.Applied >= w.seq
	})
}

func (w *wait) isSelf(n store.Node) bool { return n.ID == w.self.ID && n.Epoch == w.self.Epoch }
