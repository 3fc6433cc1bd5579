package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Both lists are in the order of scanAccount. Nodes follow accountColumns, which a decision
// needs; readers of accounts also read labelColumns.
const (
	accountColumns = `id, name, plan, status, status_since, cadence, cycle_anchor, entitlements, created_at, closed_at, seq`
	labelColumns   = `external_id, metadata, erased_at`
)

// Account implements [store.Accounts].
func (r reader) Account(ctx context.Context, id toksta.AccountID) (toksta.Account, error) {
	return one(r.accounts(ctx, `WHERE id = $1`, id))
}

// ListAccounts implements [store.Accounts]. A page starts after an id, not at an
// offset, so that accounts created meanwhile neither shift nor repeat rows.
func (r reader) ListAccounts(ctx context.Context, p store.Page) ([]toksta.Account, error) {
	return r.accounts(ctx, `WHERE id > $1 ORDER BY id LIMIT $2`, p.After, limit(p.Limit))
}

// ResolveAccounts implements [store.Accounts].
func (r reader) ResolveAccounts(ctx context.Context, refs []toksta.AccountID) (map[toksta.AccountID]toksta.AccountID, error) {
	return resolve(ctx, r.q, "accounts", refs)
}

// ClosedAccounts implements [store.Accounts].
func (r reader) ClosedAccounts(ctx context.Context, ids []toksta.AccountID) (map[toksta.AccountID]bool, error) {
	closed := map[toksta.AccountID]bool{}
	for part := range slices.Chunk(ids, lookups) {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		rows, err := r.q.QueryContext(ctx, `SELECT id FROM accounts WHERE closed_at > 0 AND id IN `+tuples(1, len(args)), args...)
		if err != nil {
			return nil, fmt.Errorf("find closed accounts: %w", err)
		}
		found, err := collect(rows, func(rows *sql.Rows) (id toksta.AccountID, err error) { return id, rows.Scan(&id) })
		if err != nil {
			return nil, fmt.Errorf("find closed accounts: %w", err)
		}
		for _, id := range found {
			closed[id] = true
		}
	}
	return closed, nil
}

// resolve returns the id of each row of table that refs name, by its id or external id.
func resolve[ID ~string](ctx context.Context, q querier, table string, refs []ID) (map[ID]ID, error) {
	found := make(map[ID]ID, len(refs))
	for part := range slices.Chunk(refs, lookups) {
		args := make([]any, len(part))
		for i, ref := range part {
			args[i] = ref
		}
		in := tuples(1, len(args))
		rows, err := q.QueryContext(ctx, `SELECT id, id FROM `+table+` WHERE id IN `+in+`
			UNION ALL SELECT external_id, id FROM `+table+` WHERE external_id IN `+in, args...)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", table, err)
		}
		pairs, err := collect(rows, func(rows *sql.Rows) (pair [2]ID, err error) { return pair, rows.Scan(&pair[0], &pair[1]) })
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", table, err)
		}
		for _, pair := range pairs {
			found[pair[0]] = pair[1]
		}
	}
	return found, nil
}

func (r reader) accounts(ctx context.Context, where string, args ...any) ([]toksta.Account, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+accountColumns+`, `+labelColumns+` FROM accounts `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (a toksta.Account, err error) {
		return a, scanAccount(rows, &a, textColumn{&a.ExternalID}, jsonColumn{&a.Metadata}, timeColumn{&a.ErasedAt})
	})
}

// scanAccount reads accountColumns, and into more the columns after them.
func scanAccount(rows *sql.Rows, a *toksta.Account, more ...any) error {
	err := rows.Scan(append([]any{
		&a.ID, &a.Name, &a.Plan, &a.Status,
		timeColumn{&a.StatusSince},
		&a.Cadence,
		timeColumn{&a.CycleAnchor},
		jsonColumn{&a.Entitlements},
		timeColumn{&a.CreatedAt},
		timeColumn{&a.ClosedAt},
		&a.Seq,
	}, more...)...)
	if err != nil {
		return fmt.Errorf("read an account: %w", err)
	}
	return nil
}

// accountRows describes how accounts are written: every row gets the number of the change.
func accountRows(seq int64) upsert[toksta.Account] {
	return upsert[toksta.Account]{
		table:    "accounts",
		conflict: []string{"id"},
		columns: []string{
			"id", "name", "plan", "status", "status_since", "cadence", "cycle_anchor", "entitlements", "created_at", "seq",
			"external_id", "metadata", "closed_at", "erased_at",
		},
		args: func(a toksta.Account) ([]any, error) {
			entitlements, err := jsonText(a.Entitlements)
			if err != nil {
				return nil, err
			}
			metadata, err := metadataText(a.Metadata)
			return []any{
				a.ID, a.Name, a.Plan, a.Status, millis(a.StatusSince), a.Cadence, millis(a.CycleAnchor),
				entitlements, millis(a.CreatedAt), seq,
				nullText(a.ExternalID), metadata, millis(a.ClosedAt), millis(a.ErasedAt),
			}, err
		},
	}
}
