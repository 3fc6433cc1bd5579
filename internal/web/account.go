package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// account serves the overview: profile, plan, credits, keys and usage. If usage
// cannot be read, only its section is missing.
func (p *Pages) account(w http.ResponseWriter, r *http.Request) {
	ctx, standing := r.Context(), p.standing(r)
	state := view.ReadState(r.URL.Query())
	state.Home = home(ctx)
	if p.withoutSecret(w, r, state) {
		return
	}
	all, err := p.Keys.All(ctx, standing.Account.ID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	slices.Reverse(all) // newest first
	// The list shows the current month, the chart any month.
	current, readErr := p.Usage.Days(ctx, standing.Account.ID, "", "")
	uses, useErr := p.Usage.Store.LastUses(ctx, standing.Account.ID)
	if useErr != nil {
		readErr = useErr
	}
	list := keyList{keys: all, uses: uses, month: current, unread: readErr != nil, standing: standing, now: p.Now(), lack: p.shortageOf(ctx, standing), unverified: p.unverified(ctx)}

	data := view.Account{
		Frame: p.frame(ctx, view.SectionAccount), Banner: p.banner(standing, list.lack),
		Profile: p.profile(ctx), Subscription: p.subscription(standing), Credits: p.credits(standing, current),
		Keys: p.keys(list, state), State: state,
	}
	if list.unverified != "" {
		data.Unverified = identity(ctx).Member.Email
	}
	leaveOut(&data, identity(ctx).Role)
	if data.Alert, err = p.importantNotice(ctx, data.Unread); err != nil {
		p.fail(w, r, err)
		return
	}
	if readErr == nil && (len(all) > 0 || state.Month != "") {
		data.Usage, readErr = p.usageSection(ctx, list, state.Month)
	}
	if toksta.ErrorCode(readErr) == toksta.CodeValidation {
		p.fail(w, r, readErr)
		return
	}
	if readErr != nil {
		data.UsageFailed = true
		withoutUsage(ctx, readErr)
	}
	data.Credits.UsedUnknown = list.unread
	if isEmbedded(ctx) {
		p.forFrame(&data)
	}
	p.show(w, r, screen{page: "account"}, data)
}

// profile returns the card about the signed-in person.
func (p *Pages) profile(ctx context.Context) view.Profile {
	m := identity(ctx).Member
	if identity(ctx).Session.Bound {
		return view.Profile{Name: m.Name, SignedInWith: cmp.Or(p.Brand.Product, "The vendor"), Bound: true}
	}
	return view.Profile{Name: m.Name, Email: m.Email, SignedInWith: p.signedInWith(identity(ctx).Session)}
}

// subscription returns the card about the plan and the billing state. Open
// invoices are not known here.
func (p *Pages) subscription(s *toksta.Standing) view.Subscription {
	facts := []view.Fact{{Label: "Billing", Value: sentence(cmp.Or(s.Account.Cadence, "monthly"))}}
	if !s.Account.StatusSince.IsZero() {
		facts = append(facts, view.Fact{Label: "Since", Value: view.Date(s.Account.StatusSince)})
	}
	price := ""
	switch {
	case s.Plan.FeeMicros > 0:
		price = p.money.Short(s.Plan.FeeMicros) + " a month"
	case s.Plan.FeeStated:
		price = "No monthly fee"
	}
	sub := view.Subscription{Plan: s.Plan.Name, Badge: statusBadge(s), Facts: facts, Price: price}
	if p.Brand.BillingURL != "" {
		sub.Manage = view.Link{Text: "Manage billing", URL: p.Brand.BillingURL, Outside: true}
	}
	if p.Plans.Shown {
		sub.Plans = view.Link{Text: "See plans", URL: plansPath}
	}
	return sub
}

// credits returns the card about the balance. Included credits count by billing
// cycle, which can begin in the middle of a month. For a plan without included
// credits, the card shows the credits used in the calendar month.
func (p *Pages) credits(s *toksta.Standing, month usage.Breakdown) view.Credits {
	b := p.Usage.Balance(s, p.Now())
	c := view.Credits{
		Included: b.Included, Used: b.IncludedUsed, Purchased: b.Purchased,
		OverageMicros: int64(month.Total.Overage), Resets: b.ResetsAt, Note: "Included credits are used first",
	}
	if b.Included == 0 {
		c.Used, c.Resets, c.Note = month.Total.Credits, time.Time{}, "Purchased credits never expire"
	}
	if p.Brand.CreditsURL != "" {
		c.Buy = view.Link{Text: "Buy credits", URL: p.Brand.CreditsURL, Outside: true}
		if s.Plan.CreditMicros > 0 {
			c.Buy.Text += " at " + p.money(s.Plan.CreditMicros)
		}
	}
	return c
}

// newestEnded is the number of revoked and expired keys that the list shows until the
// person selects "Show all".
const newestEnded = 20

// keys returns the section #api-keys. The state selects the live keys, and the revoked and
// expired keys, in its list. A search is in all keys.
func (p *Pages) keys(l keyList, state view.State) view.Keys {
	out := view.Keys{
		Limit: p.Catalog.MaxKeys, ExampleURL: p.ExampleURL, Strip: p.strip(l.standing), Query: state.Query,
		Searchable: len(l.keys) >= searchFrom || state.Query != "",
	}
	mostEnded := map[view.Ended]int{view.EndedNewest: newestEnded, view.EndedAll: len(l.keys)}[state.Ended]
	revoked, expired := 0, 0
	for _, k := range l.keys {
		var hidden bool
		switch k.State(l.now) {
		case toksta.KeyLive:
			out.Live++
			hidden = !state.AllKeys && out.Live > foldAfter
		case toksta.KeyRevoked:
			revoked++
			hidden = revoked+expired > mostEnded
		case toksta.KeyExpired:
			expired++
			hidden = revoked+expired > mostEnded
		}
		if state.Query != "" {
			if !p.matches(k, state.Query) {
				continue
			}
			out.Found++
			hidden = out.Found > mostFound
		}
		if !hidden {
			out.Rows = append(out.Rows, p.row(l, k))
		}
	}
	out.Ended, out.EndedNoun = revoked+expired, endedNoun(revoked, expired)
	if mostEnded > 0 {
		out.Older = max(out.Ended-mostEnded, 0)
	}
	if !state.AllKeys {
		out.Folded = max(out.Live-foldAfter, 0)
	}
	out.Blocked = cmp.Or(l.unverified, p.blocked(l.standing, out.Live))
	return out
}

// furtherLimits returns the limits of an account besides that of a minute, to follow it.
func furtherLimits(s *toksta.Standing) string {
	text := ""
	for _, l := range []struct {
		limit int
		unit  string
	}{{s.PerHour, " an hour"}, {s.PerDay, " a day"}, {s.Concurrent, " at the same time"}} {
		if l.limit > 0 {
			text += ", " + view.Num(int64(l.limit)) + l.unit
		}
	}
	return text
}

// strip returns the entitlements that apply to all keys of the account.
func (p *Pages) strip(s *toksta.Standing) []view.Fact {
	facts := []view.Fact{
		{Label: "Included credits", Value: "None"},
		{Label: "Rate limit", Value: view.Num(int64(s.PerMinute)), Note: "calls a minute" + furtherLimits(s)},
		{Label: "Overage", Value: "Off", Note: "calls stop at 0 credits"},
		{Label: "Endpoints", Value: strings.Join(familyNames(s.Families), ", ")},
	}
	if s.Plan.IncludedCredits > 0 {
		facts[0] = view.Fact{Label: "Included credits", Value: view.Num(s.Plan.IncludedCredits), Note: "a month"}
	}
	if s.Plan.OverageMicros > 0 {
		facts[2] = view.Fact{Label: "Overage", Value: p.money(s.Plan.OverageMicros), Note: "a credit"}
	}
	if s.Blocked != "" {
		facts[1].Value, facts[1].Note, facts[3].Value = "0", "calls a minute", "None"
	}
	for _, f := range p.Catalog.Families {
		if !p.isOptional(f.Name) {
			continue
		}
		fact := view.Fact{Label: sentence(string(f.Name)) + " endpoints", Value: "Off", Note: "not in " + s.Plan.Name}
		if slices.Contains(s.Families, f.Name) && s.Blocked == "" {
			fact.Value, fact.Note = "On", ""
		}
		facts = append(facts, fact)
	}
	return facts
}

// isOptional reports whether a plan exists that includes f only for accounts with
// an entitlement.
func (p *Pages) isOptional(f toksta.Family) bool {
	return slices.ContainsFunc(p.Catalog.Plans, func(plan toksta.Plan) bool { return slices.Contains(plan.Entitled, f) })
}

// sentence converts a snake_case word to a sentence: "past_due" to "Past due".
func sentence(s string) string {
	s = strings.ReplaceAll(s, "_", " ")
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// keyList has the data for the rows of the list of keys.
type keyList struct {
	keys       []toksta.Key
	uses       map[toksta.KeyID]store.LastUse
	month      usage.Breakdown
	unread     bool // uses or month could not be read
	standing   *toksta.Standing
	now        time.Time
	lack       *usage.Shortage // nil: the account can pay calls
	unverified string          // why the person can create no key; see Pages.unverified
}

// unusedAfter is the idle time after which the list marks a key as unused.
const unusedAfter = 90 * 24 * time.Hour

// row returns one row of the list. If the key has never been used, it is idle
// since its creation.
func (p *Pages) row(l keyList, k toksta.Key) view.Key {
	use := l.uses[k.ID]
	row := view.Key{
		ID: string(k.ID), Name: label(k), Text: p.keyText(k.Current()), Families: familyNames(k.Limits.Scopes),
		Created: k.CreatedAt, CreatedBy: creator(k), LastUsed: use.At, LastDetail: use.Address,
		Ended: k.State(l.now) != toksta.KeyLive, UseUnknown: l.unread,
	}
	row.Badge, row.Reason = p.condition(l.standing, k, l.lack, l.now)
	if l.unread {
		return row
	}
	newest := k.CreatedAt
	if use.At.After(newest) {
		newest = use.At
	}
	if idle := l.now.Sub(newest); idle >= unusedAfter && !row.Ended {
		row.UnusedDays = int(idle / (24 * time.Hour))
	}
	if i := slices.IndexFunc(l.month.Keys, func(s usage.KeySum) bool { return s.ID == k.ID }); i >= 0 {
		row.Calls, row.Spark = l.month.Keys[i].Admitted, l.month.Keys[i].Daily
	}
	return row
}

// condition returns the badge of a key and the text that explains the badge.
func (p *Pages) condition(s *toksta.Standing, k toksta.Key, lack *usage.Shortage, now time.Time) (view.Badge, string) {
	if r := p.Usage.Rejection(s, k, lack, now); r != nil {
		switch {
		case r.Reason == toksta.ReasonKeyRevoked:
			return view.Badge{Tone: view.ToneOff, Text: "Revoked"}, view.Date(r.Since)
		case r.Reason == toksta.ReasonKeyExpired:
			return view.Badge{Tone: view.ToneOff, Text: "Expired"}, view.Moment(r.Since)
		case s.Blocked != "":
			return rejectedBadge(r, now), blockedWordsOf(s).Row
		case r.Reason != toksta.ReasonInsufficientCredits:
			return rejectedBadge(r, now), sentence(string(k.Limits.Scopes[0])) + " is not in " + s.Plan.Name
		}
		text := shortageWords(lack)
		if r.Free {
			text += "; free calls go on"
		}
		return rejectedBadge(r, now), text
	}
	if !k.ExpiresAt.IsZero() && k.ExpiresAt.Sub(now) < 14*24*time.Hour {
		return view.Badge{Tone: view.ToneWarn, Text: "Expiring"}, "Ends " + view.Moment(k.ExpiresAt)
	}
	return view.Badge{Tone: view.ToneOK, Text: "Live"}, ""
}
