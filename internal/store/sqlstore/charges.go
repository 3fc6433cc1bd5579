package sqlstore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// ChargesBy implements [store.Credits]. A chunk is one statement, so it sees a
// reservation that is being settled either as reserved or as charged.
func (s *Store) ChargesBy(ctx context.Context, except string, spans []store.ChargeSpan) ([]store.Charged, error) {
	out := make([]store.Charged, 0, len(spans))
	for part := range slices.Chunk(spans, lookups) {
		charged, err := s.reader.chargesBy(ctx, except, part)
		if err != nil {
			return nil, fmt.Errorf("read charges: %w", err)
		}
		out = append(out, charged...)
	}
	return out, nil
}

// chargesBy returns the sums of ChargesBy for a number of spans that fits one statement.
func (r reader) chargesBy(ctx context.Context, except string, spans []store.ChargeSpan) ([]store.Charged, error) {
	args := []any{except, len(except)}
	for i, span := range spans {
		start, from, to := firstHour(span.Cycle), firstHour(span.From), int64(math.MaxInt64)
		if !span.To.IsZero() {
			to = firstHour(span.To)
		}
		own := max(start, firstHour(span.Own))
		if except == "" {
			own = math.MaxInt64 // leave out no hour
		}
		args = append(args, i, span.Account, start, own, from, min(max(start, from), to), to)
	}
	rows, err := r.q.QueryContext(ctx, chargesQuery(len(spans)), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make([]store.Charged, len(spans))
	for rows.Next() {
		var at, entries int64
		var part chargePart
		var c toksta.Charge
		if err := rows.Scan(&at, &part, &entries, &c.Credits, &c.Purchased, &c.Overage, &c.OverageMicros); err != nil {
			return nil, err
		}
		part.addTo(&out[at].CreditUse, c)
		out[at].Entries += entries
	}
	return out, rows.Err()
}

// chargePart is the kind of a row of chargesQuery, whose text has these numbers.
type chargePart int

const (
	inCycle chargePart = iota
	beforeCycle
	heldInCycle
	heldBefore
	entryCount
)

func (p chargePart) addTo(use *store.CreditUse, c toksta.Charge) {
	purchased := toksta.Charge{Credits: c.Purchased, Purchased: c.Purchased}
	switch p {
	case inCycle:
		use.Cycle = c
		use.PurchasedEver += c.Purchased
	case beforeCycle:
		use.PurchasedEver += c.Purchased
	case heldInCycle:
		use.Reserved = use.Reserved.Plus(c)
	case heldBefore:
		use.Reserved = use.Reserved.Plus(purchased)
	}
}

// chargesQuery returns the query for n spans. It finds the hours [mid, last) by the primary
// key of usage, which starts with account and hour, and the hours [first, mid) by the index
// of purchased credits; mid is the start of the cycle within the span. It leaves out the
// epochs with the prefix $1 from hour own on.
func chargesQuery(n int) string {
	var b strings.Builder
	b.WriteString(`WITH asked (at, account, start, own, first, mid, last) AS (VALUES `)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		p := 7*i + 3
		fmt.Fprintf(&b, `(CAST($%d AS BIGINT), CAST($%d AS IDTEXT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT))`,
			p, p+1, p+2, p+3, p+4, p+5, p+6)
	}
	b.WriteString(`)
		SELECT at, 0, 0, ` + sumCharges + ` FROM asked CROSS JOIN usage
			WHERE account_id = account AND hour >= mid AND hour < last
			AND (hour < own OR substr(epoch, 1, CAST($2 AS INTEGER)) <> $1) GROUP BY at
		UNION ALL SELECT at, 1, 0, ` + sumCharges + ` FROM asked CROSS JOIN usage
			WHERE account_id = account AND hour >= first AND hour < mid AND purchased > 0 GROUP BY at
		UNION ALL SELECT at, CASE WHEN hour >= start THEN 2 ELSE 3 END, 0, ` + sumCharges + ` FROM asked CROSS JOIN reservations
			WHERE account_id = account AND state = 'open' GROUP BY 1, 2
		UNION ALL SELECT at, 4, entries, 0, 0, 0, 0 FROM asked CROSS JOIN credit_accounts WHERE account_id = account`)
	return b.String()
}
