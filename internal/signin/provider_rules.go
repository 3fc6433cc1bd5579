package signin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// mappedRoles returns the roles that the rules map a visitor to, by account. Of the rules of an account,
// the first one that matches counts.
func (s *Service) mappedRoles(ctx context.Context, v visitor) (map[toksta.AccountID]toksta.MemberRole, error) {
	out := map[toksta.AccountID]toksta.MemberRole{}
	for _, rule := range v.Rules {
		if !v.matches(rule) {
			continue
		}
		found, err := s.Store.ResolveAccounts(ctx, []toksta.AccountID{rule.Account})
		if err != nil {
			return nil, fmt.Errorf("find the account %q of a rule of %s: %w", rule.Account, v.Provider.Name, err)
		}
		account, exists := found[rule.Account]
		if !exists {
			return nil, fmt.Errorf("signin.providers.%s.accounts names the account %q, which does not exist: correct the configuration", v.Provider.Name, rule.Account)
		}
		if _, decided := out[account]; !decided {
			out[account] = rule.Role
		}
	}
	return out, nil
}

// matches reports whether a rule is about the visitor.
func (v visitor) matches(rule AccountRule) bool {
	if rule.Domain != "" {
		return v.Verified && isInDomain(v.Email, rule.Domain)
	}
	values, _ := v.Values(rule.Claim)
	return slices.Contains(values, rule.Value)
}

// hasUnknownClaims reports whether the provider did not state a claim of a rule because the list is too
// long.
func (v visitor) hasUnknownClaims() bool {
	return slices.ContainsFunc(v.Rules, func(r AccountRule) bool {
		if r.Claim == "" {
			return false
		}
		_, known := v.Values(r.Claim)
		return !known
	})
}

// followRules gives the member the roles that the rules map to now, and ends the memberships of earlier
// mappings. If the provider does not state the groups, nothing changes.
func (s *Service) followRules(ctx context.Context, v visitor, i store.Identity) error {
	if v.hasUnknownClaims() {
		return nil
	}
	wanted, err := s.mappedRoles(ctx, v)
	if err != nil {
		return err
	}
	accounts := sortedAccounts(wanted)
	for _, held := range i.Granted {
		if _, still := wanted[held]; !still {
			accounts = append(accounts, held)
		}
	}
	for _, account := range accounts {
		if err := s.followRule(ctx, i, members.MappedRole{Ref: members.Ref{Account: account, Member: i.MemberID}, Role: wanted[account], Now: s.now()}); err != nil {
			return err
		}
	}
	return nil
}

// followRule gives the member one mapped role. It takes the lock of the log only if something changes.
func (s *Service) followRule(ctx context.Context, i store.Identity, want members.MappedRole) error {
	decide := func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		current, err := r.Identity(ctx, i.Provider, i.Subject)
		if errors.Is(err, store.ErrNotFound) || err == nil && current.MemberID != i.MemberID {
			return store.Mutation{}, endedMeanwhile() // unlinked during the sign-in
		}
		if err != nil {
			return store.Mutation{}, err
		}
		want.Held = slices.Contains(current.Granted, want.Account)
		m, held, err := want.Decide(ctx, r)
		if err != nil || m.Kind == "" {
			return m, err
		}
		current.Granted = slices.DeleteFunc(current.Granted, func(a toksta.AccountID) bool { return a == want.Account })
		if held {
			current.Granted = append(current.Granted, want.Account)
		}
		m.Identities, m.Detail["provider"] = []store.Identity{current}, i.Provider
		return m, nil
	}
	if m, err := decide(ctx, s.Store); err != nil || m.Kind == "" {
		return err
	}
	by := toksta.Actor{Kind: toksta.ActorSystem, Name: "sign-in provider " + i.Provider}
	receipt, err := s.Log.Commit(ctx, by, decide)
	if err != nil || receipt.Change.Kind != toksta.ChangeMemberRemoved {
		return err
	}
	return s.endSessions(ctx, store.SessionSet{Member: i.MemberID, Account: want.Account})
}

// grantedIn returns the accounts of the mapped roles in which the mutation gives a membership.
func grantedIn(m store.Mutation, mapped map[toksta.AccountID]toksta.MemberRole) (out []toksta.AccountID) {
	for _, s := range m.Memberships {
		if _, isMapped := mapped[s.AccountID]; isMapped {
			out = append(out, s.AccountID)
		}
	}
	return out
}

func sortedAccounts(m map[toksta.AccountID]toksta.MemberRole) []toksta.AccountID {
	return slices.Sorted(maps.Keys(m))
}
