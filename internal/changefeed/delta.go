package changefeed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta"
)

// delta takes the rows of one renewal into the index.
type delta struct {
	feed     *Feed
	watchdog *time.Timer
	cancel   context.CancelCauseFunc
	rows     int
	revived  []toksta.KeyID // revoked once, live in the store
	err      error          // of the tombstone file
}

// watch returns a context that ends when a renewal stands still for as long
// as a lease: a connection that hangs must not keep the node from trying
// another, while a long snapshot may take its time.
func (f *Feed) watch(ctx context.Context) (context.Context, *delta) {
	ctx, cancel := context.WithCancelCause(ctx)
	stuck := fmt.Errorf("no answer for %s: %w", f.life, context.DeadlineExceeded)
	return ctx, &delta{feed: f, cancel: cancel, watchdog: time.AfterFunc(f.life, func() { cancel(stuck) })}
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
		d.err = errors.Join(d.err, d.feed.tomb.add(digest))
	case d.feed.tomb.has(digest):
		d.revived = append(d.revived, g.KeyID)
		g.Revoked = true
	}
	d.feed.index.PutGrant(digest, account, g)
}

// step shows the watchdog that rows are still coming.
func (d *delta) step() {
	if d.rows++; d.rows%1024 == 0 {
		d.watchdog.Reset(d.feed.life)
	}
}
