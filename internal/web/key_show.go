package web

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
)

// showKey is the page of one key: facts, calls, refusals with their fixes,
// history.
func (p *Pages) showKey(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	ctx, standing := r.Context(), p.standing(r)
	month, err := p.Usage.Days(ctx, key.AccountID, key.ID, "")
	if err != nil {
		p.fail(w, r, err)
		return
	}
	use, err := p.lastUse(r, key)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	history, err := p.history(ctx, key)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	now := p.Now()
	page := view.KeyShow{
		Frame: p.frame(ctx, view.SectionKeys), ID: string(key.ID), Name: key.Name, Text: p.keyText(key.Current()),
		Generation: key.Current().Number, Since: key.Current().CreatedAt, Facts: facts(key, standing, use, now),
		Chart: chartOf(month, now, keyChart), History: history, Ended: key.State(now) != toksta.KeyLive,
	}
	page.Badge, page.Reason = condition(standing, key, now)
	page.Refusals, page.RefusedTotal = refusals(month, standing, now)
	p.show(w, r, screen{page: "key_show"}, page)
}

// facts are the four figures on top of the page. Where a limit is absent the
// fact says so in words: an empty field would look like a fault.
func facts(k toksta.Key, s *toksta.Standing, use store.LastUse, now time.Time) []view.Fact {
	from := view.Fact{Label: "From", Value: cmp.Or(use.Address, "Nowhere yet"), Note: use.Agent}
	reach := view.Fact{Label: "Endpoints", Value: "All of the plan", Note: strings.Join(familyNames(s.Families), ", ")}
	if len(k.Limits.Scopes) > 0 {
		reach.Value, reach.Note = strings.Join(familyNames(k.Limits.Scopes), ", "), ""
	}
	expires := view.Fact{Label: "Expires", Value: "Never", Note: "No IP list"}
	if !k.ExpiresAt.IsZero() {
		expires.Value = view.Moment(k.ExpiresAt)
	}
	if len(k.Limits.Networks) > 0 {
		expires.Note = "Only from " + networkNames(k.Limits.Networks)
	}
	return []view.Fact{{Label: "Last used", Value: view.Ago(use.At, now), Note: use.Operation, Mono: true}, from, reach, expires}
}

// networkNames writes prefixes as the form takes them.
func networkNames(networks []netip.Prefix) string {
	names := make([]string, len(networks))
	for i, n := range networks {
		names[i] = n.String()
	}
	return strings.Join(names, ", ")
}

// recentDays is how far back refusals are explained.
const recentDays = 7

// refusals explains the last days' refusals, most frequent first. A month's
// first days show fewer than seven.
func refusals(b usage.Breakdown, s *toksta.Standing, now time.Time) (out []view.Refusal, total int64) {
	times, last := map[toksta.Reason]int64{}, map[toksta.Reason]time.Time{}
	for _, d := range b.Days {
		if now.Sub(d.Date) >= (recentDays+1)*24*time.Hour {
			continue
		}
		for reason, n := range d.Reasons {
			times[reason] += n
			last[reason] = d.Date
			total += n
		}
	}
	for reason, n := range times {
		r := refusal(reason, s)
		r.Times, r.Last = n, last[reason]
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b view.Refusal) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.What, b.What))
	})
	return out, total
}

// history is the key's rows of the change log, newest first.
func (p *Pages) history(ctx context.Context, k toksta.Key) ([]view.Event, error) {
	changes, err := p.Accounts.Audit(ctx, store.ChangeQuery{Account: k.AccountID, Key: k.ID})
	if err != nil {
		return nil, err
	}
	out := make([]view.Event, len(changes))
	for i, c := range changes {
		out[i] = event(c)
	}
	return out, nil
}

// event tells one change to the key's owner. Whoever acts for the vendor is
// called the vendor: a customer has no use for the operator's own names.
func event(c toksta.Change) view.Event {
	e := view.Event{Kind: "changed", At: c.At, By: cmp.Or(c.Actor.Name, string(c.Actor.Kind))}
	from := strings.Trim(c.Actor.Address+", "+c.Actor.Agent, ", ")
	if from != "" {
		e.Details = append(e.Details, from)
	}
	if c.Actor.Kind == toksta.ActorOperator {
		e.By = "the vendor"
	}
	switch c.Kind {
	case toksta.KeyCreated:
		e.Kind, e.Title = "created", "Created"
	case toksta.KeysImported:
		e.Kind, e.Title = "created", "Imported"
	case toksta.KeyRotated:
		e.Kind, e.Title = "rotated", "Rotated"
		e.Details = append(e.Details, c.Detail["secret"])
	case toksta.KeyRenamed:
		e.Kind, e.Title = "renamed", "Renamed"
		e.Details = append(e.Details, c.Detail["name"])
	case toksta.KeyRevokedChange, toksta.KeysRevokedTogether:
		e.Kind, e.Title = "revoked", "Revoked"
	default:
		e.Title = "Limits changed"
		for _, field := range []string{"scopes", "networks", "per_minute"} {
			if text := c.Detail[field]; text != "" {
				e.Details = append(e.Details, sentence(field)+": "+text)
			}
		}
	}
	return e
}
