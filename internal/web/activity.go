package web

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

const activityPath = "/account/activity"

// activityRows is the number of changes on a page.
const activityRows = 50

// activityRoutes registers the page of the account's audit trail, for the people who manage members.
func (p *Pages) activityRoutes(mux *routes) {
	mux.Handle("GET "+activityPath, p.member(p.may(toksta.PermitMembers, p.showActivity)))
}

// showActivity serves a page of the changes of the account and the sign-ins to it, newest first. The
// field before is the number of the change at which the page begins.
func (p *Pages) showActivity(w http.ResponseWriter, r *http.Request) {
	ctx, account := r.Context(), identity(r.Context()).Account.ID
	before, err := strconv.ParseInt(cmp.Or(r.FormValue("before"), "0"), 10, 64)
	if err != nil || before < 0 {
		p.notFound(w, r)
		return
	}
	changes, err := p.Accounts.Audit(ctx, store.ChangeQuery{Account: account, Before: before, Limit: activityRows + 1})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	names, err := p.activityNames(ctx, account)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := view.Activity{Frame: p.frame(ctx, view.SectionMembers), Later: before > 0}
	if len(changes) > activityRows {
		changes = changes[:activityRows]
		page.Older = activityPath + "?before=" + strconv.FormatInt(changes[activityRows-1].Seq, 10)
	}
	for _, c := range changes {
		if row, shown := p.activity(c, names); shown {
			page.Rows = append(page.Rows, row)
		}
	}
	p.show(w, r, screen{page: "activity"}, page)
}

// activityNames returns the names of the keys and members of an account, by their ids.
func (p *Pages) activityNames(ctx context.Context, account toksta.AccountID) (map[string]string, error) {
	out := map[string]string{}
	keys, err := p.Keys.All(ctx, account)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		out[string(k.ID)] = label(k)
	}
	people, err := p.Members.List(ctx, account)
	for _, m := range people {
		out[string(m.Member.ID)] = m.Name
	}
	return out, err
}

// activity returns one change as the page shows it, without the client of an operator. shown is false
// for a change of data that the vendor keeps for itself, and for a session of the vendor's back end,
// because its use is a sign-in and has its own row. The details of a change are empty if their
// personal data was erased.
func (p *Pages) activity(c toksta.Change, names map[string]string) (row view.ActivityRow, shown bool) {
	row.At = c.At
	by := cmp.Or(p.Brand.Product, "The vendor")
	if c.Actor.Kind == toksta.ActorMember {
		by = cmp.Or(c.Actor.Name, "A former member")
		row.From = strings.Trim(c.Actor.Address+", "+c.Actor.Agent, ", ")
	}
	if words := keyActivity[c.Kind]; words != "" {
		row.Title, row.URL = by+" "+words+" "+cmp.Or(names[string(c.KeyID)], string(c.KeyID)), view.AccountHome+"/keys/"+string(c.KeyID)
		return row, true
	}
	words := accountActivity(c)
	if words == "" {
		words = p.memberActivity(c, cmp.Or(c.Detail["name"], names[string(c.MemberID)], c.Detail["email"], "a former member"))
	}
	row.Title = by + " " + words
	return row, words != ""
}

// detailed returns words with a detail, if there is one.
func detailed(words, detail string) string {
	if detail == "" {
		return words
	}
	return words + ": " + detail
}

// keyActivity has the words about changes of one key, between its author and its name.
var keyActivity = map[toksta.ChangeKind]string{
	toksta.ChangeKeyCreated: "created the key", toksta.ChangeKeyRenamed: "renamed the key", toksta.ChangeKeyRotated: "rotated the key",
	toksta.ChangeKeyRevoked: "revoked the key", toksta.ChangeKeyLimitsSet: "changed the limits of the key",
}

