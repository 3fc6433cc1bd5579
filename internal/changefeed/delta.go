package changefeed

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// delta passes rows of the store to the index.
type delta struct {
	feed      *Feed
	watchdog  *time.Timer
	cancel    context.CancelCauseFunc
	throttled bool      // leaves processor time to other processes
	since     time.Time // end of the last pause
	rows      int
	revived   revived
}

// newDelta returns a delta and a context that is cancelled when no row has arrived
// for the length of a lease. This ends a hanging connection, but not a long snapshot.
func (f *Feed) newDelta(ctx context.Context) (context.Context, *delta) {
	ctx, cancel := context.WithCancelCause(ctx)
	stalled := fmt.Errorf("no row from the store for %s: %w", f.leaseLen, context.DeadlineExceeded)
	return ctx, &delta{
		feed: f, cancel: cancel, watchdog: time.AfterFunc(f.leaseLen, func() { cancel(stalled) }), since: time.Now(),
	}
}

// stop releases the watchdog and the context.
func (d *delta) stop() {
	d.watchdog.Stop()
	d.cancel(nil)
}

// PutAccount passes an account to the index.
func (d *delta) PutAccount(a toksta.Account) {
	d.countRow()
	d.feed.index.PutAccount(a)
}

// PutGrant passes a grant to the index. If the digest has a tombstone, the grant is
// passed as revoked, whatever the store says.
func (d *delta) PutGrant(digest toksta.Digest, account toksta.AccountID, g toksta.Grant) {
	d.countRow()
	switch {
	case g.Revoked:
		d.feed.tombstones.add(digest)
	case d.feed.tombstones.has(digest):
		d.revived.keys = append(d.revived.keys, toksta.KeyID(strings.Clone(string(g.KeyID)))) // the id can share the memory of a page
		g.Revoked = true
	}
	d.feed.index.PutGrant(digest, account, g)
}

// PutOperatorGrant passes a grant of an operator key to the index, as PutGrant does.
func (d *delta) PutOperatorGrant(digest toksta.Digest, g toksta.OperatorGrant) {
	d.countRow()
	switch {
	case g.Revoked:
		d.feed.tombstones.add(digest)
	case d.feed.tombstones.has(digest):
		d.revived.operatorKeys = append(d.revived.operatorKeys, g.ID)
		g.Revoked = true
	}
	d.feed.index.PutOperatorGrant(digest, g)
}

// rowsPerCheck is the number of rows between two resets of the watchdog.
const rowsPerCheck = 512

// countRow resets the watchdog and, if the delta is throttled, pauses for a third of
// the time since the last pause.
func (d *delta) countRow() {
	if d.rows++; d.rows%rowsPerCheck != 0 {
		return
	}
	d.watchdog.Reset(d.feed.leaseLen)
	if d.throttled {
		<-time.After(time.Since(d.since) / 3)
		d.since = time.Now()
	}
}
