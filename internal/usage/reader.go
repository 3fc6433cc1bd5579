// Package usage reports what accounts used: the one set of numbers behind
// GET /v1/account/usage, the account page, its download, the operator API and
// the command line.
//
// It stands behind the meter, on the reading side: it brings this node's
// totals into the store, reads sums of totals by day, and adds them up in one
// place, so no two views can differ. Its Keeper makes what is old smaller, which
// changes no number that a view shows. The package never counts, never decides,
// and never reads another account than the one it is asked for.
package usage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Store is what reports are read from. It is asked for one account at a time.
type Store interface {
	store.Accounts
	store.Keys
	store.Usage
}

// Reader reads reports. All fields but Now are required; it is safe for
// concurrent use.
type Reader struct {
	Store   Store
	Catalog *toksta.Catalog
	// Refresh brings this node's totals into the store, and into the balance
	// what other nodes charged. What those counted arrives with their own
	// flush, within their interval.
	Refresh func(ctx context.Context, s *toksta.Standing) error
	// Balance is the account's credits now, as this node knows them: the store
	// has what was charged in the end, only the book knows what is left.
	Balance func(s *toksta.Standing, now time.Time) credits.Balance
	Kept    Retention
	Now     func() time.Time // nil: time.Now
}

// period is one calendar month, UTC: its first moment and the next month's. It
// is not the billing cycle, which has its own anchor and resets the credits.
type period struct{ from, to time.Time }

func (p period) String() string { return p.from.Format(monthLayout) }

const monthLayout = "2006-01"

// parseMonth reads "YYYY-MM"; "" is the month that holds now. A future month
// does not exist yet, and one that is not kept would be answered with zeros.
func (r Retention) parseMonth(month string, now time.Time) (period, error) {
	now = now.UTC()
	if month == "" {
		month = now.Format(monthLayout)
	}
	from, err := time.Parse(monthLayout, month)
	switch {
	case err != nil || len(month) != len(monthLayout):
		return period{}, toksta.Invalid("month", "Give month as YYYY-MM.")
	case from.After(now):
		return period{}, toksta.Invalid("month", "The month has not begun.")
	case from.Before(r.FirstMonth(now)):
		return period{}, toksta.Invalid("month", "The month is not kept any more; the oldest is "+r.FirstMonth(now).Format(monthLayout)+".")
	}
	return period{from, from.AddDate(0, 1, 0)}, nil
}

// ledger is what every view of an account's time is made from. Views only sum
// and sort it.
type ledger struct {
	period   period
	now      time.Time
	standing *toksta.Standing
	rows     []store.UsageRow // by day, or by hour
}

// load reads the month; key "" means all keys of the account. An account or
// key that is not there, or a key of another account, is NOT_FOUND. The totals
// of this node come first into the store, so a call that was answered before is
// in the numbers; when they cannot, there are no numbers rather than old ones.
func (r *Reader) load(ctx context.Context, account toksta.AccountID, key toksta.KeyID, month string) (*ledger, error) {
	p, err := r.Kept.parseMonth(month, r.now())
	if err != nil {
		return nil, err
	}
	return r.read(ctx, store.UsageQuery{Account: account, Key: key, From: p.from, To: p.to, GroupDay: true})
}

// read is load for any hours.
func (r *Reader) read(ctx context.Context, q store.UsageQuery) (*ledger, error) {
	l := &ledger{now: r.now(), period: period{q.From, q.To}}
	a, err := r.Store.Account(ctx, q.Account)
	if err != nil {
		return nil, store.Missing("account", err)
	}
	l.standing = r.Catalog.Standing(a)
	if q.Key != "" {
		if _, err := r.Store.Key(ctx, q.Account, q.Key); err != nil {
			return nil, store.Missing("key", err)
		}
	}
	if err := r.Refresh(ctx, l.standing); err != nil {
		return nil, fmt.Errorf("bring usage up to date: %w", err)
	}
	if l.rows, err = r.Store.ListUsage(ctx, q); err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	slices.SortFunc(l.rows, func(x, y store.UsageRow) int {
		return cmp.Or(cmp.Compare(x.Hour, y.Hour), cmp.Compare(x.KeyID, y.KeyID), cmp.Compare(x.Family, y.Family),
			cmp.Compare(x.CostKey, y.CostKey), cmp.Compare(x.Reason, y.Reason))
	})
	return l, nil
}

// keys reads all keys of the account in id order, page by page: revoked ones
// too, for their calls were used, and tried, all the same. Asked for after the
// ledger, so that no row is of a key that is not there yet.
func (r *Reader) keys(ctx context.Context, account toksta.AccountID) ([]toksta.Key, error) {
	const page = 500
	q := store.KeyQuery{Account: account, Revoked: true, Page: store.Page{Limit: page}}
	var all []toksta.Key
	for {
		keys, err := r.Store.ListKeys(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read the account's keys: %w", err)
		}
		all = append(all, keys...)
		if len(keys) < page {
			return all, nil
		}
		q.Page.After = string(keys[page-1].ID)
	}
}

func (r *Reader) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}
