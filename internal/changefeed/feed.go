// Package changefeed follows the change log into this node's index, and makes
// a change final: when Commit returns, no node admits a request on the state
// before it.
//
// It stands beside the request path, which asks it one thing (Valid: may this
// node vouch for keys now?), and in the middle of the mutation path, where it
// is the [store.Log] that keys, accounts and signin write through. It never
// decides anything about a key, and nothing that wakes it carries authority:
// what counts is what was read from the store.
//
// The argument, in three sentences. A node admits only under a lease that
// started before its last renewal was sent and was published after all changes
// up to that renewal's number were applied. A renewal ordered after a change has
// its number or a later one, so its lease knows of it; one ordered before was
// sent before the commit returned, so its lease ends within one lease of that
// moment. Commit waits for the first or sits out the second.
package changefeed

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// Store is the part of the database that the feed needs.
type Store interface {
	store.Mutator
	store.Nodes
}

// Index takes what the feed reads, and says how much it holds.
type Index interface {
	store.DeltaSink
	Len() (keys, accounts int)
}

// DefaultLease is how long a node admits without the store when the
// configuration does not say.
const DefaultLease = 4 * time.Second

// Config is what a Feed is made of. Store, Index and Node are required.
type Config struct {
	Store      Store
	Index      Index
	Node       string        // the operator's name for this process
	Version    string        // of the program, for people
	Lease      time.Duration // 0: DefaultLease
	Tombstones string        // file of secrets once seen revoked; "": none is kept
	Clock      Clock         // nil: the system's
	Log        *slog.Logger  // nil: nothing is logged
}

// Feed is one node's membership. Its methods are safe for concurrent use.
type Feed struct {
	store Store
	index Index
	clock Clock
	log   *slog.Logger
	tomb  *tombstones
	life  time.Duration

	lease   atomic.Pointer[lease] // nil: none
	applied atomic.Int64
	heard   atomic.Int64  // the last change, as far as anybody has told
	woken   chan struct{} // there may be something to apply, or to tell
	turn    chan struct{} // held by the one commit that this process has in flight
	ready   chan struct{}
	once    sync.Once // closes ready

	mu   sync.Mutex // serialises following
	node store.Node // Epoch "" while not registered
	told int64      // number that the store knows this node has applied

	revived []toksta.KeyID // revoked once, live in the store
	lost    bool           // the store has certainly lost what this node applied

	unrecorded bool // the last flush of tombstones failed
}

// New returns a feed that does nothing until Run.
func New(c Config) *Feed {
	life := cmp.Or(c.Lease, DefaultLease)
	f := &Feed{
		store: c.Store, index: c.Index, clock: c.Clock, log: c.Log, tomb: newTombstones(c.Tombstones), life: life,
		woken: make(chan struct{}, 1),
		turn:  make(chan struct{}, 1),
		ready: make(chan struct{}),
		node:  store.Node{ID: c.Node, Version: c.Version, Lease: life},
	}
	if f.clock == nil {
		f.clock = systemClock{base: time.Now()}
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

// Valid reports whether this node may admit a request that it met at now,
// which must come from time.Now and be no older than the request. Ask it
// before the index, never after. It takes no lock and allocates nothing.
func (f *Feed) Valid(now time.Time) bool {
	l := f.lease.Load()
	return l != nil && l.covers(f.clock.At(now))
}

// Ready is closed when the node has taken its first lease: the index is
// whole.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// Status is this node as it sees itself.
type Status struct {
	Node      string
	Applied   int64         // number of the last change in the index
	LeaseLeft time.Duration // 0: not admitting
}

// Status returns the node's state now.
func (f *Feed) Status() Status {
	s := Status{Node: f.node.ID, Applied: f.applied.Load()}
	if l := f.lease.Load(); l != nil {
		if now := f.clock.At(time.Now()); l.covers(now) {
			s.LeaseLeft = l.lasts - (now.Steady - l.from.Steady)
		}
	}
	return s
}

// Nodes returns every node that is waited for, this one included.
func (f *Feed) Nodes(ctx context.Context) ([]store.Node, error) {
	return f.store.ListNodes(ctx)
}

// CheckTombstones reads the file of tombstones and returns how many revoked
// secrets it records. The error says which part of the file is damaged, or why
// a revocation could not be recorded.
func (f *Feed) CheckTombstones() (recorded int, err error) { return f.tomb.check() }

// hear takes a number that a change is said to have: Run applies it at once
// instead of at the next beat, and tells of it. It has no authority.
func (f *Feed) hear(seq int64) {
	for heard := f.heard.Load(); seq > heard && !f.heard.CompareAndSwap(heard, seq); heard = f.heard.Load() {
	}
	select {
	case f.woken <- struct{}{}:
	default:
	}
}

// hearMore is hear of a change whose number nobody has told.
func (f *Feed) hearMore() { f.hear(unknowable) }
