package notices

import (
	"slices"

	"github.com/toksta/toksta/sdk/toksta"
)

// Kind names the kind of a notice. It is also the name of the mail's template.
type Kind string

// The kinds about an account.
const (
	KeyCreated       Kind = "key_created"
	KeyRotated       Kind = "key_rotated"
	KeyRevoked       Kind = "key_revoked"
	KeysRevoked      Kind = "keys_revoked" // many in one change
	KeyExpiring      Kind = "key_expiring"
	KeysExpiring     Kind = "keys_expiring" // more than digestAbove at the same time
	KeyUnused        Kind = "key_unused"
	KeysUnused       Kind = "keys_unused"
	CallsRefused     Kind = "calls_refused" // because of the billing state
	CreditsLow       Kind = "credits_low"
	CreditsExhausted Kind = "credits_exhausted"
	RateLimitHit     Kind = "rate_limit_hit"
	MemberJoined     Kind = "member_joined"
	MemberLeft       Kind = "member_left" // by themselves, or removed
	MemberRoleSet    Kind = "member_role_set"
	MemberDisabled   Kind = "member_disabled" // in the account or everywhere
	MemberEnabled    Kind = "member_enabled"
	OwnerChanged     Kind = "ownership_transferred"
	AccountClosed    Kind = "account_closed"
	AccountReopened  Kind = "account_reopened"
)

// The kinds about the recipient, whose mails cannot be switched off.
const (
	RoleChanged      Kind = "role_changed"
	AccessRemoved    Kind = "access_removed"
	AccessDisabled   Kind = "access_disabled" // to one account or, without one, everywhere
	AccessEnabled    Kind = "access_enabled"
	NewBrowser       Kind = "new_browser" // a sign-in from one
	PasswordChanged  Kind = "password_changed"
	AddressChanged   Kind = "address_changed"
	FactorAdded      Kind = "factor_added"
	FactorRemoved    Kind = "factor_removed"
	IdentityLinked   Kind = "identity_linked"
	IdentityUnlinked Kind = "identity_unlinked"
)

// Topic is a group of kinds whose mails a member switches on and off together, for one account.
type Topic string

// The topics.
const (
	TopicKeys    Topic = "keys"    // changes of keys
	TopicDates   Topic = "dates"   // keys that expire or are not used
	TopicLimits  Topic = "limits"  // the rate limit
	TopicBilling Topic = "billing" // credits and refused calls
	TopicMembers Topic = "members"
	// NoTopic stands for the kinds whose mails are always sent.
	NoTopic Topic = ""
)

// rule states the recipients of a kind of notice. The zero value sends it only to the member of
// the change.
type rule struct {
	topic Topic
	// needs has the permissions of which the recipient's role must have one. Empty: every
	// member of the account.
	needs   []toksta.Permission
	account bool // it is about the account, so only its members get it
}

// rules has a rule for each kind of notice about an account. All other kinds are about the
// recipient, and have none.
var rules = map[Kind]rule{
	KeyCreated:       {TopicKeys, []toksta.Permission{toksta.PermitKeys}, true},
	KeyRotated:       {TopicKeys, []toksta.Permission{toksta.PermitKeys}, true},
	KeyRevoked:       {TopicKeys, []toksta.Permission{toksta.PermitKeys}, true},
	KeysRevoked:      {TopicKeys, []toksta.Permission{toksta.PermitKeys}, true},
	KeyExpiring:      {TopicDates, []toksta.Permission{toksta.PermitKeys}, true},
	KeysExpiring:     {TopicDates, []toksta.Permission{toksta.PermitKeys}, true},
	KeyUnused:        {TopicDates, []toksta.Permission{toksta.PermitKeys}, true},
	KeysUnused:       {TopicDates, []toksta.Permission{toksta.PermitKeys}, true},
	CallsRefused:     {TopicBilling, []toksta.Permission{toksta.PermitKeys, toksta.PermitBilling}, true},
	CreditsLow:       {TopicBilling, []toksta.Permission{toksta.PermitKeys, toksta.PermitBilling}, true},
	CreditsExhausted: {TopicBilling, []toksta.Permission{toksta.PermitKeys, toksta.PermitBilling}, true},
	RateLimitHit:     {TopicLimits, []toksta.Permission{toksta.PermitKeys}, true},
	MemberJoined:     {TopicMembers, []toksta.Permission{toksta.PermitMembers}, true},
	MemberLeft:       {TopicMembers, []toksta.Permission{toksta.PermitMembers}, true},
	MemberRoleSet:    {TopicMembers, []toksta.Permission{toksta.PermitMembers}, true},
	MemberDisabled:   {TopicMembers, []toksta.Permission{toksta.PermitMembers}, true},
	MemberEnabled:    {TopicMembers, []toksta.Permission{toksta.PermitMembers}, true},
	OwnerChanged:     {NoTopic, []toksta.Permission{toksta.PermitMembers}, true},
	AccountClosed:    {NoTopic, nil, true},
	AccountReopened:  {NoTopic, nil, true},
}

// allows reports whether a member with the role gets the notice.
func (r rule) allows(role toksta.MemberRole) bool {
	return len(r.needs) == 0 || slices.ContainsFunc(r.needs, role.Allows)
}

// Kinds returns all kinds, sorted.
func Kinds() []Kind {
	out := []Kind{
		RoleChanged, AccessRemoved, AccessDisabled, AccessEnabled, NewBrowser, PasswordChanged, AddressChanged,
		FactorAdded, FactorRemoved, IdentityLinked, IdentityUnlinked,
	}
	for kind := range rules {
		out = append(out, kind)
	}
	slices.Sort(out)
	return out
}

// kindsWithout returns the kinds that a member with the role does not get, sorted.
func kindsWithout(role toksta.MemberRole) []string {
	var out []string
	for kind, r := range rules {
		if !r.allows(role) {
			out = append(out, string(kind))
		}
	}
	slices.Sort(out)
	return out
}

// Important reports whether the overview of the account shows the notice until it is read: the
// person must see it to keep control over the sign-in, or before a key stops working.
func (k Kind) Important() bool {
	return k == KeyExpiring || k == KeysExpiring || k == AccountClosed || k == OwnerChanged || !rules[k].account
}

// Topics returns the topics that a member with the role can switch off, in the order in which
// pages show them.
func Topics(role toksta.MemberRole) []Topic {
	var out []Topic
	for _, t := range []Topic{TopicKeys, TopicDates, TopicLimits, TopicBilling, TopicMembers} {
		for _, r := range rules {
			if r.topic == t && r.allows(role) {
				out = append(out, t)
				break
			}
		}
	}
	return out
}
