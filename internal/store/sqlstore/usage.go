package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// Flush implements [store.Usage]. It writes the whole batch in one transaction.
func (s *Store) Flush(ctx context.Context, b store.UsageBatch) error {
	// In the order of keys, two nodes can flush the same keys without a deadlock.
	uses := slices.SortedFunc(slices.Values(b.LastUses), func(a, b store.LastUse) int {
		return strings.Compare(string(a.KeyID), string(b.KeyID))
	})
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		closed, err := lockEpoch(ctx, tx, b.Epoch)
		if err != nil {
			return err
		}
		if !closed {
			if err := s.totalRows(b.Epoch).queue(ctx, tx, b.Totals); err != nil {
				return err
			}
		}
		if b.Close && !closed {
			if _, err := tx.ExecContext(ctx, `UPDATE usage_epochs SET closed = 1 WHERE epoch = $1`, b.Epoch); err != nil {
				return fmt.Errorf("close the epoch: %w", err)
			}
		}
		return s.lastUseRows().queue(ctx, tx, uses)
	})
}

// lockEpoch reports whether the epoch is closed, and locks that state until tx ends. A
// flush can continue after its sender timed out. Because of the lock it ends before the
// closing flush begins, or it finds the epoch closed.
func lockEpoch(ctx context.Context, tx *dbconn.Tx, epoch string) (closed bool, err error) {
	err = tx.QueryRowContext(ctx, `INSERT INTO usage_epochs (epoch, closed) VALUES ($1, 0)
		ON CONFLICT (epoch) DO UPDATE SET closed = usage_epochs.closed RETURNING closed = 1`, epoch).Scan(&closed)
	if err != nil {
		return false, fmt.Errorf("lock the epoch: %w", err)
	}
	return closed, nil
}

// totalRows describes how the totals of one epoch are written: a row keeps the greater
// total. Epochs do not share rows, so nodes do not wait for one another.
func (s *Store) totalRows(epoch string) upsert[store.UsageTotal] {
	return upsert[store.UsageTotal]{
		table:    "usage",
		chunk:    s.chunk,
		conflict: []string{"account_id", "hour", "key_id", "family", "cost_key", "reason", "epoch"},
		columns: []string{
			"account_id", "hour", "key_id", "family", "cost_key", "reason", "epoch",
			"calls", "credits", "purchased", "overage", "overage_micros",
		},
		set: assignGreatest("calls", "credits", "purchased", "overage", "overage_micros") + ", exported = 0",
		args: func(t store.UsageTotal) ([]any, error) {
			return []any{
				t.AccountID, t.Hour, t.KeyID, t.Family, t.CostKey, t.Reason, epoch,
				t.Calls, t.Charge.Credits, t.Charge.Purchased, t.Charge.Overage, t.Charge.OverageMicros,
			}, nil
		},
	}
}

// assignGreatest returns assignments that keep the greater of the stored and the given
// total.
func assignGreatest(columns ...string) string {
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = fmt.Sprintf("%[1]s = CASE WHEN excluded.%[1]s > usage.%[1]s THEN excluded.%[1]s ELSE usage.%[1]s END", c)
	}
	return strings.Join(set, ", ")
}

// lastUseRows describes how last uses are written: a row is updated only by a newer use.
func (s *Store) lastUseRows() upsert[store.LastUse] {
	return upsert[store.LastUse]{
		table:    "last_uses",
		chunk:    s.chunk,
		conflict: []string{"key_id"},
		columns:  []string{"key_id", "account_id", "at", "address", "agent", "operation"},
		set: `account_id = excluded.account_id, at = excluded.at, address = excluded.address,
			agent = excluded.agent, operation = excluded.operation WHERE excluded.at > last_uses.at`,
		args: func(u store.LastUse) ([]any, error) {
			return []any{u.KeyID, u.AccountID, millis(u.At), u.Address, u.Agent, u.Operation}, nil
		},
	}
}

