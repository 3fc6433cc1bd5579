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

// How often the others' progress is read while somebody waits for it: first when
// they may well be through, as [pace] has it, then at once a few times, after naps
// that are shorter than any timer's, and after pauses that grow. To look all the
// time would take the processor from those who are waited for, where they and the
// database run on the same machine.
const (
	glances    = 2
	naps       = 16
	nap        = 150 * time.Microsecond
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
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

// enforce lists the nodes, which must come after the commit: one that joins
// later loads the change. The others were woken with the commit, so that they
// follow while this node does, and the list is a first look at them. This node
// tells of itself when they are through, or take long: that it knows is known
// here, and to tell it would take processor and database from those who are
// waited for.
func (w *wait) enforce(ctx context.Context) error {
	w.follow(ctx)
	defer func() { w.feed.hear(w.seq) }()
	w.feed.pace.await(ctx, w.start)
	nodes, err := w.feed.store.ListNodes(ctx)
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	w.listed = time.Now()
	w.open = slices.DeleteFunc(slices.Clone(nodes), w.isSelf)
	if w.self.Epoch != "" {
		w.open = append(w.open, w.self)
	}
	for looks := 0; ; looks++ {
		w.settle(ctx, nodes)
		if looks == 0 {
			w.feed.pace.learn(len(w.open) == 0)
		}
		if len(w.open) == 0 {
			w.receipt.Took = time.Since(w.start)
			return nil
		}
		if err := w.pause(ctx, looks); err != nil {
			return err
		}
		nodes = w.look(ctx)
	}
}

// pause waits until it is time for the next look.
func (w *wait) pause(ctx context.Context, looks int) error {
	if looks < naps {
		if looks >= glances {
			doze(nap)
		}
		return ctx.Err()
	}
	if looks == naps {
		w.feed.hear(w.seq) // once: what fails then is for the next beat
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(max(time.Since(w.listed)/2, firstPause), lastPause)):
		return nil
	}
}

// look reads the others' progress. While the store does not answer there is
// none to see, and leases go on running out.
func (w *wait) look(ctx context.Context) []store.Node {
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
