package web

import (
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// rights returns the rights of a person in the account of the session. In a closed account a person
// can only take access away.
func rights(who signin.Identity) view.Rights {
	if !who.Account.ClosedAt.IsZero() {
		return view.Rights{Members: who.Role.Allows(toksta.PermitMembers)}
	}
	return view.Rights{
		Keys: who.Role.Allows(toksta.PermitKeys), Account: who.Role.Allows(toksta.PermitAccount), Members: who.Role.Allows(toksta.PermitMembers),
		Owners: who.Role.Allows(toksta.PermitOwners), Billing: who.Role.Allows(toksta.PermitBilling),
	}
}

// leaveOut removes from the overview the ways to things that the role does not allow.
func leaveOut(data *view.Account, role toksta.MemberRole) {
	if !role.Allows(toksta.PermitKeys) {
		data.Keys.Blocked = deniedWords(role, toksta.PermitKeys)
	}
	if !role.Allows(toksta.PermitBilling) {
		data.Subscription.Manage, data.Credits.Buy = view.Link{}, view.Link{}
	}
}

// deniedWords explains why a role does not allow something, and which roles do.
func deniedWords(role toksta.MemberRole, needed toksta.Permission) string {
	var able []string
	for _, r := range toksta.MemberRoles() {
		if r.Allows(needed) {
			able = append(able, string(r))
		}
	}
	what := map[toksta.Permission]string{
		toksta.PermitKeys: "change keys", toksta.PermitAccount: "rename the account", toksta.PermitMembers: "manage members",
		toksta.PermitOwners: "change owners or close the account", toksta.PermitBilling: "change billing",
	}[needed]
	return "Your role in this account, " + string(role) + ", does not allow you to " + what + ". It needs the role " + alternatives(able) + "."
}

// alternatives joins words: "a, b or c".
func alternatives(words []string) string {
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " or " + words[n]
	}
	return strings.Join(words, "")
}

// roleWords explains a role in a list of choices.
func roleWords(role toksta.MemberRole) string {
	switch role {
	case toksta.MemberOwner:
		return "Everything, also other owners and closing the account."
	case toksta.MemberAdmin:
		return "Keys, members and the name of the account."
	case toksta.MemberDeveloper:
		return "Create, rotate and revoke keys."
	case toksta.MemberBilling:
		return "See everything, and get the notices about credits and billing."
	default:
		return "See everything, change nothing."
	}
}

// roleChoices returns the roles that a member can give to another one. Only owners make owners.
func roleChoices(by, current toksta.MemberRole) []view.Choice {
	out := []view.Choice{}
	for _, role := range slices.Backward(toksta.MemberRoles()) {
		c := view.Choice{Value: string(role), Text: sentence(string(role)), Note: roleWords(role), Checked: role == current}
		if role == toksta.MemberOwner && !by.Allows(toksta.PermitOwners) {
			c.Missing = "Only an owner can give this role."
		}
		out = append(out, c)
	}
	return out
}
