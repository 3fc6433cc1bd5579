package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// ChargesBy implements [store.Charges]. Hours before the cycle are read apart,
// through the index of those with purchased credits.
func (s *Store) ChargesBy(ctx context.Context, except string, spans []store.ChargeSpan) ([]store.CreditUse, error) {
	out := make([]store.CreditUse, len(spans))
	var current, before []hours
	for i, span := range spans {
		from, cycle, to := firstHour(span.From), firstHour(span.Cycle), int64(math.MaxInt64)
		if !span.To.IsZero() {
			to = firstHour(span.To)
		}
		if at := max(from, cycle); at < to {
			current = append(current, hours{i, span.Account, at, to})
		}
		if to := min(cycle, to); from < to {
			before = append(before, hours{i, span.Account, from, to})
		}
	}
	err := s.eachCharge(ctx, chargeSum{except: except}, current, func(i int, c toksta.Charge) {
		out[i] = store.CreditUse{Cycle: c, PurchasedEver: c.Purchased}
	})
	if err == nil {
		err = s.eachCharge(ctx, chargeSum{except, ` AND purchased > 0`}, before, func(i int, c toksta.Charge) {
			out[i].PurchasedEver += c.Purchased
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read charges: %w", err)
	}
	return out, nil
}

// hours are those of an account in [from, to), asked about at a position.
type hours struct {
	at       int
	account  toksta.AccountID
	from, to int64
}

// chargeSum selects what is summed: epochs that do not begin with except, and
// a further condition.
type chargeSum struct{ except, and string }

// eachCharge sums the hours of each position that has any charge.
func (s *Store) eachCharge(ctx context.Context, q chargeSum, asked []hours, each func(int, toksta.Charge)) error {
	for part := range slices.Chunk(asked, lookups) {
		rows, err := s.reads.QueryContext(ctx, q.text(len(part)), q.args(part)...)
		if err != nil {
			return err
		}
		_, err = collect(rows, func(rows *sql.Rows) (c toksta.Charge, err error) {
			var at int
			if err := rows.Scan(&at, &c.Credits, &c.Purchased, &c.Overage, &c.OverageMicros); err != nil {
				return c, err
			}
			each(at, c)
			return c, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// text joins the asked hours with the primary key, which leads with them.
func (q chargeSum) text(n int) string {
	var b strings.Builder
	b.WriteString(`WITH asked (at, account, first, last) AS (VALUES `)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		p := 4*i + 3
		fmt.Fprintf(&b, `(CAST($%d AS BIGINT), CAST($%d AS IDTEXT), CAST($%d AS BIGINT), CAST($%d AS BIGINT))`, p, p+1, p+2, p+3)
	}
	b.WriteString(`) SELECT at, ` + charges + ` FROM asked CROSS JOIN usage
		WHERE account_id = account AND hour >= first AND hour < last
		AND substr(epoch, 1, CAST($2 AS INTEGER)) <> $1` + q.and + ` GROUP BY at`)
	return b.String()
}

func (q chargeSum) args(asked []hours) []any {
	args := []any{q.except, len(q.except)}
	for _, h := range asked {
		args = append(args, h.at, h.account, h.from, h.to)
	}
	return args
}
