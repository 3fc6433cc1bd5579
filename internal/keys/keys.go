// Package keys is the life of a key: created, renamed, limited, rotated,
// revoked, imported.
//
// It stands on the mutation path between the callers (pages, operator API)
// and the store: each method is one change, decided on the state under the
// store's lock, and returns when no node admits a request on the state
// before. It knows nothing of HTTP, SQL or nodes, and lets a secret out once,
// in what Create and Rotate return.
//
// What asks for the account's plan is making a key, and naming an endpoint
// family that the key did not have. Everything that takes rights away, and
// rotating, is possible in every state of the account: billing must never
// stand between a customer and a leaked key.
//
// Repeating a request is harmless. Rename, SetLimits, Revoke and RevokeMany
// find nothing left to do and wait for what was done; Create, Rotate and
// Import take a token for it, since doing them twice would be something else.
package keys

import (
	"context"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Service changes and reads keys. All fields are required. A request whose
// Account is empty is the operator's: it reaches keys of any account. Keys of
// another account answer as keys that do not exist.
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

// Created is a key with its new secret, which nothing can show again.
type Created struct {
	Key     toksta.Key
	Secret  toksta.Secret
	Receipt toksta.Receipt
}

// Get returns one key, NOT_FOUND for one that is not the account's.
func (s *Service) Get(ctx context.Context, account toksta.AccountID, id toksta.KeyID) (toksta.Key, error) {
	k, err := s.Store.Key(ctx, account, id)
	return k, store.Missing("key", err)
}

// List returns a page of keys, oldest first.
func (s *Service) List(ctx context.Context, q store.KeyQuery) ([]toksta.Key, error) {
	return s.Store.ListKeys(ctx, q)
}

// All returns the account's keys of any state, oldest first.
func (s *Service) All(ctx context.Context, account toksta.AccountID) ([]toksta.Key, error) {
	return store.AllKeys(ctx, s.Store, account)
}

// Live returns how many keys of the account count against the catalogue's
// MaxKeys now.
func (s *Service) Live(ctx context.Context, account toksta.AccountID) (int, error) {
	return s.Store.CountLiveKeys(ctx, account, s.now())
}

// target is the key of a change; token is that of the request, "" for none.
type target struct {
	Ref
	token string
}

// change alters k and says as what; no kind means that there is nothing to do.
type change func(ctx context.Context, r store.Reader, k *toksta.Key) (store.Mutation, error)

// edit commits one change of an existing key, once for each token.
func (s *Service) edit(ctx context.Context, by toksta.Actor, on target, change change) (Changed, error) {
	// Set by each run of the decision, so that it ends as the last one left it.
	var out Changed
	receipt, err := s.Log.Commit(ctx, by, store.Once(on.token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		k, err := r.Key(ctx, on.Account, on.Key)
		if err != nil {
			return store.Mutation{}, store.Missing("key", err)
		}
		m, err := change(ctx, r, &k)
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

// now is in the store's resolution, so that what a method returns equals what
// is read later.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// repeated says to a caller that its request was carried out before.
func repeated(err error) error {
	return store.Repeated(err, "This request was carried out before. A secret is shown once: rotate the key if it was not kept.")
}

// conflict is the answer to a request that the key's or account's state
// forbids.
func conflict(message string) error {
	return &toksta.Error{Code: toksta.CodeConflict, Message: message}
}
