package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// accountColumns lists the columns in the order of scanAccount.
const accountColumns = `id, name, plan, status, status_since, cadence, cycle_anchor, entitlements, created_at, seq`

// Account implements [store.Accounts].
func (r reader) Account(ctx context.Context, id toksta.AccountID) (toksta.Account, error) {
	return one(r.accounts(ctx, `WHERE id = $1`, id))
}

// ListAccounts implements [store.Accounts]. A page starts after an id, not at an
// offset, so that accounts created meanwhile neither shift nor repeat rows.
func (r reader) ListAccounts(ctx context.Context, p store.Page) ([]toksta.Account, error) {
	return r.accounts(ctx, `WHERE id > $1 ORDER BY id LIMIT $2`, p.After, limit(p.Limit))
}

// KnownAccounts implements [store.Accounts].
func (r reader) KnownAccounts(ctx context.Context, ids []toksta.AccountID) (map[toksta.AccountID]bool, error) {
	known := make(map[toksta.AccountID]bool, len(ids))
	for part := range slices.Chunk(ids, lookups) {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		rows, err := r.q.QueryContext(ctx, `SELECT id FROM accounts WHERE id IN `+tuples(1, len(args)), args...)
		if err != nil {
			return nil, fmt.Errorf("find accounts: %w", err)
		}
		found, err := collect(rows, func(rows *sql.Rows) (id toksta.AccountID, err error) { return id, rows.Scan(&id) })
		if err != nil {
			return nil, fmt.Errorf("find accounts: %w", err)
		}
		for _, id := range found {
			known[id] = true
		}
	}
	return known, nil
}

func (r reader) accounts(ctx context.Context, where string, args ...any) ([]toksta.Account, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+accountColumns+` FROM accounts `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return collect(rows, scanAccount)
}

func scanAccount(rows *sql.Rows) (a toksta.Account, err error) {
	err = rows.Scan(&a.ID, &a.Name, &a.Plan, &a.Status, timeColumn{&a.StatusSince}, &a.Cadence,
		timeColumn{&a.CycleAnchor}, jsonColumn{&a.Entitlements}, timeColumn{&a.CreatedAt}, &a.Seq)
	if err != nil {
		return a, fmt.Errorf("read an account: %w", err)
	}
	return a, nil
}

// accountRows describes how accounts are written: every row gets the number of the change.
func accountRows(seq int64) upsert[toksta.Account] {
	return upsert[toksta.Account]{
		table:    "accounts",
		conflict: []string{"id"},
		columns: []string{
			"id", "name", "plan", "status", "status_since", "cadence", "cycle_anchor", "entitlements", "created_at", "seq",
		},
		args: func(a toksta.Account) ([]any, error) {
			entitlements, err := jsonText(a.Entitlements)
			return []any{
				a.ID, a.Name, a.Plan, a.Status, millis(a.StatusSince), a.Cadence, millis(a.CycleAnchor),
				entitlements, millis(a.CreatedAt), seq,
			}, err
		},
	}
}
