package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

// creditRows is the query of the data of all balances, by account and hour: charges from
// hour $1 on, purchased credits before it, and the credits reserved by open reservations. One
// statement sees one moment, so a reservation that is being settled is either reserved or
// charged. Before hour $1 only rows with purchased credits are read, by an index of
// their own, so the time does not grow with the age of the usage.
const creditRows = `SELECT account_id, hour, 0, ` + sumCharges + ` FROM usage
		WHERE credits > 0 AND hour >= $1 GROUP BY account_id, hour
	UNION ALL SELECT account_id, hour, 0, ` + sumCharges + ` FROM usage
		WHERE purchased > 0 AND hour < $1 GROUP BY account_id, hour
	UNION ALL SELECT account_id, hour, 1, ` + sumCharges + ` FROM reservations
		WHERE state = 'open' GROUP BY account_id, hour
	ORDER BY 1, 2`

// creditRow is one row of the result of creditRows.
type creditRow struct {
	account  toksta.AccountID
	hour     int64
	reserved bool
	charge   toksta.Charge
}

func scanCreditRow(rows *sql.Rows) (r creditRow, err error) {
	err = rows.Scan(&r.account, &r.hour, &r.reserved,
		&r.charge.Credits, &r.charge.Purchased, &r.charge.Overage, &r.charge.OverageMicros)
	if err != nil {
		return r, fmt.Errorf("read credit use: %w", err)
	}
	return r, nil
}

// addTo adds the row to use, the credit use of its account. start is the first hour of the
// account's cycle. Of a row before start, only purchased credits count.
func (r creditRow) addTo(use *store.CreditUse, start int64) {
	charge := toksta.Charge{Credits: r.charge.Purchased, Purchased: r.charge.Purchased}
	if r.hour >= start {
		charge = r.charge
	}
	switch {
	case r.reserved:
		use.Reserved = use.Reserved.Plus(charge)
	default:
		use.PurchasedEver += charge.Purchased
		if r.hour >= start {
			use.Cycle = use.Cycle.Plus(charge)
		}
	}
}

// CreditUse implements [store.Usage]. Rows are sorted by account, so that it keeps one
// sum in memory.
func (s *Store) CreditUse(ctx context.Context, since time.Time, cycle func(toksta.AccountID) time.Time, each func(toksta.AccountID, store.CreditUse)) error {
	ctx = dbconn.WithLongTimeout(ctx)
	rows, err := s.reads.QueryContext(ctx, creditRows, firstHour(since))
	if err != nil {
		return fmt.Errorf("read credit use: %w", err)
	}
	defer rows.Close()
	var (
		account toksta.AccountID
		start   int64
		use     store.CreditUse
	)
	for rows.Next() {
		row, err := scanCreditRow(rows)
		if err != nil {
			return err
		}
		if row.account != account {
			if account != "" {
				each(account, use)
			}
			account, start, use = row.account, firstHour(cycle(row.account)), store.CreditUse{}
		}
		row.addTo(&use, start)
	}
	if account != "" && rows.Err() == nil {
		each(account, use)
	}
	return rows.Err()
}
