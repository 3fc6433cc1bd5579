// Package changefeed applies the change log to this node's index and enforces
// changes: when Commit returns, no node admits a request on the state before the
// change.
//
// The request path calls one method of it, Valid, which reports whether this node
// holds a valid lease. On the mutation path it is the [store.Log] through which
// keys, operatorkeys, accounts and signin write. It decides nothing about keys. Notifications
// carry no authority: only rows read from the store change the index.
//
// Why a change is enforced when Commit returns: a node admits requests only under
// a lease. A lease starts before its renewal is sent, and it is published only
// after the node has applied all changes up to the renewal's sequence number. A
// renewal ordered after a change has the number of that change or a higher one, so
// its lease covers the change. A renewal ordered before the change was sent before
// the commit returned, so its lease ends within one lease of that moment. Commit
// waits until each node has applied the change or its lease has ended.
package changefeed

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// Store is the part of the database that the feed needs.
type Store interface {
	store.Mutator
	store.Nodes
	store.ChangeFeed
}

// Index receives the rows that the feed reads and counts its contents.
type Index interface {
	store.DeltaSink
	Len() (keys, accounts int)
}

// DefaultLease is the lease length if Config.Lease is zero.
const DefaultLease = 4 * time.Second

// Config configures a Feed. Store, Index and Node are required.
type Config struct {
	Store      Store
	Index      Index
	Node       string        // the operator's name for this process
	Version    string        // of the program, for people
	Lease      time.Duration // 0: DefaultLease
	Tombstones string        // path of the tombstone file; "": no file
	Clock      Clock         // nil: the system's
	Log        *slog.Logger  // nil: no logging
}

// Feed makes one process a node of the cluster. Its methods are safe for concurrent
// use.
type Feed struct {
	store      Store
	index      Index
	clock      Clock
	log        *slog.Logger
	tombstones *tombstones
	leaseLen   time.Duration

	lease      atomic.Pointer[lease] // nil: none
	applied    atomic.Int64
	notified   atomic.Int64  // highest sequence number in a notification
	wake       chan struct{} // makes Run apply and acknowledge changes
	committing chan struct{} // held by the one commit of this process in flight
	responses  atomic.Int64  // of the database to commits
	ready      chan struct{} // closed at the first lease
	once       sync.Once     // closes ready

	mu    sync.Mutex // serialises following
	node  store.Node // Epoch "" while not registered
	acked int64      // sequence number that the node's row shows as applied

	revived revived
	lost    bool // the store lost changes that this node applied

	unrecorded bool // the last flush of tombstones failed
}

// New returns a feed that does nothing until Run is called.
func New(c Config) *Feed {
	leaseLen := cmp.Or(c.Lease, DefaultLease)
	f := &Feed{
		store: c.Store, index: c.Index, clock: c.Clock, log: c.Log, tombstones: newTombstones(c.Tombstones), leaseLen: leaseLen,
		wake:       make(chan struct{}, 1),
		committing: make(chan struct{}, 1),
		ready:      make(chan struct{}),
		node:       store.Node{ID: c.Node, Version: c.Version, Lease: leaseLen},
	}
	if f.clock == nil {
		f.clock = systemClock{base: time.Now()}
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

// Valid reports whether this node may admit a request that it received at now. The
// value of now must come from time.Now and be no earlier than the receipt of the
// request. Call Valid before the look-up in the index, never after it. Valid takes
// no lock and allocates nothing.
func (f *Feed) Valid(now time.Time) bool {
	l := f.lease.Load()
	return l != nil && l.covers(f.clock.At(now))
}

// Ready returns a channel that is closed when the node has taken its first lease.
// The index is complete then.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// Status describes this node as the node itself sees it.
type Status struct {
	Node      string
	Applied   int64         // sequence number of the last change in the index
	LeaseLeft time.Duration // 0: no valid lease
}

// Status returns the node's current state.
func (f *Feed) Status() Status {
	s := Status{Node: f.node.ID, Applied: f.applied.Load()}
	if l := f.lease.Load(); l != nil {
		if now := f.clock.At(time.Now()); l.covers(now) {
			s.LeaseLeft = l.lasts - (now.Steady - l.from.Steady)
		}
	}
	return s
}

// Nodes returns all registered nodes, including this one.
func (f *Feed) Nodes(ctx context.Context) ([]store.Node, error) {
	return f.store.ListNodes(ctx)
}

// CheckTombstones reads the tombstone file and returns the number of revoked secrets
// in it. The error says which part of the file is damaged, or why a revocation could
// not be recorded.
func (f *Feed) CheckTombstones() (recorded int, err error) { return f.tombstones.check() }

// notify makes Run apply and acknowledge the change seq now instead of at the next
// heartbeat. The number is a hint without authority.
func (f *Feed) notify(seq int64) {
	for notified := f.notified.Load(); seq > notified && !f.notified.CompareAndSwap(notified, seq); notified = f.notified.Load() {
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// notifyUnknown makes Run read from the store although the number of the change is
// not known.
func (f *Feed) notifyUnknown() { f.notify(unknownSeq) }
