package signin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// LinkedProvider is a provider, with the sign-in of a member there.
type LinkedProvider struct {
	Name, Label string
	Linked      bool
	Email       string // at the provider, when it was linked
	Since       time.Time
}

// LinkedProviders returns the configured providers, with the sign-ins of a member, and at the end linked
// ones that are no longer configured.
func (s *Service) LinkedProviders(ctx context.Context, id Identity) ([]LinkedProvider, error) {
	all, err := s.Store.ListIdentities(ctx, id.Member.ID)
	if err != nil {
		return nil, fmt.Errorf("list the identities of member %s: %w", id.Member.ID, err)
	}
	var out []LinkedProvider
	for _, p := range s.Providers {
		out = append(out, LinkedProvider{Name: p.Name, Label: p.Label})
	}
	for _, i := range all {
		at := slices.IndexFunc(out, func(l LinkedProvider) bool { return l.Name == i.Provider })
		if at < 0 {
			out = append(out, LinkedProvider{Name: i.Provider, Label: i.Provider})
			at = len(out) - 1
		}
		out[at].Linked, out[at].Email, out[at].Since = true, i.Email, i.CreatedAt
	}
	return out, nil
}

// ProviderLabel returns the label of a provider, which is its name if it is no longer configured.
func (s *Service) ProviderLabel(name string) string {
	for _, p := range s.Providers {
		if p.Name == name {
			return p.Label
		}
	}
	return name
}

// Unlink removes the sign-in of a member at a provider and ends the sessions that it started, except the
// current one. The last way to sign in cannot be removed: the error is CONFLICT.
func (s *Service) Unlink(ctx context.Context, from Origin, id Identity, provider string) error {
	if err := denyBound(id); err != nil {
		return err
	}
	_, err := s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		all, err := r.ListIdentities(ctx, id.Member.ID)
		if err != nil {
			return store.Mutation{}, err
		}
		at := slices.IndexFunc(all, func(i store.Identity) bool { return i.Provider == provider })
		if at < 0 {
			return store.Mutation{}, toksta.NotFoundID("linked sign-in", provider)
		}
		state, err := r.FactorState(ctx, id.Member.ID)
		if err != nil {
			return store.Mutation{}, err
		}
		switch can, err := s.canSignIn(ctx, r, id.Member.ID, ways{slices.Concat(all[:at], all[at+1:]), state.Passkeys}); {
		case err != nil:
			return store.Mutation{}, err
		case !can:
			return store.Mutation{}, s.lastWay("unlink")
		}
		return store.Mutation{
			Kind: toksta.ChangeIdentityUnlinked, AccountID: id.Account.ID, MemberID: id.Member.ID, Unlinked: []store.Identity{all[at]},
			Detail: map[string]string{"provider": provider, "email": all[at].Email},
		}, nil
	})
	if err != nil {
		return err
	}
	return s.endSessions(ctx, store.SessionSet{Member: id.Member.ID, Provider: provider, Keep: id.Session.id})
}

// lastWay returns the error for removing the last way to sign in by an action, such as "unlink".
func (s *Service) lastWay(action string) error {
	instead := "Set a password or link another sign-in"
	if s.PasswordOff {
		instead = "Link another sign-in"
	}
	return &toksta.Error{Code: toksta.CodeConflict, Message: "This is your last way to sign in. " + instead + " before you " + action + " this one."}
}

// ways are the ways to sign in that a member has beside the password.
type ways struct {
	identities []store.Identity
	passkeys   int
}

// canSignIn reports whether a member could sign in with only these ways, or with the password.
// Identities of providers that are no longer configured do not count.
func (s *Service) canSignIn(ctx context.Context, r store.Reader, member toksta.MemberID, w ways) (bool, error) {
	for _, i := range w.identities {
		if _, err := s.provider(i.Provider); err == nil {
			return true, nil
		}
	}
	if s.Passkeys != nil && w.passkeys > 0 {
		return true, nil
	}
	m, err := r.Member(ctx, member)
	if err != nil {
		return false, err
	}
	return m.PasswordHash != "" && !s.PasswordOff, nil
}
