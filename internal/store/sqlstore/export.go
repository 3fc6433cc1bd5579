package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// notStaged is the condition of the rows of hours before $1 that can differ from their
// staged part. It starts with the condition of a partial index, because the databases use
// the index only if the query contains it.
const notStaged = `exported = 0 AND reason = '' AND span = 1
	AND hour >= (SELECT from_hour FROM export_state) AND hour < $1`

// StageUsage implements [store.Exports]. Its statements see one moment, so the totals in
// the events are those that are marked as staged. If two nodes stage the same rows, or
// a flush changes them, one of the transactions is repeated.
func (s *Store) StageUsage(ctx context.Context, before time.Time, limit int) (rows int, err error) {
	ctx = dbconn.WithLongTimeout(ctx)
	err = s.inTxAt(ctx, sql.LevelRepeatableRead, func(tx *dbconn.Tx) error {
		grown, err := grownRows(ctx, tx, firstHour(before), limit)
		rows = len(grown)
		if err != nil || rows == 0 {
			return err
		}
		if err := s.eventRows().queue(ctx, tx, events(grown)); err != nil {
			return err
		}
		return markStaged(ctx, tx, grown)
	})
	return rows, err
}

// grownRow is a row of usage, with the sum of the events already stored for it.
type grownRow struct {
	store.UsageTotal
	epoch      string
	externalID string
	exports    int64            // events so far
	staged     store.UsageTotal // their sum
}

// grownRows reads up to limit rows of hours before the given one whose counts can have grown
// since their last event was stored, the oldest hours first.
func grownRows(ctx context.Context, tx *dbconn.Tx, before int64, limit int) ([]grownRow, error) {
	rows, err := tx.QueryContext(ctx, `SELECT account_id, hour, key_id, family, cost_key, epoch,
			calls, credits, purchased, overage, overage_micros, COALESCE(exports, 0), COALESCE(exported_calls, 0),
			COALESCE(exported_credits, 0), COALESCE(exported_purchased, 0), COALESCE(exported_overage, 0), COALESCE(exported_overage_micros, 0),
			`+accountExternalID+`
		FROM usage WHERE `+notStaged+` ORDER BY hour LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read usage to stage: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (r grownRow, err error) {
		return r, rows.Scan(&r.AccountID, &r.Hour, &r.KeyID, &r.Family, &r.CostKey, &r.epoch,
			&r.Calls, &r.Charge.Credits, &r.Charge.Purchased, &r.Charge.Overage, &r.Charge.OverageMicros, &r.exports, &r.staged.Calls,
			&r.staged.Charge.Credits, &r.staged.Charge.Purchased, &r.staged.Charge.Overage, &r.staged.Charge.OverageMicros, &r.externalID)
	})
}

// events returns an event for each row that differs from its staged part.
func events(grown []grownRow) []store.UsageEvent {
	var out []store.UsageEvent
	for _, r := range grown {
		if r.differs() {
			out = append(out, r.event())
		}
	}
	return out
}

func (r grownRow) differs() bool { return r.Calls != r.staged.Calls || r.Charge != r.staged.Charge }

func (r grownRow) event() store.UsageEvent {
	e := store.UsageEvent{ID: r.eventID(), ExternalID: r.externalID, UsageTotal: r.UsageTotal}
	e.Calls -= r.staged.Calls
	e.Charge = r.Charge.Minus(r.staged.Charge)
	return e
}

// eventID returns the id of the next event of a row. It contains the number of earlier
// events, because a total can return to an earlier value.
func (r grownRow) eventID() string {
	var b []byte
	for _, part := range []string{string(r.AccountID), string(r.KeyID), string(r.Family), r.CostKey, r.epoch} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.Hour))
	b = binary.BigEndian.AppendUint64(b, uint64(r.exports))
	sum := sha256.Sum256(b)
	return "use_" + hex.EncodeToString(sum[:16])
}

// eventRows describes how events of the export are written.
func (s *Store) eventRows() upsert[store.UsageEvent] {
	return upsert[store.UsageEvent]{
		table: "usage_exports", chunk: s.chunk, conflict: []string{"id"},
		columns: []string{
			"id", "account_id", "hour", "key_id", "family", "cost_key",
			"calls", "credits", "purchased", "overage", "overage_micros", "external_id",
		},
		args: func(e store.UsageEvent) ([]any, error) {
			return []any{
				e.ID, e.AccountID, e.Hour, e.KeyID, e.Family, e.CostKey,
				e.Calls, e.Charge.Credits, e.Charge.Purchased, e.Charge.Overage, e.Charge.OverageMicros, e.ExternalID,
			}, nil
		},
	}
}

// markStaged marks the rows as staged with their present totals. If a row was changed
// since it was read, the transaction fails and is repeated.
func markStaged(ctx context.Context, tx *dbconn.Tx, grown []grownRow) error {
	const mark = `UPDATE usage SET exported = 1, exports = $7,
			exported_calls = calls, exported_credits = credits, exported_purchased = purchased,
			exported_overage = overage, exported_overage_micros = overage_micros
		WHERE account_id = $1 AND hour = $2 AND key_id = $3 AND family = $4 AND cost_key = $5 AND reason = '' AND epoch = $6`
	for _, r := range grown {
		if r.differs() {
			r.exports++
		}
		if err := tx.Queue(ctx, mark, r.AccountID, r.Hour, r.KeyID, r.Family, r.CostKey, r.epoch, r.exports); err != nil {
			return fmt.Errorf("mark usage as staged: %w", err)
		}
	}
	return nil
}

// StagedUsage implements [store.Exports].
func (s *Store) StagedUsage(ctx context.Context, limit int) ([]store.UsageEvent, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT id, account_id, hour, key_id, family, cost_key,
			calls, credits, purchased, overage, overage_micros, external_id
		FROM usage_exports ORDER BY hour, id LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("read usage to export: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (e store.UsageEvent, err error) {
		return e, rows.Scan(&e.ID, &e.AccountID, &e.Hour, &e.KeyID, &e.Family, &e.CostKey,
			&e.Calls, &e.Charge.Credits, &e.Charge.Purchased, &e.Charge.Overage, &e.Charge.OverageMicros, &e.ExternalID)
	})
}

// DeliveredUsage implements [store.Exports]. It adds the number of deleted rows, not of
// ids, to the counter of delivered events, so that an event that two nodes delivered is
// counted once.
func (s *Store) DeliveredUsage(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM usage_exports WHERE id IN `+tuples(1, len(ids)), args...)
		if err != nil {
			return fmt.Errorf("delete delivered usage: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return fmt.Errorf("delete delivered usage: %w", err)
		}
		return s.updateExport(ctx, tx, `delivered = export_state.delivered + $1, delivered_at = `+s.now+`, failure = ''`, n)
	})
}

