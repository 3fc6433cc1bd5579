package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// Conditions of the rows that are compacted. Both start with the condition of a partial
// index, because the databases use the index only if the query contains it.
const (
	// Hours of closed epochs that wait for no export: a later flush of an open epoch compares
	// its totals with the stored hours, and the export needs single hours.
	hourly = `span = 1 AND epoch <> 'reservations' AND epoch IN (SELECT epoch FROM usage_epochs WHERE closed = 1)
		AND (exported = 1 OR reason <> '' OR hour < COALESCE((SELECT from_hour FROM export_state), hour + 1))`
	// Days.
	daily = `span = 24`
)

// byOwner is the prefix of a roll-up's epoch. A reader that excludes the epochs of one
// process excludes its roll-ups too. See [store.EpochOwnerLen].
const byOwner = `substr(epoch, 1, 24)`

// rollUp adds the hours of a batch to the rows of their day.
const rollUp = `INSERT INTO usage (account_id, hour, key_id, family, cost_key, reason, epoch, span,
		calls, credits, purchased, overage, overage_micros)
	SELECT account_id, hour - hour % 24, key_id, family, cost_key, reason, ` + byOwner + ` || ' day', 24,
		CAST(sum(calls) AS BIGINT), ` + sumCharges + `
	FROM usage WHERE ` + hourly + ` AND ` + inBatch + `
	GROUP BY 1, 2, 3, 4, 5, 6, 7
	ON CONFLICT (account_id, hour, key_id, family, cost_key, reason, epoch) DO UPDATE SET
		calls = usage.calls + excluded.calls, credits = usage.credits + excluded.credits,
		purchased = usage.purchased + excluded.purchased, overage = usage.overage + excluded.overage,
		overage_micros = usage.overage_micros + excluded.overage_micros`

// keepPurchased adds the purchased credits of a batch to one row for each account, which
// is kept forever because balances depend on it.
const keepPurchased = `INSERT INTO usage (account_id, hour, key_id, family, cost_key, reason, epoch, span,
		calls, credits, purchased, overage, overage_micros)
	SELECT account_id, 0, '', '', '', '', ` + byOwner + ` || ' ever', 0, 0, 0, CAST(sum(purchased) AS BIGINT), 0, 0
	FROM usage WHERE ` + daily + ` AND ` + inBatch + ` AND purchased > 0
	GROUP BY 1, 7
	ON CONFLICT (account_id, hour, key_id, family, cost_key, reason, epoch) DO UPDATE SET
		purchased = usage.purchased + excluded.purchased`

// inBatch is the condition of the rows of a batch: one hour of a range of accounts.
const inBatch = `hour = $1 AND account_id >= $2 AND account_id <= $3`

// RollUp implements [store.Retention].
func (s *Store) RollUp(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.compact(ctx, compaction{rows: hourly, into: rollUp, before: before, limit: limit})
}

// Drop implements [store.Retention].
func (s *Store) Drop(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.compact(ctx, compaction{rows: daily, into: keepPurchased, before: before, limit: limit})
}

// EpochClosed implements [store.Epochs].
func (s *Store) EpochClosed(ctx context.Context, epoch string) (closed bool, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM usage_epochs WHERE epoch = $1 AND closed = 1)`, epoch).Scan(&closed)
	if err != nil {
		return false, fmt.Errorf("read the epoch %s: %w", epoch, err)
	}
	return closed, nil
}

// compaction replaces rows with fewer rows.
type compaction struct {
	rows   string // condition of the rows
	into   string // statement that adds a batch of them to their replacement
	before time.Time
	limit  int
}

// compact compacts the oldest batch in one transaction and returns its number of rows, 0
// if there is no batch. Its statements see one moment, so it deletes exactly the rows that
// it added. If two nodes compact the same batch, one of the transactions is repeated and
// does not find the batch again.
func (s *Store) compact(ctx context.Context, c compaction) (moved int64, err error) {
	ctx = dbconn.WithLongTimeout(ctx)
	err = s.inTxAt(ctx, sql.LevelRepeatableRead, func(tx *dbconn.Tx) error {
		moved = 0
		b, err := c.batch(ctx, tx)
		if err != nil || b == nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, c.into, b...); err != nil {
			return fmt.Errorf("sum usage: %w", err)
		}
		deleted, err := tx.ExecContext(ctx, `DELETE FROM usage WHERE `+c.rows+` AND `+inBatch, b...)
		if err != nil {
			return fmt.Errorf("delete summed usage: %w", err)
		}
		moved, err = deleted.RowsAffected()
		return err
	})
	return moved, err
}

// batch returns the parameters of inBatch: the oldest hour, and the first and the last
// account of its first c.limit rows. It returns nil if there is nothing to compact. All
// rows of an account are in one batch, so a batch can exceed the limit by the rows of one
// account.
func (c compaction) batch(ctx context.Context, tx *dbconn.Tx) ([]any, error) {
	rows, err := tx.QueryContext(ctx, `SELECT hour, account_id FROM usage
		WHERE `+c.rows+` AND hour < $1 ORDER BY hour, account_id LIMIT $2`, firstHour(c.before), c.limit)
	if err != nil {
		return nil, fmt.Errorf("read old usage: %w", err)
	}
	defer rows.Close()
	var b []any
	for rows.Next() {
		var hour int64
		var account toksta.AccountID
		if err := rows.Scan(&hour, &account); err != nil {
			return nil, fmt.Errorf("read old usage: %w", err)
		}
		switch {
		case b == nil:
			b = []any{hour, account, account}
		case b[0] != hour:
			return b, nil
		}
		b[2] = account
	}
	return b, rows.Err()
}

// Claim implements [store.Claims].
func (s *Store) Claim(ctx context.Context, c store.Claim) (at time.Time, err error) {
	claim := `INSERT INTO claims (name, holder, until) VALUES ($1, $2, ` + s.now + ` + $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE claims.holder = excluded.holder OR claims.until <= ` + s.now + ` RETURNING until`
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		err := tx.QueryRowContext(ctx, claim, c.Name, c.Holder, c.For.Milliseconds()).Scan(timeColumn{&at})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		at = at.Add(-c.For)
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("claim %s: %w", c.Name, err)
	}
	return at, nil
}
