package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// CommitCredits implements [store.Credits]. It locks only the account's credit row, so a
// change of the account's plan or status does not wait for it.
func (s *Store) CommitCredits(ctx context.Context, q store.CreditQuery, decide store.DecideCredits) (written []store.CreditEntry, err error) {
	err = s.inTx(ctx, func(tx *dbconn.Tx) error {
		state, err := s.lockingReader(tx).CreditState(ctx, q)
		if err != nil {
			return err
		}
		m, err := decide(state)
		if err != nil {
			return err
		}
		if err := reservationRows().queue(ctx, tx, m.Reservations); err != nil {
			return err
		}
		if err := s.chargeRows().queue(ctx, tx, m.Usage); err != nil {
			return err
		}
		written, err = s.writeEntries(ctx, tx, m.Entries)
		return err
	})
	return written, err
}

// lockCredits locks an account's credit row, adds the number of added entries to its
// count, and returns the new count and the database's time.
func (r reader) lockCredits(ctx context.Context, account toksta.AccountID, added int) (entries int64, at time.Time, err error) {
	lock := `INSERT INTO credit_accounts (account_id, entries) SELECT id, CAST($2 AS BIGINT) FROM accounts WHERE id = $1
		ON CONFLICT (account_id) DO UPDATE SET entries = credit_accounts.entries + excluded.entries
		RETURNING entries, ` + r.clock
	err = r.q.QueryRowContext(ctx, lock, account, added).Scan(&entries, timeColumn{&at})
	return entries, at, rowError(err, "the account's credits")
}

// writeEntries sets the ids, numbers and times of entries and inserts them.
func (s *Store) writeEntries(ctx context.Context, tx *dbconn.Tx, entries []store.CreditEntry) ([]store.CreditEntry, error) {
	const insert = `INSERT INTO credit_entries (` + entryColumns + `) VALUES `
	written := make([]store.CreditEntry, 0, len(entries))
	for _, e := range entries {
		number, at, err := s.lockingReader(tx).lockCredits(ctx, e.AccountID, 1)
		if err != nil {
			return nil, err
		}
		e.ID, e.Number, e.At = toksta.NewID(toksta.PrefixCreditEntry, at), number, at
		values := []any{
			e.ID, e.AccountID, e.Number, millis(e.At), e.Kind,
			e.Delta.Credits, e.Delta.Purchased, e.Delta.Overage, e.Delta.OverageMicros,
			e.ReservationID, e.Reason, e.Actor,
			sql.NullString{String: e.IdempotencyKey, Valid: e.IdempotencyKey != ""},
			e.Request,
		}
		if err := tx.Queue(ctx, insert+tuples(1, len(values)), values...); err != nil {
			return nil, fmt.Errorf("write a credit entry: %w", err)
		}
		written = append(written, e)
	}
	return written, nil
}

// chargeRows describes how the charges of reservations are written: a difference is added
// to the row. The caller holds the lock of the account's credit row.
func (s *Store) chargeRows() upsert[store.UsageTotal] {
	rows := s.totalRows(store.EpochReservations)
	rows.chunk = 1 // two rows of one decision can have the same slot
	rows.set = assignSums("calls", "credits", "purchased", "overage", "overage_micros") + ", exported = 0"
	return rows
}

// assignSums returns assignments that add the given totals to the stored ones.
func assignSums(columns ...string) string {
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = fmt.Sprintf("%[1]s = usage.%[1]s + excluded.%[1]s", c)
	}
	return strings.Join(set, ", ")
}

// reservationRows describes how reservations are written: an update changes only the state
// and the charged amounts.
func reservationRows() upsert[store.Reservation] {
	return upsert[store.Reservation]{
		table:    "reservations",
		conflict: []string{"id"},
		columns: []string{
			"id", "account_id", "key_id", "family", "cost_key", "hour",
			"credits", "purchased", "overage", "overage_micros",
			"charged_credits", "charged_purchased", "charged_overage", "charged_overage_micros",
			"state", "created_at", "expires_at",
		},
		set: `charged_credits = excluded.charged_credits, charged_purchased = excluded.charged_purchased,
			charged_overage = excluded.charged_overage, charged_overage_micros = excluded.charged_overage_micros,
			state = excluded.state`,
		args: func(r store.Reservation) ([]any, error) {
			return []any{
				r.ID, r.Slot.AccountID, r.Slot.KeyID, r.Slot.Family, r.Slot.CostKey, r.Slot.Hour,
				r.Split.Credits, r.Split.Purchased, r.Split.Overage, r.Split.OverageMicros,
				r.Charged.Credits, r.Charged.Purchased, r.Charged.Overage, r.Charged.OverageMicros,
				r.State, millis(r.CreatedAt), millis(r.ExpiresAt),
			}, nil
		},
	}
}

