// Package usage reports the usage of accounts: the same numbers for GET /v1/account/usage, the
// account page, its download, the operator API and the command line.
//
// It is not on the request path. A Reader first flushes the totals of this node to the store, then
// reads sums of totals by day, and adds them up in one place, so two views cannot differ. A Pruner
// rolls up and deletes old usage, which changes no number that a view shows. The package never
// counts or decides, and never reads an account other than the requested one.
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

// Store is the source of reports. Reports read one account at a time.
type Store interface {
	store.Accounts
	store.Keys
	store.KeyUses
	store.Usage
}

// Reader reads reports. All fields except Exhausted and Now are required. It is safe for concurrent use.
type Reader struct {
	Store   Store
	Catalog *toksta.Catalog
	// Refresh flushes this node's totals to the store, and adds the charges of other nodes to the
	// balance. The totals of other nodes arrive with their own flushes.
	Refresh func(ctx context.Context, s *toksta.Standing) error
	// Balance returns the account's credits as this node knows them. The store has only past charges,
	// not holds.
	Balance func(s *toksta.Standing, now time.Time) credits.Balance
	Kept    Retention
	// Exhausted returns the time at which the credits of an account were last used up,
	// zero if it is not known. nil: never known.
	Exhausted func(ctx context.Context, account toksta.AccountID) (time.Time, error)
	Now       func() time.Time // nil: time.Now
}

// period is a calendar month in UTC, or another range of hours [from, to). A month is not the
// billing cycle, which has its own anchor and resets the credits.
type period struct{ from, to time.Time }

func (p period) String() string { return p.from.Format(monthLayout) }

const monthLayout = "2006-01"

// parseMonth parses "YYYY-MM"; "" is the month of now. It rejects future months and months that are
// no longer kept, because their report would wrongly show zeros.
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

// accountUsage is the usage of an account in a period. All views only sum and sort its rows.
type accountUsage struct {
	period   period
	now      time.Time
	standing *toksta.Standing
	rows     []store.UsageRow // by day, or by hour
}

// loadMonth loads the usage of an account in a month ("" is the current one) by day, for one of its
// keys or for all (key ""). It fails if the month is malformed, in the future or no longer kept, if
// the account has no such key, or if the totals of this node cannot be flushed.
func (r *Reader) loadMonth(ctx context.Context, account toksta.AccountID, key toksta.KeyID, month string) (*accountUsage, error) {
	p, err := r.Kept.parseMonth(month, r.now())
	if err != nil {
		return nil, err
	}
	return r.load(ctx, store.UsageQuery{Account: account, Key: key, From: p.from, To: p.to, GroupDay: true})
}

// load returns the usage that q selects, sorted. It first flushes this node's totals, so that the
// result includes every earlier call of this node. If the flush fails, load fails, because it
// returns no outdated numbers. The error has the code NOT_FOUND if the account or the key does not
// exist, or if the key belongs to another account.
func (r *Reader) load(ctx context.Context, q store.UsageQuery) (*accountUsage, error) {
	u := &accountUsage{now: r.now(), period: period{q.From, q.To}}
	a, err := r.Store.Account(ctx, q.Account)
	if err != nil {
		return nil, store.Missing("account", q.Account, err)
	}
	u.standing = r.Catalog.Standing(a)
	if q.Key != "" {
		if _, err := r.Store.Key(ctx, q.Account, q.Key); err != nil {
			return nil, store.Missing("key", q.Key, err)
		}
	}
	if err := r.Refresh(ctx, u.standing); err != nil {
		return nil, fmt.Errorf("flush usage before the report: %w", err)
	}
	if u.rows, err = r.Store.ListUsage(ctx, q); err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	slices.SortFunc(u.rows, func(x, y store.UsageRow) int {
		return cmp.Or(cmp.Compare(x.Hour, y.Hour), cmp.Compare(x.KeyID, y.KeyID), cmp.Compare(x.Family, y.Family),
			cmp.Compare(x.CostKey, y.CostKey), cmp.Compare(x.Reason, y.Reason))
	})
	return u, nil
}

// readKeys returns the keys of the account that a report of the rows needs, oldest first: every key
// that is not revoked, and every key of a row. It must be called after the rows were read. It reads
// no other revoked keys, because an account can have thousands.
func (r *Reader) readKeys(ctx context.Context, account toksta.AccountID, rows []store.UsageRow) ([]store.KeyUse, error) {
	keys, err := r.Store.KeyUses(ctx, account, nil)
	if err != nil {
		return nil, err
	}
	read := map[toksta.KeyID]bool{"": true} // a job without a key
	for _, k := range keys {
		read[k.ID] = true
	}
	var revoked []toksta.KeyID
	for _, row := range rows {
		if !read[row.KeyID] {
			read[row.KeyID] = true
			revoked = append(revoked, row.KeyID)
		}
	}
	if len(revoked) > 0 {
		more, err := r.Store.KeyUses(ctx, account, revoked)
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	}
	slices.SortFunc(keys, func(a, b store.KeyUse) int { return cmp.Compare(a.ID, b.ID) })
	return keys, nil
}

func (r *Reader) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}
