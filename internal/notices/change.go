package notices

import (
	"context"
	"fmt"
	"net/mail"
	"net/netip"
	"strings"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// keyKinds maps the kinds of changes of one key to the kinds of notices about them.
var keyKinds = map[toksta.ChangeKind]Kind{
	toksta.ChangeKeyCreated: KeyCreated, toksta.ChangeKeyRotated: KeyRotated, toksta.ChangeKeyRevoked: KeyRevoked,
}

// ownKinds maps kinds of changes to the kinds of notices that only the changed member gets.
var ownKinds = map[toksta.ChangeKind]Kind{
	toksta.ChangeMemberPasswordSet: PasswordChanged,
	toksta.ChangeFactorAdded:       FactorAdded,
	toksta.ChangeFactorRemoved:     FactorRemoved,
	toksta.ChangeIdentityLinked:    IdentityLinked,
	toksta.ChangeIdentityUnlinked:  IdentityUnlinked,
}

// ofChange returns the notices of a change. It takes identifiers from the change, and text only
// after it has been parsed: a role, an address.
func (s *Service) ofChange(ctx context.Context, c toksta.Change) ([]store.Notice, error) {
	o := occasionOf(c)
	if kind, ok := keyKinds[c.Kind]; ok {
		o.kind, o.data.Key = kind, c.KeyID
		return s.toMembers(ctx, o)
	}
	if kind, ok := ownKinds[c.Kind]; ok {
		o.kind, o.account = kind, ""
		return s.toPerson(ctx, o, c.MemberID)
	}
	switch c.Kind {
	case toksta.ChangeKeysRevoked:
		return s.ofRevokedKeys(ctx, o)
	case toksta.ChangeMemberSignedIn:
		if c.Detail["new_browser"] == "" {
			return nil, nil
		}
		o.kind, o.account = NewBrowser, ""
		return s.toPerson(ctx, o, c.MemberID)
	case toksta.ChangeMemberVerified: // the first link to sign in removes a password that nothing proved
		if c.Detail["password"] == "" {
			return nil, nil
		}
		o.kind, o.account = PasswordChanged, ""
		return s.toPerson(ctx, o, c.MemberID)
	case toksta.ChangeMemberProfileSet:
		return s.ofAddress(ctx, o, c)
	case toksta.ChangeMemberCreated, toksta.ChangeMemberJoined:
		if c.AccountID == "" {
			return nil, nil
		}
		o.kind, o.data.Member, o.data.Role = MemberJoined, c.MemberID, roleOf(c)
		return s.toMembers(ctx, o)
	case toksta.ChangeMemberRemoved, toksta.ChangeMemberLeft:
		return s.ofRemoved(ctx, o, c)
	case toksta.ChangeMemberRoleSet:
		o.kind, o.data.Member, o.data.Role = MemberRoleSet, c.MemberID, roleOf(c)
		if c.Detail["previous_owner"] != "" {
			o.kind = OwnerChanged
		}
		return s.toBoth(ctx, o, RoleChanged)
	case toksta.ChangeMemberDisabled:
		o.kind, o.data.Member = MemberDisabled, c.MemberID
		return s.ofDisabled(ctx, o, AccessDisabled)
	case toksta.ChangeMemberEnabled:
		o.kind, o.data.Member = MemberEnabled, c.MemberID
		return s.ofDisabled(ctx, o, AccessEnabled)
	default:
		return s.ofAccount(ctx, o, c)
	}
}

// ofAccount returns the notices of a change that concerns all members of the account.
func (s *Service) ofAccount(ctx context.Context, o occasion, c toksta.Change) ([]store.Notice, error) {
	switch c.Kind {
	case toksta.ChangeAccountClosed:
		o.kind = AccountClosed
	case toksta.ChangeAccountReopened:
		o.kind = AccountReopened
	default:
		return nil, nil
	}
	return s.toMembers(ctx, o)
}

// occasionOf returns the occasion of a change, without its kind.
func occasionOf(c toksta.Change) occasion {
	o := occasion{account: c.AccountID, seq: c.Seq, at: c.At, token: fmt.Sprintf("change %d", c.Seq)}
	if c.Actor.Kind != toksta.ActorMember {
		o.data.Vendor = true
		return o
	}
	o.data.Actor = toksta.MemberID(c.Actor.ID)
	if a, err := netip.ParseAddr(c.Actor.Address); err == nil {
		o.origin.address = a.String()
	}
	if text.IsKnownBrowser(c.Actor.Agent) {
		o.origin.browser = c.Actor.Agent
	}
	return o
}

// roleOf returns the role that a change gives, "" if its detail has none.
func roleOf(c toksta.Change) toksta.MemberRole {
	given := c.Detail["role"]
	if _, next, changed := strings.Cut(given, " → "); changed {
		given = next
	}
	if role := toksta.MemberRole(given); role.IsValid() {
		return role
	}
	return ""
}

// ofRevokedKeys returns the notices of a change that revoked many keys, in each account.
func (s *Service) ofRevokedKeys(ctx context.Context, o occasion) (out []store.Notice, err error) {
	accounts, err := s.config.Store.KeysOfChange(ctx, o.seq)
	if err != nil {
		return nil, err
	}
	for account, n := range accounts {
		each := o
		each.kind, each.account, each.data.Keys = KeysRevoked, account, n
		each.token += " " + string(account)
		drafts, err := s.toMembers(ctx, each)
		if err != nil {
			return nil, err
		}
		out = append(out, drafts...)
	}
	return out, nil
}

// ofRemoved returns the notices of the end of a membership.
func (s *Service) ofRemoved(ctx context.Context, o occasion, c toksta.Change) ([]store.Notice, error) {
	revoked, err := s.config.Store.KeysOfChange(ctx, c.Seq)
	if err != nil {
		return nil, err
	}
	o.kind, o.data.Member, o.data.Keys = MemberLeft, c.MemberID, revoked[c.AccountID]
	if o.data.Left = c.Kind == toksta.ChangeMemberLeft; o.data.Left {
		return s.toMembers(ctx, o)
	}
	return s.toBoth(ctx, o, AccessRemoved)
}

// ofDisabled returns the notices about a member who was disabled or enabled, in one account or everywhere. One
// change everywhere has notices in each account in which the member was not disabled before.
func (s *Service) ofDisabled(ctx context.Context, o occasion, own Kind) (out []store.Notice, err error) {
	if o.account != "" {
		return s.toBoth(ctx, o, own)
	}
	places, err := s.config.Store.ListMemberships(ctx, o.data.Member)
	if err != nil {
		return nil, fmt.Errorf("list the accounts of member %s: %w", o.data.Member, err)
	}
	for _, in := range places {
		if !in.DisabledAt.IsZero() {
			continue
		}
		each := o
		each.account = in.AccountID
		each.token += " " + string(in.AccountID)
		drafts, err := s.toMembers(ctx, each)
		if err != nil {
			return nil, err
		}
		out = append(out, drafts...)
	}
	person := o.data.Member
	o.kind, o.data.Member = own, ""
	more, err := s.toPerson(ctx, o, person)
	return append(out, more...), err
}

// toBoth returns the notices to the members in the rule, and one of the kind own to the member of
// the change.
func (s *Service) toBoth(ctx context.Context, o occasion, own Kind) ([]store.Notice, error) {
	out, err := s.toMembers(ctx, o)
	if err != nil {
		return nil, err
	}
	person := o.data.Member
	o.kind, o.data.Member, o.data.Keys = own, "", 0
	more, err := s.toPerson(ctx, o, person)
	return append(out, more...), err
}

// ofAddress returns the notices of a new address: one to the new and one to the old address. The
// latter is only a mail.
func (s *Service) ofAddress(ctx context.Context, o occasion, c toksta.Change) ([]store.Notice, error) {
	old, next, changed := strings.Cut(c.Detail["email"], " → ")
	if !changed || !isAddress(old) || !isAddress(next) {
		return nil, nil
	}
	o.kind, o.account, o.data.Old, o.data.New = AddressChanged, "", old, next
	out, err := s.toPerson(ctx, o, c.MemberID)
	if err != nil || len(out) == 0 || s.config.Sender == nil {
		return out, err
	}
	mail := out[0]
	mail.ID, mail.Token, mail.Address = toksta.NewID(toksta.PrefixNotice, o.at), mail.Token+" old", old
	return append(out, mail), nil
}

// isAddress reports whether s is one bare mail address.
func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}
