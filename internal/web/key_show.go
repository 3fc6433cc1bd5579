package web

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// showKey serves the page of one key: facts, calls, rejections with remedies,
// and history.
func (p *Pages) showKey(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	ctx, standing, now := r.Context(), p.standing(r), p.Now()
	history, err := p.history(ctx, key, r.FormValue("history") == "all")
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := view.KeyShow{
		Frame: p.frame(ctx, view.SectionKeys), ID: string(key.ID), Name: label(key), Text: p.keyText(key.Current()),
		Generation: key.Current().Number, Since: key.Current().CreatedAt,
		History: history, Ended: key.State(now) != toksta.KeyLive,
	}
	page.Badge, page.Reason = p.condition(standing, key, p.shortageOf(ctx, standing), now)
	if page.Ended {
		page.Reason = page.Badge.Text + " " + page.Reason // "Revoked 9 June 2026"
	}
	// The page leads to Rotate and Revoke, so it is served without usage if
	// usage cannot be read.
	month, use, err := p.keyUsage(ctx, key)
	if err == nil {
		page.Rejections, page.RejectedTotal, err = p.rejections(ctx, key, standing)
	}
	if page.UsageFailed = err != nil; page.UsageFailed {
		withoutUsage(ctx, err)
	}
	page.Facts = append(useFacts(use, page.UsageFailed, now), limitFacts(key, standing)...)
	page.Chart = chartOf(month, now, keyChart)
	p.show(w, r, screen{page: "key_show"}, page)
}

// keyUsage returns the usage of the key in the current month and its newest
// use.
func (p *Pages) keyUsage(ctx context.Context, k toksta.Key) (usage.Breakdown, store.LastUse, error) {
	month, err := p.Usage.Days(ctx, k.AccountID, k.ID, "")
	if err != nil {
		return usage.Breakdown{}, store.LastUse{}, err
	}
	uses, err := p.Usage.Store.LastUses(ctx, k.AccountID)
	return month, uses[k.ID], err
}

// useFacts returns the facts about the last use. unknown means that usage could
// not be read.
func useFacts(use store.LastUse, unknown bool, now time.Time) []view.Fact {
	if unknown {
		return []view.Fact{{Label: "Last used", Value: "Not known"}, {Label: "From", Value: "Not known"}}
	}
	return []view.Fact{
		{Label: "Last used", Value: view.Ago(use.At, now), Note: use.Operation, Mono: true},
		{Label: "From", Value: cmp.Or(use.Address, "Nowhere yet"), Note: use.Agent},
	}
}

// limitFacts returns the facts about the limits. A missing limit is stated in
// words, because an empty field would look like an error.
func limitFacts(k toksta.Key, s *toksta.Standing) []view.Fact {
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
	return []view.Fact{reach, expires}
}

// networkNames formats prefixes in the syntax of the form.
func networkNames(networks []netip.Prefix) string {
	names := make([]string, len(networks))
	for i, n := range networks {
		names[i] = n.String()
	}
	return strings.Join(names, ", ")
}

// newestChanges is the number of changes that the history shows until the
// person selects "Show all". The first change of a key is always shown too.
const newestChanges = 50

// history returns the changes of the key, newest first. If all is false, it
// returns only the newestChanges newest changes and the first change.
func (p *Pages) history(ctx context.Context, k toksta.Key, all bool) (view.History, error) {
	changes, err := p.allChanges(ctx, k)
	if err != nil {
		return view.History{}, err
	}
	h := view.History{Total: len(changes)}
	last := len(changes) - 1
	for i, c := range changes {
		if !all && i >= newestChanges && i < last {
			h.Left++
			continue
		}
		h.Events = append(h.Events, event(c))
	}
	return h, nil
}

// isVendorsOnly reports whether a change concerns data that the vendor keeps with a key for
// itself. Customers do not see it.
func isVendorsOnly(c toksta.Change) bool {
	return c.Kind == toksta.ChangeKeyExternalID || c.Kind == toksta.ChangeKeyMetadata
}

// allChanges returns the changes of the key that customers see, newest first.
func (p *Pages) allChanges(ctx context.Context, k toksta.Key) ([]toksta.Change, error) {
	const page = 500
	q := store.ChangeQuery{Account: k.AccountID, Key: k.ID, Limit: page}
	var all []toksta.Change
	for {
		changes, err := p.Accounts.Audit(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(slices.Clone(changes), isVendorsOnly)...)
		if len(changes) < page {
			return all, nil
		}
		q.Before = changes[len(changes)-1].Seq
	}
}

// vendorName stands for every operator on the pages: a customer has no use for
// the names of the vendor's staff and programs.
const vendorName = "the vendor"

// author returns the name of the person or party that made a change.
func author(a toksta.Actor) string {
	if a.Kind == toksta.ActorOperator {
		return vendorName
	}
	return cmp.Or(a.Name, string(a.Kind))
}

// creator returns the name of the person or party that created a key.
func creator(k toksta.Key) string {
	if k.CreatedByID == "" && k.CreatedBy == string(toksta.ActorOperator) {
		return vendorName
	}
	return k.CreatedBy
}

// event describes one change to the owner of the key. It does not show the
// names of operators.
func event(c toksta.Change) view.Event {
	e := view.Event{Kind: "changed", At: c.At, By: author(c.Actor)}
	from := strings.Trim(c.Actor.Address+", "+c.Actor.Agent, ", ")
	if from != "" {
		e.Details = append(e.Details, from)
	}
	switch c.Kind {
	case toksta.ChangeKeyCreated:
		e.Kind, e.Title = "created", "Created"
	case toksta.ChangeKeysImported:
		e.Kind, e.Title = "created", "Imported"
	case toksta.ChangeKeyRotated:
		e.Kind, e.Title = "rotated", "Rotated"
		e.Details = append(e.Details, c.Detail["secret"])
	case toksta.ChangeKeyRenamed:
		e.Kind, e.Title = "renamed", "Renamed"
		e.Details = append(e.Details, c.Detail["name"])
	case toksta.ChangeKeyRevoked, toksta.ChangeKeysRevoked:
		e.Kind, e.Title = "revoked", "Revoked"
	case toksta.ChangeMemberRemoved:
		e.Kind, e.Title = "revoked", "Revoked with the removal of a member"
	case toksta.ChangeAccountClosed:
		e.Kind, e.Title = "revoked", "Revoked with the account"
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