// SetExport implements [store.ExportState].
func (s *Store) SetExport(ctx context.Context, from *time.Time) error {
	var hour sql.NullInt64
	if from != nil {
		hour = sql.NullInt64{Int64: firstHour(*from), Valid: true}
	}
	return s.inTx(ctx, func(tx *dbconn.Tx) error { return s.updateExport(ctx, tx, `from_hour = $1`, hour) })
}

// FailExport implements [store.ExportState].
func (s *Store) FailExport(ctx context.Context, cause string) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		return s.updateExport(ctx, tx, `failure = $1, failed_at = `+s.now, cause)
	})
}

// updateExport sets fields of the only row of export_state, which it creates first.
func (s *Store) updateExport(ctx context.Context, tx *dbconn.Tx, set string, arg any) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO export_state (one) VALUES (1) ON CONFLICT (one) DO NOTHING`); err != nil {
		return fmt.Errorf("record the export's state: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE export_state SET `+set, arg); err != nil {
		return fmt.Errorf("record the export's state: %w", err)
	}
	return nil
}

// ExportStatus implements [store.ExportState].
func (s *Store) ExportStatus(ctx context.Context, before time.Time) (out store.ExportStatus, err error) {
	ctx = dbconn.WithLongTimeout(ctx)
	hour := firstHour(before)
	var from sql.NullInt64
	err = s.reads.QueryRowContext(ctx, `SELECT from_hour, delivered, delivered_at, failed_at, failure FROM export_state`).
		Scan(&from, &out.Delivered, timeColumn{&out.DeliveredAt}, timeColumn{&out.FailedAt}, &out.Failure)
	if errors.Is(err, sql.ErrNoRows) {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("read the export's state: %w", err)
	}
	if out.On = from.Valid; !out.On {
		return out, nil
	}
	var oldest int64
	err = s.reads.QueryRowContext(ctx, `SELECT CAST(sum(n) AS BIGINT), min(oldest) FROM (
			SELECT count(*) AS n, COALESCE(min(hour), $2) AS oldest FROM usage WHERE `+notStaged+`
			UNION ALL SELECT count(*), COALESCE(min(hour), $2) FROM usage_exports) AS waiting`, hour, int64(math.MaxInt64)).
		Scan(&out.Waiting, &oldest)
	if err != nil {
		return out, fmt.Errorf("read the usage to export: %w", err)
	}
	out.Through = time.Unix(min(oldest, hour)*3600, 0).UTC()
	return out, nil
}
