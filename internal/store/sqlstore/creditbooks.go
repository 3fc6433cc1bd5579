package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// CreditBooks implements [store.CreditRecords]. It keeps one book in memory at a time.
// Accounts without a credit row are included if they have bought or used purchased
// credits, because a verification must find them.
func (s *Store) CreditBooks(ctx context.Context, each func(store.CreditBook)) error {
	ctx = dbconn.WithLongTimeout(ctx)
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin to read the credit books: %w", err)
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(ctx, `SELECT a.id, a.entitlements, COALESCE(c.entries, 0)
		FROM accounts a LEFT JOIN credit_accounts c ON c.account_id = a.id
		WHERE c.account_id IS NOT NULL OR a.entitlements LIKE '%"purchased_credits"%'
			OR a.id IN (SELECT account_id FROM usage WHERE purchased > 0) ORDER BY a.id`)
	if err != nil {
		return fmt.Errorf("read credit accounts: %w", err)
	}
	books, err := collect(rows, func(rows *sql.Rows) (b store.CreditBook, err error) {
		var e toksta.Entitlements
		err = rows.Scan(&b.AccountID, jsonColumn{&e}, &b.Count)
		b.Purchased = e.PurchasedCredits
		return b, err
	})
	if err != nil {
		return fmt.Errorf("read credit accounts: %w", err)
	}
	for _, b := range books {
		if err := fillBook(ctx, tx, &b); err != nil {
			return err
		}
		each(b)
	}
	return nil
}

// fillBook reads the entries, reservations and usage of the account of b into b.
func fillBook(ctx context.Context, tx *sql.Tx, b *store.CreditBook) (err error) {
	r := reader{q: tx}
	if b.Entries, err = r.entries(ctx, `WHERE account_id = $1 ORDER BY number`, b.AccountID); err != nil {
		return err
	}
	if b.Reservations, err = r.reservations(ctx, `WHERE account_id = $1 ORDER BY id`, b.AccountID); err != nil {
		return err
	}
	const used = `SELECT CAST(COALESCE(sum(purchased), 0) AS BIGINT) FROM usage WHERE account_id = $1 AND purchased > 0`
	if err := tx.QueryRowContext(ctx, used, b.AccountID).Scan(&b.PurchasedUsed); err != nil {
		return fmt.Errorf("read purchased credits: %w", err)
	}
	rows, err := tx.QueryContext(ctx, `SELECT account_id, key_id, family, cost_key, reason, hour,
		calls, credits, purchased, overage, overage_micros FROM usage
		WHERE account_id = $1 AND epoch = $2 ORDER BY hour, key_id, family, cost_key`, b.AccountID, store.EpochReservations)
	if err != nil {
		return fmt.Errorf("read charges of reservations: %w", err)
	}
	b.Usage, err = collect(rows, scanUsage)
	return err
}
