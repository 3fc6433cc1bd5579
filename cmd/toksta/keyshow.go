package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// keyFields lists the fields of one key, one per row.
func keyFields(k client.KeyDetail, now time.Time) table {
	t := table{header: []string{"field", "value"}}
	t.add("id", string(k.ID))
	t.add("external id", k.ExternalID)
	t.add("account", string(k.AccountID)+" ("+k.AccountName+")")
	t.add("name", k.Name)
	t.add("state", keyStateText(k, now))
	t.add("scopes", joinOr(k.Scopes, "all of the plan"))
	t.add("can call", joinOr(k.Families, "nothing: the plan has none of the scopes"))
	t.add("networks", joinOr(networkNames(k.Networks), "any"))
	perMinute := "only the account's limit"
	if k.PerMinute > 0 {
		perMinute = strconv.Itoa(k.PerMinute)
	}
	t.add("per minute", perMinute)
	t.add("last used", lastUseText(k))
	if c := k.Calls; c != nil {
		t.add("calls in "+c.Month, fmt.Sprintf("%d admitted, %d refused%s; %d credits", c.Admitted, c.Refused, reasonsText(c.Reasons), c.Credits))
	}
	by := k.CreatedBy
	if k.CreatedByID != "" {
		by += " (" + string(k.CreatedByID) + ")"
	}
	t.add("created", formatTime(k.CreatedAt)+" by "+by)
	t.add("expires", cmp.Or(formatTime(k.ExpiresAt), "never"))
	t.addGenerations(k.Generations, k.State, k.RevokedAt)
	t.addMetadata(k.Metadata)
	return t
}

// addGenerations adds a row for each secret of a key or an operator key.
func (t *table) addGenerations(generations []client.Generation, state toksta.KeyState, revoked time.Time) {
	for _, g := range generations {
		text := g.Preview + " since " + formatTime(g.CreatedAt)
		switch {
		case !g.RevokedAt.IsZero():
			text += ", replaced " + formatTime(g.RevokedAt)
		case state == toksta.KeyRevoked:
			text += ", revoked " + formatTime(revoked)
		}
		t.add(fmt.Sprintf("generation %d", g.Number), text)
	}
}

// keyStateText returns the state of a key and, if calls with it are rejected, since when
// and why.
func keyStateText(k client.KeyDetail, now time.Time) string {
	switch r := k.Rejection; {
	case r != nil && k.State == toksta.KeyLive:
		return "live, but " + rejectionText(r) + ": " + r.Reason.Message()
	case r != nil:
		return string(k.State) + ": " + rejectionText(r)
	case len(k.Families) == 0:
		return "live, but every call gets 403: the account's plan has no families"
	case !k.ExpiresAt.IsZero():
		return fmt.Sprintf("live for %s more", daysText(k.ExpiresAt.Sub(now)))
	default:
		return string(k.State)
	}
}

// rejectionText returns the status and the reason of rejected calls and, if it is known,
// the time since when they are rejected.
func rejectionText(r *client.KeyRejection) string {
	calls := "every call gets"
	if r.Free {
		calls = "every call that costs credits gets"
	}
	text := fmt.Sprintf("%s %d %s", calls, r.Status, r.Reason)
	if !r.Since.IsZero() {
		text += " since " + formatTime(r.Since)
	}
	return text
}

// daysText returns a duration in days or, below two, in hours.
func daysText(d time.Duration) string {
	if hours := int(d.Hours()); hours < 48 {
		return fmt.Sprintf("%d hours", hours)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// lastUseText returns the newest call of a key.
func lastUseText(k client.KeyDetail) string {
	switch u := k.LastUse; {
	case k.Calls == nil:
		return "not known: usage cannot be read now"
	case u == nil:
		return "never"
	default:
		return strings.TrimSuffix(fmt.Sprintf("%s %s from %s, %s", formatTime(u.At), u.Operation, u.Address, u.Agent), ", ")
	}
}

// reasonsText returns the numbers of refused calls by reason, the most frequent first.
func reasonsText(reasons map[toksta.Reason]int64) string {
	if len(reasons) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(reasons))
	slices.SortStableFunc(names, func(a, b toksta.Reason) int { return cmp.Compare(reasons[b], reasons[a]) })
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%s %d", name, reasons[name])
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
