package changefeed

import (
	"context"
	"fmt"
	"time"

	"github.com/toksta/toksta"
)

// delta takes rows of the store into the index.
type delta struct {
	feed     *Feed
	watchdog *time.Timer
	cancel   context.CancelCauseFunc
	gentle   bool      // leaves a share of the time to others
	since    time.Time // the last rest
	rows     int
	revived  []toksta.KeyID // revoked once, live in the store
}

// watch returns a context that ends when reading stands still for as long as a
// lease: a connection that hangs must not keep the node from trying another,
// while a long snapshot may take its time.
func (f *Feed) watch(ctx context.Context) (context.Context, *delta) {
	ctx, cancel := context.WithCancelCause(ctx)
	stuck := fmt.Errorf("no answer for %s: %w", f.life, context.DeadlineExceeded)
	return ctx, &delta{
		feed: f, cancel: cancel, watchdog: time.AfterFunc(f.life, func() { cancel(stuck) }), since: time.Now(),
	}
}

// stop ends the watch.
func (d *delta) stop() {
	d.watchdog.Stop()
	d.cancel(nil)
}

// PutAccount passes an account on.
func (d *delta) PutAccount(a toksta.Account) {
	d.step()
	d.feed.index.PutAccount(a)
}

// PutGrant passes a grant on: as revoked when this node ever saw it revoked,
// whatever the store says today.
func (d *delta) PutGrant(digest toksta.Digest, account toksta.AccountID, g toksta.Grant) {
	d.step()
	switch {
	case g.Revoked:
		d.feed.tomb.add(digest)
	case d.feed.tomb.has(digest):
		d.revived = append(d.revived, g.KeyID)
		g.Revoked = true
	}
	d.feed.index.PutGrant(digest, account, g)
}

// stride is how many rows come between two looks at the time.
const stride = 512

// step shows the watchdog that rows are still coming.
func (d *delta) step() {
	if d.rows++; d.rows%stride != 0 {
		return
	}
	d.watchdog.Reset(d.feed.life)
	if d.gentle {
		<-time.After(time.Since(d.since) / 3)
		d.since = time.Now()
	}
}
