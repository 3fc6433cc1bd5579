package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Nodes keeps the list of nodes that a change waits for.
type Nodes interface {
	// Register inserts the row of n, whose epoch must be new.
	Register(ctx context.Context, n Node) error
	// Renew renews the node's row, records n.Applied, and returns the number of the
	// last change before the renewal. Like a change, the renewal waits for a
	// synchronous standby. It returns ErrFenced if (n.ID, n.Epoch) has no row, or if
	// the row was written before a restore or a fail-over of the database.
	Renew(ctx context.Context, n Node) (seq int64, err error)
	// ListNodes returns every row, regardless of clocks: a node is listed until it
	// leaves or is fenced.
	ListNodes(ctx context.Context) ([]Node, error)
	// Leave removes the node's row at a clean stop, after the node has stopped
	// admitting calls.
	Leave(ctx context.Context, n Node) error
	// Fence removes the row of n, which ListNodes returned. If the node has renewed
	// its row since, the row stays and Fence returns nil: the node can hold a lease.
	Fence(ctx context.Context, n Node) error
}

// ChangeFeed fills a node's index and keeps it up to date. Snapshot and Follow return
// the number of a change: sink has received that change and all changes before it.
type ChangeFeed interface {
	// Snapshot streams all accounts, grants and operator grants into sink, as of one
	// moment, accounts first. It needs no registration.
	Snapshot(ctx context.Context, sink DeltaSink) (seq int64, err error)
	// Follow streams into sink the newest state of every account, grant and operator
	// grant that a change after n.Applied touched, and writes nothing to the store. Some of these
	// changes can be newer than the returned number; the next call streams their rows
	// again. It returns ErrFenced if Renew would.
	Follow(ctx context.Context, n Node, sink DeltaSink) (seq int64, err error)
	// Ack records n.Applied without renewing the row. A crash of the database can
	// lose this write. It returns ErrFenced if Renew would.
	Ack(ctx context.Context, n Node) error
	// Listen calls notified after each commit with the number of its change, or 0
	// if the number is unknown, until ctx ends. Notifications can be merged or lost,
	// so they only save polling. A commit through this store needs none, because its
	// caller knows of it.
	Listen(ctx context.Context, notified func(seq int64)) error
}

// Node is one process that admits calls.
type Node struct {
	ID      string // the operator's name for it, or the host name
	Epoch   string // new and random for each process
	Version string
	Applied int64         // number of the last applied change
	Lease   time.Duration // how long one renewal is valid
	Keys    int64         // grants in the index, for people
	SeenAt  time.Time     // last renewal by the database's clock, for people; set by ListNodes
	Beats   int64         // renewals so far; set by ListNodes
}

// Stale reports whether the last renewal of n is older than one lease. It compares now
// with the database's clock, which can differ, so use it only for display and for
// performance, never to decide whether the node holds a lease.
func (n Node) Stale(now time.Time) bool { return now.Sub(n.SeenAt) > n.Lease }

// DeltaSink receives accounts, and the grants of keys and of operator keys. The index
// implements it.
type DeltaSink interface {
	PutAccount(toksta.Account)
	PutGrant(d toksta.Digest, account toksta.AccountID, g toksta.Grant)
	PutOperatorGrant(d toksta.Digest, g toksta.OperatorGrant)
}
