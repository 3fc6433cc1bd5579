package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// recentDays is the number of days whose rejections are explained. namedEndpoints is the
// largest number of endpoints that are listed for one reason.
const (
	recentDays     = 7
	namedEndpoints = 3
)

// rejections explains the rejections of a key in the last recentDays days, most frequent first,
// and returns their number. Each names its endpoints and the hour of the last one. The caller
// has flushed the totals of this node.
func (p *Pages) rejections(ctx context.Context, k toksta.Key, s *toksta.Standing) (out []view.Rejection, total int64, err error) {
	now := p.Now()
	rows, err := p.Usage.Store.ListUsage(ctx, store.UsageQuery{
		Account: k.AccountID, Key: k.ID, From: now.Add(-recentDays * 24 * time.Hour), To: now.Add(time.Hour),
	})
	if err != nil {
		return nil, 0, err
	}
	byReason := map[toksta.Reason]map[string]int64{} // times by cost key
	last := map[toksta.Reason]int64{}
	for _, row := range rows {
		if row.Reason == "" {
			continue
		}
		if byReason[row.Reason] == nil {
			byReason[row.Reason] = map[string]int64{}
		}
		byReason[row.Reason][row.CostKey] += row.Calls
		last[row.Reason] = max(last[row.Reason], row.Hour)
		total += row.Calls
	}
	for reason, costKeys := range byReason {
		r := rejection(reason, s)
		r.Last = time.Unix(last[reason]*3600, 0).UTC()
		r.Endpoints, r.MoreEndpoints = p.endpoints(costKeys)
		for _, n := range costKeys {
			r.Times += n
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b view.Rejection) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Cause, b.Cause))
	})
	return out, total, nil
}

// endpoints returns the routes that count under the cost keys, the most frequent first, and the
// number of those that are left out. A cost key of a route that is no longer configured stands
// for itself.
func (p *Pages) endpoints(costKeys map[string]int64) (names []string, more int) {
	keys := make([]string, 0, len(costKeys))
	for key := range costKeys {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(costKeys[b], costKeys[a]), cmp.Compare(a, b)) })
	for _, key := range keys {
		found := false
		for _, r := range p.Catalog.Routes {
			if cmp.Or(r.CostKey, r.Operation) != key {
				continue
			}
			found = true
			if name := r.Method + " " + r.Pattern; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if !found && key != "" {
			names = append(names, key)
		}
	}
	if len(names) > namedEndpoints {
		names, more = names[:namedEndpoints], len(names)-namedEndpoints
	}
	return names, more
}
