package rig

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/toksta/toksta"
)

// slot is what usage is counted by.
type slot struct {
	key  toksta.KeyID
	hour int64 // since 1970
}

// bounds are what a slot's count must lie between.
type bounds struct{ answered, tried int64 }

// bounds returns them for every slot used until end. Of the processes beyond the
// first nodes, which are twins, the counts go with their folders.
func (h *history) bounds(nodes int, end time.Duration) map[slot]bounds {
	hour := func(at time.Duration) int64 { return h.began.Add(at).Unix() / 3600 }
	all := map[slot]bounds{}
	for _, u := range h.uses {
		first, last := hour(u.call), hour(u.done)
		if u.status == 0 { // it may arrive late
			last = hour(end)
		}
		for at := first; at <= last; at++ {
			s := slot{u.secret.key.id, at}
			b := all[s]
			b.tried += int64(u.tries)
			if u.admitted() && first == last && u.node < nodes {
				b.answered++
			}
			all[s] = b
		}
	}
	return all
}

// settled is how long counts may take to reach the database after the last use.
const settled = 15 * time.Second

// miscounts returns the slots whose count is not between what was answered and
// what was tried, once all counts had time to get to the database.
func (h *history) miscounts(ctx context.Context, k *cluster) (bad []Violation, err error) {
	if k.database == nil {
		return nil, nil // only the database tells hours apart
	}
	bounds := h.bounds(len(k.nodes), h.now())
	for until := time.Now().Add(settled); ; rest(ctx, 500*time.Millisecond) {
		counted, err := k.database.primary.Load().usage(ctx)
		if err != nil {
			return nil, err
		}
		if bad = compare(bounds, counted); len(bad) == 0 || time.Now().After(until) {
			return bad, ctx.Err()
		}
	}
}

// compare holds counts against their bounds.
func compare(want map[slot]bounds, counted map[slot]int64) (bad []Violation) {
	slots := slices.Collect(maps.Keys(want))
	for s := range counted {
		if _, known := want[s]; !known {
			slots = append(slots, s)
		}
	}
	slices.SortFunc(slots, func(a, b slot) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.hour, b.hour)) })
	for _, s := range slots {
		if b, n := want[s], counted[s]; n < b.answered || n > b.tried {
			bad = append(bad, Violation{Miscounted, 0, fmt.Sprintf("key %s: answered %d, counted %d, tried %d", s.key, b.answered, n, b.tried)})
		}
	}
	return bad
}

// usage reads what was counted of admitted calls.
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
