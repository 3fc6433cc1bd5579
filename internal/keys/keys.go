// Package keys creates, renames, limits, rotates, revokes and imports keys.
//
// It is part of the change path, between the callers (pages, operator API) and
// the store. Each method that changes keys commits one change, which is decided
// under the store's lock, and returns when no node decides a request by the
// previous state. The package does not use HTTP, SQL or nodes. It returns a
// secret once, from Create and Rotate.
//
// The account's plan is checked only when a key is created and when an endpoint
// family is added to its scopes. Rotating a key, and taking rights away from it,
// is possible in every state of the account: an unpaid bill must not prevent a
// customer from replacing a leaked key.
//
// A request can be repeated safely. A repeated Rename, SetLimits, Revoke or
// RevokeMany changes nothing and waits for the first change. Create, Rotate and
// Import take a token that identifies the request, because without it a
// repetition would have another effect.
package keys

import (
	"context"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Service changes and reads keys. All fields are required. A request with an
// empty Account comes from the operator and can address keys of any account.
// For other requests, the keys of another account do not exist.
type Service struct {
	Log     store.Log
	Store   store.Reader
	Catalog *toksta.Catalog
	Now     func() time.Time
}

// Ref names one key of an account.
type Ref struct {
	Account toksta.AccountID
	Key     toksta.KeyID
}

// Changed is a key after an enforced change.
type Changed struct {
	Key     toksta.Key
	Receipt toksta.Receipt
}

// Created is a key with its new secret, which cannot be shown again.
type Created struct {
	Key     toksta.Key
	Secret  toksta.Secret
	Receipt toksta.Receipt
}

// Get returns one key. The error is NOT_FOUND if the account has no such key.
func (s *Service) Get(ctx context.Context, account toksta.AccountID, id toksta.KeyID) (toksta.Key, error) {
	k, err := s.Store.Key(ctx, account, id)
	return k, store.Missing("key", id, err)
}

// Resolve returns the id of each key that refs name, by its id or its external id. The
// result omits all other refs.
func (s *Service) Resolve(ctx context.Context, refs []toksta.KeyID) (map[toksta.KeyID]toksta.KeyID, error) {
	return s.Store.ResolveKeys(ctx, refs)
}

// Find returns a page of the keys that meet the conditions of q at this time.
func (s *Service) Find(ctx context.Context, q store.KeySearch) (store.Found[toksta.Key], error) {
	q.Now = s.now()
	return s.Store.FindKeys(ctx, q)
}

// All returns all keys of the account, also revoked and expired ones, oldest
// first.
func (s *Service) All(ctx context.Context, account toksta.AccountID) ([]toksta.Key, error) {
	return store.AllKeys(ctx, s.Store, account)
}

// Live returns the number of live keys of the account, which Create compares
// with Catalog.MaxKeys.
func (s *Service) Live(ctx context.Context, account toksta.AccountID) (int, error) {
	return s.Store.CountLiveKeys(ctx, account, s.now())
}

// target is the key of a change, with the idempotency token of the request ("":
// none).
type target struct {
	Ref
	token string
}

// change alters k and returns the mutation. If there is nothing to change, the
// mutation's Kind is empty.
type change func(ctx context.Context, r store.Reader, k *toksta.Key) (store.Mutation, error)

// edit applies a change to an existing key and commits it. If an earlier request
// had the same token, edit changes nothing and returns an error.
func (s *Service) edit(ctx context.Context, by toksta.Actor, on target, apply change) (Changed, error) {
	// The store can run the decision more than once; the last run sets out.
	var out Changed
	receipt, err := s.Log.Commit(ctx, by, store.Once(on.token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		k, err := r.Key(ctx, on.Account, on.Key)
		if err != nil {
			return store.Mutation{}, store.Missing("key", on.Key, err)
		}
		m, err := apply(ctx, r, &k)
		out.Key = k
		if err != nil || m.Kind == "" {
			return store.Mutation{}, err
		}
		m.AccountID, m.KeyID, m.Keys = k.AccountID, k.ID, []toksta.Key{k}
		return m, nil
	}))
	if err != nil {
		return Changed{}, repeated(err)
	}
	out.Key.Seq = max(out.Key.Seq, receipt.Change.Seq)
	out.Receipt = receipt
	return out, nil
}

// now returns the time in the store's resolution, so that a returned key equals
// the stored key.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// repeated replaces store.RepeatedError by an error for the caller.
func repeated(err error) error {
	return store.Repeated(err, "This request was carried out before. A secret is shown once: rotate the key if it was not kept.")
}

// conflict returns the CONFLICT error for a request that the state of the key or
// the account does not allow.
func conflict(message string) error {
	return &toksta.Error{Code: toksta.CodeConflict, Message: message}
}
