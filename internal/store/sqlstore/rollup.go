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

// Rows that a fold takes. Both texts begin as the partial indexes have it, or
// the database would not use them.
const (
	// Of an open epoch a greater total can still come, which must find the one
	// that it is the greatest of. What is to be exported goes out by the hour.
	hourly = `span = 1 AND epoch <> 'reservations' AND epoch IN (SELECT epoch FROM usage_epochs WHERE closed = 1)
		AND (exported = 1 OR reason <> '' OR hour < COALESCE((SELECT from_hour FROM export_state), hour + 1))`
	daily = `span = 24`
)

// byOwner begins the epoch of what is added up: whoever leaves out the epochs
// of one process leaves out its days with them.
const byOwner = `substr(epoch, 1, 24)`

// rollUp adds a batch to the rows of its day.
const rollUp = `INSERT INTO usage (account_id, hour, key_id, family, cost_key, reason, epoch, span,
		calls, credits, purchased, overage, overage_micros)
	SELECT account_id, hour - hour % 24, key_id, family, cost_key, reason, ` + byOwner + ` || ' day', 24,
		CAST(sum(calls) AS BIGINT), ` + charges + `
	FROM usage WHERE ` + hourly + ` AND ` + ofBatch + `
	GROUP BY 1, 2, 3, 4, 5, 6, 7
	ON CONFLICT (account_id, hour, key_id, family, cost_key, reason, epoch) DO UPDATE SET
		calls = usage.calls + excluded.calls, credits = usage.credits + excluded.credits,
		purchased = usage.purchased + excluded.purchased, overage = usage.overage + excluded.overage,
		overage_micros = usage.overage_micros + excluded.overage_micros`

// carry leaves of a batch what balances rest on for ever.
const carry = `INSERT INTO usage (account_id, hour, key_id, family, cost_key, reason, epoch, span,
		calls, credits, purchased, overage, overage_micros)
	SELECT account_id, 0, '', '', '', '', ` + byOwner + ` || ' ever', 0, 0, 0, CAST(sum(purchased) AS BIGINT), 0, 0
	FROM usage WHERE ` + daily + ` AND ` + ofBatch + ` AND purchased > 0
	GROUP BY 1, 7
	ON CONFLICT (account_id, hour, key_id, family, cost_key, reason, epoch) DO UPDATE SET
		purchased = usage.purchased + excluded.purchased`

// ofBatch is one hour of a range of accounts.
const ofBatch = `hour = $1 AND account_id >= $2 AND account_id <= $3`

// RollUp implements [store.Retention].
func (s *Store) RollUp(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.fold(ctx, fold{rows: hourly, into: rollUp, before: before, limit: limit})
}

// Drop implements [store.Retention].
func (s *Store) Drop(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.fold(ctx, fold{rows: daily, into: carry, before: before, limit: limit})
}

// EpochClosed implements [store.Epochs].
func (s *Store) EpochClosed(ctx context.Context, epoch string) (closed bool, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM usage_epochs WHERE epoch = $1 AND closed = 1)`, epoch).Scan(&closed)
	if err != nil {
		return false, fmt.Errorf("read the epoch %s: %w", epoch, err)
	}
	return closed, nil
}

// fold replaces rows by fewer that say less.
type fold struct {
	rows   string // which: a condition
	into   string // statement: adds a batch of them to what replaces them
	before time.Time
	limit  int
}

// fold moves the oldest batch in one transaction and returns how many rows that
// were; 0: there is none. Its statements see one moment, so what is
// added is what is deleted; of two nodes with the same batch one tries again
// and finds it gone.
func (s *Store) fold(ctx context.Context, f fold) (moved int64, err error) {
	ctx = dbconn.WithLongTimeout(ctx)
	err = s.inTxAt(ctx, sql.LevelRepeatableRead, func(tx *dbconn.Tx) error {
		moved = 0
		b, err := f.batch(ctx, tx)
		if err != nil || b == nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, f.into, b...); err != nil {
			return fmt.Errorf("add usage up: %w", err)
		}
		deleted, err := tx.ExecContext(ctx, `DELETE FROM usage WHERE `+f.rows+` AND `+ofBatch, b...)
		if err != nil {
			return fmt.Errorf("delete what was added up: %w", err)
		}
		moved, err = deleted.RowsAffected()
		return err
	})
	return moved, err
}

// batch returns the parameters of ofBatch: the oldest hour, and its first
// accounts up to the limit of rows. An account is never divided, so a batch can
// be greater by the rows of one; nil when there is nothing to do.
func (f fold) batch(ctx context.Context, tx *dbconn.Tx) ([]any, error) {
	rows, err := tx.QueryContext(ctx, `SELECT hour, account_id FROM usage
		WHERE `+f.rows+` AND hour < $1 ORDER BY hour, account_id LIMIT $2`, firstHour(f.before), f.limit)
	if err != nil {
		return nil, fmt.Errorf("look for old usage: %w", err)
	}
	defer rows.Close()
	var b []any
	for rows.Next() {
		var hour int64
		var account toksta.AccountID
		if err := rows.Scan(&hour, &account); err != nil {
			return nil, fmt.Errorf("look for old usage: %w", err)
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
