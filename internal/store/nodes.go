package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Nodes keeps the list of nodes that a change waits for.
type Nodes interface {
	// Register writes a new row for n, with a new epoch.
	Register(ctx context.Context, n Node) error
	// Renew renews the node's row, records n.Applied, and returns the number of the
	// last change before the renewal. Like a change, the renewal waits for a
	// synchronous standby. It returns ErrFenced if there is no row for
	// (n.ID, n.Epoch), or if that row belongs to another incarnation.
	Renew(ctx context.Context, n Node) (seq int64, err error)
	// ListNodes returns every row, regardless of clocks: a node is listed until it
	// leaves or is fenced.
	ListNodes(ctx context.Context) ([]Node, error)
	// Leave removes the node's row at a clean stop, after the node has stopped
	// admitting calls.
	Leave(ctx context.Context, n Node) error
	// Fence removes the row of a node as it was listed. If the node has renewed its
	// row since, the row stays, without an error: the node may hold a lease.
	Fence(ctx context.Context, n Node) error
}

// ChangeFeed fills a node's index and keeps it up to date. The number that Snapshot
// and Follow return is that of a change that sink has received, with all changes
// before it.
type ChangeFeed interface {
	// Snapshot streams all accounts and grants into sink, as of one moment,
	// accounts first. It needs no registration.
	Snapshot(ctx context.Context, sink DeltaSink) (seq int64, err error)
	// Follow streams the newest state of every account and grant that was touched
	// after n.Applied into sink, and writes nothing. Newer changes than the
	// returned number may be among them; the next call returns them again. It
	// returns ErrFenced as Renew does.
	Follow(ctx context.Context, n Node, sink DeltaSink) (seq int64, err error)
	// Ack records n.Applied without renewing the row. A crash of the database may
	// lose it. It returns ErrFenced as Renew does.
	Ack(ctx context.Context, n Node) error
	// Listen calls notified after each commit with the number of its change, or 0
	// if the number is unknown, until ctx ends. Notifications may merge or get
	// lost, so they only save polling. There may be none for commits through this
	// store, because their caller knows of them.
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

// Stale reports, for people, whether n has not renewed its row for a lease. It
// compares now with the database's clock, so only the pace of a joining node may
// depend on it.
func (n Node) Stale(now time.Time) bool { return now.Sub(n.SeenAt) > n.Lease }

// DeltaSink receives accounts and grants. The index implements it.
type DeltaSink interface {
	PutAccount(toksta.Account)
	PutGrant(d toksta.Digest, account toksta.AccountID, g toksta.Grant)
}
