package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// The heights of the charts, in px.
const (
	accountChart = 196
	keyChart     = 126
)

// usageSection returns the section #usage of one month, "" for the current one.
func (p *Pages) usageSection(ctx context.Context, l keyList, month string) (*view.Usage, error) {
	b := l.month
	if month != "" && month != b.Period {
		var err error
		if b, err = p.Usage.Days(ctx, l.standing.Account.ID, "", month); err != nil {
			return nil, err
		}
	}
	u := &view.Usage{
		Months: p.months(l.standing.Account.CreatedAt, b.Period), Numbers: p.numbers(b, l.standing),
		Chart: chartOf(b, l.now, accountChart), ByReason: reasons(b.Total.Reasons), CSV: home(ctx) + "/usage.csv?month=" + b.Period, Path: p.UsagePath,
	}
	keys := make(map[toksta.KeyID]toksta.Key, len(l.keys))
	for _, k := range l.keys {
		keys[k.ID] = k
	}
	for _, sum := range b.Keys {
		if sum.Admitted == 0 {
			continue
		}
		key := keys[sum.ID]
		share := view.Share{Label: label(key), Count: sum.Admitted}
		if !key.RevokedAt.IsZero() {
			share.Note = "revoked"
		}
		u.ByKey = append(u.ByKey, share)
	}
	for _, f := range b.Families {
		if f.Admitted == 0 {
			continue
		}
		u.ByFamily = append(u.ByFamily, view.Share{Label: string(f.Family), Count: f.Admitted})
	}
	u.ByOperation = operations(b.Operations)
	return u, nil
}

// operations returns the operations that cost credits, the most expensive
// first.
func operations(spent map[string]usage.Operation) []view.Share {
	var out []view.Share
	for name, o := range spent {
		out = append(out, view.Share{Label: name, Note: view.Count(o.Calls, "call"), Count: o.Credits})
	}
	slices.SortFunc(out, func(a, b view.Share) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Label, b.Label))
	})
	return out
}

// months returns the options of the month select, newest first: the months with
// stored usage since the account was created, and the shown month.
func (p *Pages) months(created time.Time, shown string) []view.Option {
	now := p.Now().UTC()
	oldest := p.Usage.Kept.FirstMonth(now)
	var out []view.Option
	for first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC); !first.Before(oldest); first = first.AddDate(0, -1, 0) {
		value := first.Format("2006-01")
		if len(out) > 0 && !first.AddDate(0, 1, 0).After(created) && value != shown {
			continue
		}
		out = append(out, view.Option{Value: value, Text: first.Format("January 2006"), Selected: value == shown})
	}
	return out
}

// numbers returns the four figures above the chart. An average below one call a
// day is stated in words, because it would be rounded to 0.
func (p *Pages) numbers(b usage.Breakdown, s *toksta.Standing) []view.Fact {
	calls := view.Fact{Label: "Calls admitted", Value: view.Num(b.Total.Admitted), Note: "none yet"}
	switch days := int64(len(b.Days)); {
	case days > 0 && b.Total.Admitted >= days:
		calls.Note = view.Num(b.Total.Admitted/days) + " a day"
	case b.Total.Admitted > 0:
		calls.Note = "fewer than 1 a day"
	}
	credits := view.Fact{Label: "Credits charged", Value: view.Num(b.Total.Credits), Note: "all calls"}
	if s.Plan.IncludedCredits > 0 {
		credits.Note = fmt.Sprintf("%s included a cycle", view.Num(s.Plan.IncludedCredits))
	}
	overage := view.Fact{Label: "Overage", Value: p.money(int64(b.Total.Overage)), Note: "not charged on this plan"}
	if s.Plan.OverageMicros > 0 {
		overage.Note = p.money(s.Plan.OverageMicros) + " a credit"
	}
	return []view.Fact{calls, credits, overage, {Label: "Refused", Value: view.Num(b.Total.Rejected), Note: "cost no credits"}}
}

// chartOf converts a month to a chart by day.
func chartOf(b usage.Breakdown, now time.Time, height int) view.Chart {
	c := view.Chart{Height: height}
	for _, d := range b.Days {
		c.Month = d.Date
		c.Days = append(c.Days, view.Day{
			Date: d.Date, Admitted: d.Admitted, Rejected: d.Rejected, Credits: d.Credits,
			OverageMicros: int64(d.Overage), Note: mostFrequent(d.Sum),
		})
	}
	if c.Month.Format("2006-01") == now.UTC().Format("2006-01") {
		c.Today = now.UTC()
	}
	return c
}

// mostFrequent returns the most frequent reason of a day's rejections, with its
// number if there are several reasons.
func mostFrequent(s usage.Sum) string {
	if len(s.Reasons) < 2 {
		for reason := range s.Reasons {
			return string(reason)
		}
		return ""
	}
	top := reasons(s.Reasons)[0]
	return view.Num(top.Count) + " " + cmp.Or(top.Code, top.Label)
}

// reasons returns the rejections by reason, most frequent first.
func reasons(counts map[toksta.Reason]int64) []view.Share {
	var out []view.Share
	for reason, n := range counts {
		r := rejection(reason, &toksta.Standing{})
		share := view.Share{Label: fmt.Sprint(r.Status), Code: r.Reason, Count: n}
		if r.Reason == "" {
			share.Label += " · " + r.Words
		}
		out = append(out, share)
	}
	slices.SortFunc(out, func(a, b view.Share) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code))
	})
	return out
}

// usageCSV serves the month as a CSV file with the numbers of the page: one row
// for each day, key, family, cost key and outcome.
func (p *Pages) usageCSV(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if p.CSVMark {
		body.WriteString(text.BOM)
	}
	account := identity(r.Context()).Account.ID
	if err := p.Usage.CSV(r.Context(), &body, account, r.FormValue("month")); err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="usage.csv"`)
	_, _ = body.WriteTo(w)
}

// callsToday returns the number of admitted calls of a key since midnight UTC.
func (p *Pages) callsToday(ctx context.Context, k toksta.Key) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, usageTime)
	defer cancel()
	b, err := p.Usage.Days(ctx, k.AccountID, k.ID, "")
	if err != nil || len(b.Days) == 0 {
		return 0, err
	}
	return b.Days[len(b.Days)-1].Admitted, nil
}
