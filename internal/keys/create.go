package keys

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// CreateRequest asks for a new key.
type CreateRequest struct {
	Account   toksta.AccountID
	Name      string
	Scopes    []toksta.Family // empty: every family of the plan
	Networks  []netip.Prefix  // empty: from anywhere
	PerMinute int             // 0: the account's limit alone
	ExpiresAt *time.Time      // nil: never
	Token     string          // makes a repeated request harmless; "" means none
}

// Create makes a key. The account's plan, billing state and API access must
// admit keys, for an operator too; otherwise the answer is FORBIDDEN with the
// reason that the API itself would give. At the catalogue's MaxKeys live keys
// it is CONFLICT.
func (s *Service) Create(ctx context.Context, by toksta.Actor, req CreateRequest) (Created, error) {
	now := s.now()
	name, nameErr := text.Name("name", req.Name)
	expires, expiresErr := toksta.ValidateTime("expires_at", req.ExpiresAt)
	networks, networksErr := validNetworks(req.Networks)
	err := toksta.InvalidFields(nameErr, expiresErr, networksErr, s.knownFamilies(req.Scopes), validPerMinute(req.PerMinute))
	if err != nil {
		return Created{}, err
	}
	// Made before the commit: the store may run the decision more than once,
	// and the secret returned must be the one whose digest was written last.
	secret, first := s.Catalog.Shape.NewSecret()
	first.Number, first.CreatedAt = 1, now
	key := toksta.Key{
		ID: toksta.KeyID(toksta.NewID(toksta.PrefixKey, now)), AccountID: req.Account, Name: name,
		Limits:    toksta.Limits{Networks: networks, PerMinute: req.PerMinute},
		CreatedAt: now, CreatedBy: creator(by), CreatedByID: member(by), ExpiresAt: expires, Generations: []toksta.Generation{first},
	}
	token := store.Token(toksta.ChangeKeyCreated, string(req.Account), req.Token)
	receipt, err := s.Log.Commit(ctx, by, store.Once(token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		// Here and not before the commit, so that a repeated request does not
		// depend on the time.
		if req.ExpiresAt != nil && !expires.After(s.now()) {
			return store.Mutation{}, toksta.Invalid("expires_at", "Choose an expiry in the future, or none.")
		}
		scopes, err := s.admit(ctx, r, req)
		if err != nil {
			return store.Mutation{}, err
		}
		key.Limits.Scopes = scopes
		return store.Mutation{
			Kind: toksta.ChangeKeyCreated, AccountID: key.AccountID, KeyID: key.ID,
			Detail: map[string]string{
				"name": key.Name, "scopes": scopeText(scopes), "networks": networkText(networks),
				"per_minute": perMinuteText(key.Limits.PerMinute), "expires_at": timeText(key.ExpiresAt),
			},
			Keys: []toksta.Key{key},
		}, nil
	}))
	if err != nil {
		return Created{}, repeated(err)
	}
	key.Seq = receipt.Change.Seq
	return Created{Key: key, Secret: secret, Receipt: receipt}, nil
}

// admit asks the account's current state whether it may have one more key,
// and returns the scopes as they are stored.
func (s *Service) admit(ctx context.Context, r store.Reader, req CreateRequest) ([]toksta.Family, error) {
	account, err := r.Account(ctx, req.Account)
	if err != nil {
		return nil, store.Missing("account", err)
	}
	standing := s.Catalog.Standing(account)
	if standing.Blocked != "" {
		return nil, &toksta.Error{
			Code: toksta.CodeForbidden, Reason: standing.Blocked,
			Message: "This account cannot create keys now. " + standing.Blocked.Message(),
		}
	}
	scopes, err := s.validScopes(req.Scopes, standing.Families)
	if err != nil {
		return nil, err
	}
	// Under the store's lock, so that requests at once cannot pass the cap
	// together. Keys of a lapsed account still count; revoked and expired
	// ones do not.
	live, err := r.CountLiveKeys(ctx, req.Account, s.now())
	if err != nil {
		return nil, fmt.Errorf("count live keys: %w", err)
	}
	if live >= s.Catalog.MaxKeys {
		return nil, conflict(fmt.Sprintf("The account has %d live keys, the most it may have. Revoke a key first.", live))
	}
	return scopes, nil
}

// member is who created a key, "" for an actor that is no member.
func member(by toksta.Actor) toksta.MemberID {
	if by.Kind == toksta.ActorMember {
		return toksta.MemberID(by.ID)
	}
	return ""
}

// creator is whom a key's list names as its maker.
func creator(by toksta.Actor) string {
	if by.Kind == toksta.ActorMember {
		return by.Name
	}
	return string(by.Kind)
}