// accountActivity returns the words about a change of the account, of many keys or of an invitation,
// after the name of its author; "" for any other change. A change of many keys can concern other
// accounts too, so its number of keys is left out.
func accountActivity(c toksta.Change) string {
	switch c.Kind {
	case toksta.ChangeAccountCreated:
		return "created the account"
	case toksta.ChangeAccountRenamed:
		return detailed("renamed the account", c.Detail["name"])
	case toksta.ChangePlanSet:
		return "changed the plan"
	case toksta.ChangeStatusSet:
		return detailed("changed the billing state", strings.ReplaceAll(c.Detail["status"], "_", " "))
	case toksta.ChangeEntitlementSet:
		return "changed an exception from the plan"
	case toksta.ChangeCreditsPurchased:
		return "added purchased credits"
	case toksta.ChangeCreditsAdjusted:
		return "corrected the purchased credits"
	case toksta.ChangeAccountClosed:
		return "closed the account, and revoked its keys"
	case toksta.ChangeAccountReopened:
		return "opened the account again"
	case toksta.ChangeAccountErased:
		return "erased the personal data of the account"
	case toksta.ChangeKeysImported:
		return "imported keys"
	case toksta.ChangeKeysRevoked:
		return "revoked many keys at once"
	case toksta.ChangeInvitationCreated:
		return detailed("invited "+cmp.Or(c.Detail["email"], "a person"), c.Detail["role"])
	case toksta.ChangeInvitationRevoked:
		return "revoked the invitation of " + cmp.Or(c.Detail["email"], "any address")
	default:
		return ""
	}
}

// memberActivity returns the words about a change of the member with a name, or about a sign-in; "" for a
// change that members do not see.
func (p *Pages) memberActivity(c toksta.Change, name string) string {
	own := c.Actor.ID == string(c.MemberID)
	switch c.Kind {
	case toksta.ChangeMemberCreated, toksta.ChangeMemberJoined:
		if own {
			return detailed("joined the account", c.Detail["role"])
		}
		return detailed("added "+name+" to the account", c.Detail["role"])
	case toksta.ChangeMemberRoleSet:
		return detailed("changed the role of "+name, c.Detail["role"])
	case toksta.ChangeMemberDisabled:
		return "disabled " + name
	case toksta.ChangeMemberEnabled:
		return "enabled " + name
	case toksta.ChangeMemberRemoved:
		return "removed " + name + " from the account"
	case toksta.ChangeMemberLeft:
		return "left the account"
	case toksta.ChangeMemberSignedIn:
		return p.signInActivity(c)
	default:
		whose := name + "’s"
		if own {
			whose = "their"
		}
		return personActivity(c.Kind, whose)
	}
}

// signInActivity returns the words about a sign-in.
func (p *Pages) signInActivity(c toksta.Change) string {
	words := p.methodWords(signin.Method(c.Detail["method"]), c.Detail["provider"])
	if c.Detail["factor"] != "" && c.Detail["method"] != string(signin.MethodPasskey) {
		words += " and a second factor"
	}
	if c.Detail["new_browser"] != "" {
		words += ", from a new browser"
	}
	return strings.TrimSpace("signed in " + words)
}

// personActivity returns the words about a change that concerns one person; whose is a possessive.
func personActivity(kind toksta.ChangeKind, whose string) string {
	switch kind {
	case toksta.ChangeMemberPasswordSet:
		return "changed " + whose + " password"
	case toksta.ChangeMemberProfileSet:
		return "changed " + whose + " name, address or passkey"
	case toksta.ChangeMemberVerified:
		return "proved " + whose + " address"
	case toksta.ChangeMemberExpired:
		return "ended " + whose + " sign-up, because its address was not proved"
	case toksta.ChangeMemberErased:
		return "erased " + whose + " personal data"
	case toksta.ChangeSessionsEnded:
		return "ended " + whose + " sessions"
	case toksta.ChangeFactorAdded:
		return "added a passkey or second factor to " + whose + " sign-in"
	case toksta.ChangeFactorRemoved:
		return "removed a passkey or second factor from " + whose + " sign-in"
	case toksta.ChangeIdentityLinked:
		return "linked a provider with " + whose + " sign-in"
	case toksta.ChangeIdentityUnlinked:
		return "unlinked a provider from " + whose + " sign-in"
	default:
		return ""
	}
}
