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
	Scopes    []toksta.Family // empty: all families of the plan
	Networks  []netip.Prefix  // empty: any address
	PerMinute int             // 0: only the account's limit
	ExpiresAt *time.Time      // nil: never
	// ExternalID is the key's id in the vendor's systems, unique also among revoked
	// keys; "": none.
	ExternalID string
	Metadata   map[string]string // see toksta.ValidateMetadata
	Token      string            // idempotency token: a repeated request creates no other key; "": none
}

// Create makes a key. If the account's plan, billing state or API access does not
// allow calls, the error is FORBIDDEN with the reason that the API itself would
// give; this applies to an operator too. If the account is closed, or already has the
// largest number of live keys, Catalog.MaxKeys, the error is CONFLICT.
func (s *Service) Create(ctx context.Context, by toksta.Actor, req CreateRequest) (Created, error) {
	now := s.now()
	name, nameErr := text.Name("name", req.Name)
	expires, expiresErr := toksta.ValidateTime("expires_at", req.ExpiresAt)
	networks, networksErr := text.Networks("networks", req.Networks)
	err := toksta.InvalidFields(nameErr, expiresErr, networksErr, s.knownFamilies(req.Scopes), validPerMinute(req.PerMinute),
		validExternalID(req.ExternalID), toksta.ValidateMetadata("metadata", req.Metadata))
	if err != nil {
		return Created{}, err
	}
	// The secret is made before the commit: the store can run the decision more than
	// once, and the returned secret must match the stored digest.
	secret, first := s.Catalog.Shape.NewSecret()
	first.Number, first.CreatedAt = 1, now
	key := toksta.Key{
		ID: toksta.KeyID(toksta.NewID(toksta.PrefixKey, now)), AccountID: req.Account, Name: name,
		Limits:    toksta.Limits{Networks: networks, PerMinute: req.PerMinute},
		CreatedAt: now, CreatedBy: creatorName(by), CreatedByID: creatorID(by), ExpiresAt: expires, Generations: []toksta.Generation{first},
		ExternalID: req.ExternalID, Metadata: req.Metadata,
	}
	token := store.Token(toksta.ChangeKeyCreated, string(req.Account), req.Token)
	receipt, err := s.Log.Commit(ctx, by, store.Once(token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		// This check is part of the decision, so that a request which is repeated
		// after the expiry returns the first result.
		if req.ExpiresAt != nil && !expires.After(s.now()) {
			return store.Mutation{}, toksta.Invalid("expires_at", "Choose an expiry in the future, or none.")
		}
		scopes, err := s.checkAccount(ctx, r, req)
		if err != nil {
			return store.Mutation{}, err
		}
		if err := store.KeyExternalID(ctx, r, key.ID, key.ExternalID); err != nil {
			return store.Mutation{}, err
		}
		key.Limits.Scopes = scopes
		return store.Mutation{
			Kind: toksta.ChangeKeyCreated, AccountID: key.AccountID, KeyID: key.ID,
			Detail: map[string]string{
				"name": key.Name, "scopes": scopeText(scopes), "networks": networkText(networks),
				"per_minute": perMinuteText(key.Limits.PerMinute), "expires_at": timeText(key.ExpiresAt), "external_id": key.ExternalID,
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

// checkAccount rejects the request if the account's standing, plan or number of
// live keys does not allow the key. It returns the scopes to store.
func (s *Service) checkAccount(ctx context.Context, r store.Reader, req CreateRequest) ([]toksta.Family, error) {
	account, err := r.Account(ctx, req.Account)
	if err != nil {
		return nil, store.Missing("account", req.Account, err)
	}
	if !account.ClosedAt.IsZero() {
		return nil, conflict("The account is closed, so no key can be created in it.")
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
	// Keys are counted under the store's lock, so that simultaneous requests
	// cannot exceed the limit together.
	live, err := r.CountLiveKeys(ctx, req.Account, s.now())
	if err != nil {
		return nil, fmt.Errorf("count live keys: %w", err)
	}
	if live >= s.Catalog.MaxKeys {
		return nil, conflict(fmt.Sprintf("The account has %d live keys, the most it may have. Revoke a key first.", live))
	}
	return scopes, nil
}

// creatorID returns the id of the member who creates a key, or "" if the actor is
// not a member.
func creatorID(by toksta.Actor) toksta.MemberID {
	if by.Kind == toksta.ActorMember {
		return toksta.MemberID(by.ID)
	}
	return ""
}

// creatorName returns the name of the creator in lists of keys.
func creatorName(by toksta.Actor) string {
	if by.Kind == toksta.ActorMember {
		return by.Name
	}
	return string(by.Kind)
}
