package rig

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/toksta/toksta/sdk/toksta"
)

// slot identifies one usage counter.
type slot struct {
	key  toksta.KeyID
	hour int64 // since 1970
}

// bounds limit the value of a usage counter: at least the admitted calls with a
// response, at most the calls sent.
type bounds struct{ responded, sent int64 }

// bounds returns the limits of every slot used until end. Uses of twins, which have
// numbers from nodes upwards, have no lower limit, because their counts are deleted
// with their directories.
func (h *history) bounds(nodes int, end time.Duration) map[slot]bounds {
	hour := func(at time.Duration) int64 { return h.began.Add(at).Unix() / 3600 }
	all := map[slot]bounds{}
	for _, u := range h.uses {
		if u.secret.kind != apiKey {
			continue // they are not counted
		}
		first, last := hour(u.call), hour(u.done)
		if u.status == 0 { // the request can arrive later
			last = hour(end)
		}
		for at := first; at <= last; at++ {
			s := slot{u.secret.key.id, at}
			b := all[s]
			b.sent += int64(u.tries)
			if u.admitted() && first == last && u.node < nodes {
				b.responded++
			}
			all[s] = b
		}
	}
	return all
}

// countDelay limits the time from the last use until its count is in the database.
const countDelay = 15 * time.Second

// miscounts returns the slots whose count is outside its bounds after countDelay.
func (h *history) miscounts(ctx context.Context, k *cluster) (bad []Violation, err error) {
	if k.database == nil {
		return nil, nil // the operator API has no counts per hour
	}
	bounds := h.bounds(len(k.nodes), h.now())
	for until := time.Now().Add(countDelay); ; sleep(ctx, 500*time.Millisecond) {
		counted, err := k.database.primary.Load().usage(ctx)
		if err != nil {
			return nil, err
		}
		if bad = compare(bounds, counted); len(bad) == 0 || time.Now().After(until) {
			return bad, ctx.Err()
		}
	}
}

// compare returns a violation for each count outside its bounds.
func compare(want map[slot]bounds, counted map[slot]int64) (bad []Violation) {
	slots := slices.Collect(maps.Keys(want))
	for s := range counted {
		if _, known := want[s]; !known {
			slots = append(slots, s)
		}
	}
	slices.SortFunc(slots, func(a, b slot) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.hour, b.hour)) })
	for _, s := range slots {
		if b, n := want[s], counted[s]; n < b.responded || n > b.sent {
			bad = append(bad, Violation{Miscounted, 0, fmt.Sprintf("key %s: %d responses, %d counted, %d sent", s.key, b.responded, n, b.sent)})
		}
	}
	return bad
}

// usage reads the counts of admitted calls.
func (p *postgres) usage(ctx context.Context) (map[slot]int64, error) {
	conn, err := pgx.Connect(ctx, databaseURL(p.address()))
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `SELECT key_id, hour, CAST(sum(calls) AS BIGINT) FROM usage WHERE reason = '' GROUP BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	counted := map[slot]int64{}
	var (
		s slot
		n int64
	)
	_, err = pgx.ForEachRow(rows, []any{&s.key, &s.hour, &n}, func() error { counted[s] = n; return nil })
	return counted, err
}
