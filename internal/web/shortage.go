package web

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// shortage describes an account whose credits do not pay even the cheapest call that
// costs some.
type shortage struct {
	left   int64     // credits
	since  time.Time // zero: not known
	grant  int64     // credits that the plan grants at resets; 0: none
	resets time.Time
	capped bool // the plan sells overage, and the account's cap is reached
}

// shortageOf returns the shortage of an account, nil if it can pay a call, has no
// calls to pay, or is blocked for another reason.
func (p *Pages) shortageOf(ctx context.Context, s *toksta.Standing) *shortage {
	least, _ := p.prices(s.Families)
	if s.Blocked != "" || least == 0 {
		return nil
	}
	now := p.Now()
	b := p.Usage.Balance(s, now)
	rate := s.Plan.OverageMicros
	sells := rate > 0 && (b.OverageCapMicros <= 0 || b.OverageMicros <= b.OverageCapMicros-rate)
	if sells || b.Remaining() >= least {
		return nil
	}
	out := &shortage{left: b.Remaining(), grant: b.Included, resets: b.ResetsAt, capped: rate > 0}
	if p.Exhausted == nil {
		return out
	}
	since, err := p.Exhausted(ctx, s.Account.ID)
	if err != nil {
		withoutUsage(ctx, err)
		return out
	}
	if start, _ := toksta.Cycle(s.Account.CycleAnchor, now); !since.Before(start) {
		out.since = since
	}
	return out
}

// prices returns the price of the cheapest operation of the families that costs
// credits, 0 if none does, and whether the vendor's API has free ones among them.
func (p *Pages) prices(families []toksta.Family) (least int64, free bool) {
	for _, r := range p.Catalog.Routes {
		switch {
		case !slices.Contains(families, r.Family):
		case r.Credits > 0 && (least == 0 || r.Credits < least):
			least = r.Credits
		case r.Credits == 0 && r.Family != toksta.FamilyAccount:
			free = true
		}
	}
	return least, free
}

// unpaidText explains why the calls of a live key cannot be paid. It returns "" without
// a shortage, and for a key that reaches no operation with a price.
func (p *Pages) unpaidText(lack *shortage, s *toksta.Standing, k toksta.Key) string {
	if lack == nil {
		return ""
	}
	reach := s.Families
	if len(k.Limits.Scopes) > 0 {
		reach = slices.DeleteFunc(slices.Clone(k.Limits.Scopes), func(f toksta.Family) bool { return !slices.Contains(s.Families, f) })
	}
	least, free := p.prices(reach)
	switch {
	case least == 0:
		return ""
	case free:
		return lack.words() + "; free calls go on"
	}
	return lack.words()
}

// words returns the cause of the shortage.
func (l *shortage) words() string {
	switch {
	case l.capped:
		return "The overage cap is reached"
	case l.left > 0:
		return "Only " + view.Count(l.left, "credit") + " left"
	}
	return "No credits are left"
}

// banner describes the shortage, its effect on calls and its end. It has no action.
func (l *shortage) banner() view.Banner {
	title := l.words()
	if !l.since.IsZero() {
		title += ", since " + view.DateTime(l.since)
	}
	until := "until you have more"
	if l.grant > 0 {
		until = fmt.Sprintf("until you have more, or the plan grants %s on %s", view.Count(l.grant, "new credit"), view.Date(l.resets))
	}
	return view.Banner{Tone: view.ToneBad, Title: title + ".", Text: "Calls that cost credits get `402 INSUFFICIENT_CREDITS` " + until + "."}
}

// blockedBadge returns the badge of a key whose calls get the status since a time;
// the zero time is left out.
func blockedBadge(status int, since, now time.Time) view.Badge {
	text := fmt.Sprintf("Blocked: %d", status)
	if !since.IsZero() {
		text = fmt.Sprintf("%d since %s", status, sinceText(since, now))
	}
	return view.Badge{Tone: view.ToneBad, Text: text}
}

// sinceText formats a time of today as hour and minute, any other one as a day.
func sinceText(at, now time.Time) string {
	at, now = at.UTC(), now.UTC()
	switch {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format("15:04")
	case at.Year() == now.Year():
		return at.Format("2 Jan")
	}
	return view.ShortDate(at)
}