// sumCharges sums each column of a toksta.Charge.
const sumCharges = `CAST(sum(credits) AS BIGINT), CAST(sum(purchased) AS BIGINT),
	CAST(sum(overage) AS BIGINT), CAST(sum(overage_micros) AS BIGINT)`

// ListUsage implements [store.Usage]. The primary key starts with account and hour, so a
// report reads only its own rows.
func (s *Store) ListUsage(ctx context.Context, q store.UsageQuery) ([]store.UsageRow, error) {
	var c conditions
	c.and("account_id =", q.Account)
	rows, err := s.sums(ctx, &c, q, "")
	if err != nil {
		return nil, err
	}
	return collect(rows, scanUsage)
}

// EachUsage implements [store.Usage].
func (s *Store) EachUsage(ctx context.Context, q store.UsageQuery, each func(row store.UsageRow, externalID string) error) error {
	ctx = dbconn.WithLongTimeout(ctx)
	var c conditions
	if q.Account != "" {
		c.and("account_id =", q.Account)
	}
	rows, err := s.sums(ctx, &c, q, `, `+accountExternalID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var row store.UsageRow
		var externalID string
		if err := rows.Scan(append(usageFields(&row), &externalID)...); err != nil {
			return fmt.Errorf("read usage: %w", err)
		}
		if err := each(row, externalID); err != nil {
			return err
		}
	}
	return rows.Err()
}

// accountExternalID is the external id of the account of a row of usage, empty if it has none.
const accountExternalID = `COALESCE((SELECT external_id FROM accounts WHERE id = usage.account_id), '')`

// sums queries the totals that q and the conditions in c select, summed over epochs, and
// the further columns.
func (s *Store) sums(ctx context.Context, c *conditions, q store.UsageQuery, further string) (*sql.Rows, error) {
	bucket := `hour`
	if q.GroupDay {
		bucket = `hour - hour % 24`
	}
	c.and("hour >=", firstHour(q.From))
	c.and("hour <", firstHour(q.To))
	if q.Key != "" {
		c.and("key_id =", q.Key)
	}
	rows, err := s.reads.QueryContext(ctx, `SELECT account_id, key_id, family, cost_key, reason, `+bucket+`,
		CAST(sum(calls) AS BIGINT), `+sumCharges+further+` FROM usage`+c.text.String()+`
		GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 6, 2, 3, 4, 5`, c.args...)
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	return rows, nil
}

func scanUsage(rows *sql.Rows) (u store.UsageRow, err error) { return u, rows.Scan(usageFields(&u)...) }

// usageFields returns the destinations of the columns of sums.
func usageFields(u *store.UsageRow) []any {
	return []any{
		&u.AccountID, &u.KeyID, &u.Family, &u.CostKey, &u.Reason, &u.Hour,
		&u.Calls, &u.Charge.Credits, &u.Charge.Purchased, &u.Charge.Overage, &u.Charge.OverageMicros,
	}
}

// firstHour returns the first Unix hour that starts at t or later.
func firstHour(t time.Time) int64 {
	const hour = 3600
	return (t.Unix() + hour - 1) / hour
}

// LastUses implements [store.Usage].
func (s *Store) LastUses(ctx context.Context, account toksta.AccountID) (map[toksta.KeyID]store.LastUse, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT key_id, account_id, at, address, agent, operation
		FROM last_uses WHERE account_id = $1`, account)
	if err != nil {
		return nil, fmt.Errorf("read last uses: %w", err)
	}
	uses, err := collect(rows, func(rows *sql.Rows) (u store.LastUse, err error) {
		return u, rows.Scan(&u.KeyID, &u.AccountID, timeColumn{&u.At}, &u.Address, &u.Agent, &u.Operation)
	})
	byKey := make(map[toksta.KeyID]store.LastUse, len(uses))
	for _, u := range uses {
		byKey[u.KeyID] = u
	}
	return byKey, err
}