// OverdueAccounts implements [store.Credits].
func (s *Store) OverdueAccounts(ctx context.Context, limit int) ([]toksta.AccountID, error) {
	ctx = dbconn.WithLongTimeout(ctx)
	overdue := `SELECT DISTINCT account_id FROM reservations WHERE state = 'open' AND expires_at <= ` + s.now + ` LIMIT $1`
	rows, err := s.reads.QueryContext(ctx, overdue, limit)
	if err != nil {
		return nil, fmt.Errorf("find overdue reservations: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (id toksta.AccountID, err error) { return id, rows.Scan(&id) })
}

// CreditState implements [store.Balances]. In a change it locks the credit row first, so
// that it reads the result of the decision before.
func (r reader) CreditState(ctx context.Context, q store.CreditQuery) (state store.CreditState, err error) {
	if state.Now, err = r.decisionTime(ctx, q.Account); err != nil {
		return state, err
	}
	if state.Account, err = r.Account(ctx, q.Account); err != nil {
		return state, err
	}
	if state.Cycle, _ = toksta.Cycle(state.Account.CycleAnchor, state.Now); state.Cycle.Before(q.Cycle) {
		state.Cycle = q.Cycle
	}
	use, err := r.chargesBy(ctx, q.Except, []store.ChargeSpan{{Account: q.Account, Cycle: state.Cycle, Own: q.Own}})
	if err != nil {
		return state, fmt.Errorf("read charges: %w", err)
	}
	state.Use = use[0]
	state.Overdue, err = r.reservations(ctx, `WHERE account_id = $1 AND state = 'open' AND expires_at <= $2 ORDER BY id`,
		q.Account, millis(state.Now))
	if err != nil {
		return state, err
	}
	for _, o := range state.Overdue {
		state.Use.Reserved = state.Use.Reserved.Minus(state.InCycle(o.Slot.Hour, o.Split))
	}
	reservation, err := r.reservations(ctx, `WHERE id = $1 AND account_id = $2`, q.Reservation, q.Account)
	if state.Reservation, err = optional(reservation, err); err != nil {
		return state, err
	}
	earlier, err := r.entries(ctx, `WHERE account_id = $1 AND idempotency_key = $2`, q.Account, q.IdempotencyKey)
	state.Earlier, err = optional(earlier, err)
	return state, err
}

// decisionTime returns the database's time. If the reader is part of a change, it locks
// the account's credits first.
func (r reader) decisionTime(ctx context.Context, account toksta.AccountID) (now time.Time, err error) {
	if r.locks {
		_, now, err = r.lockCredits(ctx, account, 0)
		return now, err
	}
	return r.Time(ctx)
}

// Time implements [store.Clock].
func (r reader) Time(ctx context.Context) (now time.Time, err error) {
	err = r.q.QueryRowContext(ctx, `SELECT `+r.clock).Scan(timeColumn{&now})
	return now, rowError(err, "the time")
}

// optional returns the only row of a look-up, or nil if there is none.
func optional[T any](found []T, err error) (*T, error) {
	row, err := one(found, err)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	default:
		return &row, nil
	}
}

// entryColumns lists the columns in the order in which entries and writeEntries use them.
const entryColumns = `id, account_id, number, at, kind, credits, purchased, overage, overage_micros,
	reservation_id, reason, actor, idempotency_key, request`

func (r reader) entries(ctx context.Context, where string, args ...any) ([]store.CreditEntry, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT `+entryColumns+` FROM credit_entries `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read credit entries: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (e store.CreditEntry, err error) {
		var key sql.NullString
		err = rows.Scan(&e.ID, &e.AccountID, &e.Number, timeColumn{&e.At}, &e.Kind,
			&e.Delta.Credits, &e.Delta.Purchased, &e.Delta.Overage, &e.Delta.OverageMicros,
			&e.ReservationID, &e.Reason, &e.Actor, &key, &e.Request)
		e.IdempotencyKey = key.String
		return e, err
	})
}

func (r reader) reservations(ctx context.Context, where string, args ...any) ([]store.Reservation, error) {
	rows, err := r.q.QueryContext(ctx, `SELECT id, account_id, key_id, family, cost_key, hour,
		credits, purchased, overage, overage_micros,
		charged_credits, charged_purchased, charged_overage, charged_overage_micros,
		state, created_at, expires_at FROM reservations `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read reservations: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (v store.Reservation, err error) {
		return v, rows.Scan(&v.ID, &v.Slot.AccountID, &v.Slot.KeyID, &v.Slot.Family, &v.Slot.CostKey, &v.Slot.Hour,
			&v.Split.Credits, &v.Split.Purchased, &v.Split.Overage, &v.Split.OverageMicros,
			&v.Charged.Credits, &v.Charged.Purchased, &v.Charged.Overage, &v.Charged.OverageMicros,
			&v.State, timeColumn{&v.CreatedAt}, timeColumn{&v.ExpiresAt})
	})
}

// ListCreditEntries implements [store.CreditRecords].
func (r reader) ListCreditEntries(ctx context.Context, q store.EntryQuery) ([]store.CreditEntry, error) {
	var c conditions
	c.and("account_id =", q.Account)
	if q.Reservation != "" {
		c.and("reservation_id =", q.Reservation)
	}
	if q.Before > 0 {
		c.and("number <", q.Before)
	}
	c.text.WriteString(" ORDER BY number DESC LIMIT " + c.bind(limit(q.Limit)))
	return r.entries(ctx, c.text.String(), c.args...)
}

// ListReservations implements [store.CreditRecords].
func (r reader) ListReservations(ctx context.Context, q store.ReservationQuery) ([]store.Reservation, error) {
	var c conditions
	c.and("id >", q.Page.After)
	if q.Account != "" {
		c.and("account_id =", q.Account)
	}
	c.text.WriteString(" AND state = 'open' ORDER BY id LIMIT " + c.bind(limit(q.Page.Limit)))
	return r.reservations(ctx, c.text.String(), c.args...)
}
