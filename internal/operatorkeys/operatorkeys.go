// Package operatorkeys creates, lists, rotates and revokes the keys of the operator API.
//
// It is part of the change path. Each method that changes a key commits one change and
// returns when no node decides a request by the previous state. A secret is returned once,
// from Create and Rotate. The package does not authenticate: the operator API does, with the
// grants in the index of its node.
//
// An actor whose id is one of an operator key came over the network. Such an actor gets no
// secret with more rights than its own key has.
package operatorkeys

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// MaxLive is the largest number of operator keys that are neither revoked nor expired.
const MaxLive = 100

// Service changes and reads operator keys. All fields are required. It is safe for
// concurrent use.
type Service struct {
	Log   store.Log
	Store store.OperatorKeys
	Now   func() time.Time
}

// CreateRequest asks for a new operator key.
type CreateRequest struct {
	Name      string
	Roles     []toksta.Role  // at least one
	Networks  []netip.Prefix // empty: any address
	ExpiresAt *time.Time     // nil: never
	Token     string         // idempotency token: a repeated request creates no other key; "": none
}

// RotateRequest asks for a new secret of an operator key.
type RotateRequest struct {
	Key toksta.OperatorKeyID
	// Generation is the number of the secret to replace, or 0 for the current one.
	Generation int
	Token      string // idempotency token: a repeated request does not rotate again; "": none
}

// Changed is an operator key after an enforced change.
type Changed struct {
	Key     toksta.OperatorKey
	Receipt toksta.Receipt
}

// Created is an operator key with its new secret, which cannot be shown again.
type Created struct {
	Changed
	Secret toksta.Secret
}

// shape is the form of the secrets of operator keys.
func shape() toksta.KeyShape { return toksta.KeyShape{Prefix: toksta.OperatorSecretPrefix} }

// Get returns one operator key. The error is NOT_FOUND if there is none with this id.
func (s *Service) Get(ctx context.Context, id toksta.OperatorKeyID) (toksta.OperatorKey, error) {
	k, err := s.Store.OperatorKey(ctx, id)
	return k, store.Missing("operator key", id, err)
}

// List returns a page of operator keys in the order of their creation.
func (s *Service) List(ctx context.Context, q store.OperatorKeyQuery) ([]toksta.OperatorKey, error) {
	return s.Store.ListOperatorKeys(ctx, q)
}

// Create makes an operator key. If there are MaxLive live keys, the error is CONFLICT. If
// the actor came over the network and the new key would exceed the actor's own key, the
// error is FORBIDDEN.
func (s *Service) Create(ctx context.Context, by toksta.Actor, req CreateRequest) (Created, error) {
	now := s.now()
	name, nameErr := text.Name("name", req.Name)
	roles, rolesErr := toksta.ValidateRoles("roles", req.Roles)
	networks, networksErr := text.Networks("networks", req.Networks)
	expires, expiresErr := toksta.ValidateTime("expires_at", req.ExpiresAt)
	if err := toksta.InvalidFields(nameErr, rolesErr, networksErr, expiresErr); err != nil {
		return Created{}, err
	}
	secret, first := shape().NewSecret() // before the commit, which can run the decision more than once
	first.Number, first.CreatedAt = 1, now
	key := toksta.OperatorKey{
		ID: toksta.OperatorKeyID(toksta.NewID(toksta.PrefixOperatorKey, now)), Name: name, Roles: roles, Networks: networks,
		CreatedAt: now, CreatedBy: by.Name, ExpiresAt: expires, Generations: []toksta.Generation{first},
	}
	token := store.Token(toksta.ChangeOperatorKeyCreated, by.ID, req.Token)
	receipt, err := s.Log.Commit(ctx, by, store.Once(token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if err := s.checkCreate(ctx, r, by, key); err != nil {
			return store.Mutation{}, err
		}
		return store.Mutation{
			Kind: toksta.ChangeOperatorKeyCreated, OperatorKeyID: key.ID, OperatorKeys: []toksta.OperatorKey{key},
			Detail: map[string]string{
				"name": key.Name, "roles": joined(roles), "networks": networkText(networks), "expires_at": timeText(expires),
				"secret": key.Preview(first),
			},
		}, nil
	}))
	if err != nil {
		return Created{}, repeated(err)
	}
	key.Seq = receipt.Change.Seq
	return Created{Changed{key, receipt}, secret}, nil
}

// checkCreate rejects a new key that has expired, exceeds the actor's rights, or is one too
// many. It is part of the decision, so that requests at the same time cannot exceed MaxLive
// together, and a request that is repeated after the expiry returns the first result.
func (s *Service) checkCreate(ctx context.Context, r store.Reader, by toksta.Actor, key toksta.OperatorKey) error {
	if key.State(s.now()) == toksta.KeyExpired {
		return toksta.Invalid("expires_at", "Choose an expiry in the future, or none.")
	}
	if err := s.checkRights(ctx, r, by, key); err != nil {
		return err
	}
	live, err := r.CountLiveOperatorKeys(ctx, s.now())
	if err != nil {
		return fmt.Errorf("count the live operator keys: %w", err)
	}
	if live >= MaxLive {
		return conflict(fmt.Sprintf("There are %d live operator keys, the most there can be. Revoke one first.", live))
	}
	return nil
}

// Rotate gives an operator key a new secret and revokes the old one in the same change. If
// the key is revoked or expired, or the generation is not the current one, the error is
// CONFLICT. If the actor came over the network and the key exceeds the actor's own key, the
// error is FORBIDDEN, because the new secret would have more rights than the actor.
func (s *Service) Rotate(ctx context.Context, by toksta.Actor, req RotateRequest) (Created, error) {
	now := s.now()
	secret, next := shape().NewSecret()
	next.CreatedAt = now
	token := store.Token(toksta.ChangeOperatorKeyRotated, string(req.Key), req.Token)
	out, err := s.edit(ctx, by, target{req.Key, token}, func(ctx context.Context, r store.Reader, k *toksta.OperatorKey) (store.Mutation, error) {
		switch k.State(now) {
		case toksta.KeyRevoked:
			return store.Mutation{}, conflict("The operator key is revoked and stays so. Create a new one.")
		case toksta.KeyExpired:
			return store.Mutation{}, conflict("The operator key has expired. Create a new one.")
		}
		if err := s.checkRights(ctx, r, by, *k); err != nil {
			return store.Mutation{}, err
		}
		old := k.Current()
		if req.Generation != 0 && req.Generation != old.Number {
			return store.Mutation{}, conflict("This operator key was rotated since its secret was shown here: it has a newer one now. Nothing was rotated this time.")
		}
		next.Number = old.Number + 1
		k.Generations[len(k.Generations)-1].RevokedAt = now
		k.Generations = append(k.Generations, next)
		return store.Mutation{Kind: toksta.ChangeOperatorKeyRotated, Detail: map[string]string{
			"name": k.Name, "secret": k.Preview(old) + " → " + k.Preview(next),
		}}, nil
	})
	if err != nil {
		return Created{}, err
	}
	return Created{out, secret}, nil
}

// Revoke revokes an operator key permanently. When Revoke returns, no node accepts the key.
// This also holds for a repeated Revoke, which changes nothing and returns the number of the
// change that revoked the key.
func (s *Service) Revoke(ctx context.Context, by toksta.Actor, id toksta.OperatorKeyID) (Changed, error) {
	now := s.now()
	out, err := s.edit(ctx, by, target{id, ""}, func(_ context.Context, _ store.Reader, k *toksta.OperatorKey) (store.Mutation, error) {
		// Without a change, Commit still waits for all nodes: the first call could have been
		// cancelled before every node had applied the revocation.
		if !k.RevokedAt.IsZero() {
			return store.Mutation{}, nil
		}
		k.RevokedAt = now
		return store.Mutation{Kind: toksta.ChangeOperatorKeyRevoked, Detail: map[string]string{
			"name": k.Name, "secret": k.Preview(k.Current()),
		}}, nil
	})
	if err == nil && out.Receipt.Change.Seq == 0 {
		// A revoked key never changes again, so Seq is the revocation's number.
		out.Receipt.Change = toksta.Change{
			Seq: out.Key.Seq, At: out.Key.RevokedAt, Kind: toksta.ChangeOperatorKeyRevoked, OperatorKeyID: out.Key.ID,
		}
	}
	return out, err
}

// change alters k, which is read anew for each run of the decision, and returns the mutation.
// If there is nothing to change, the mutation's Kind is empty.
type change func(ctx context.Context, r store.Reader, k *toksta.OperatorKey) (store.Mutation, error)

// target is the operator key of a change, with the idempotency token of the request ("":
// none).
type target struct {
	id    toksta.OperatorKeyID
	token string
}

// edit applies a change to an existing operator key and commits it.
func (s *Service) edit(ctx context.Context, by toksta.Actor, on target, apply change) (out Changed, err error) {
	receipt, err := s.Log.Commit(ctx, by, store.Once(on.token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		k, err := r.OperatorKey(ctx, on.id)
		if err != nil {
			return store.Mutation{}, store.Missing("operator key", on.id, err)
		}
		m, err := apply(ctx, r, &k)
		out.Key = k
		if err != nil || m.Kind == "" {
			return store.Mutation{}, err
		}
		m.OperatorKeyID, m.OperatorKeys = k.ID, []toksta.OperatorKey{k}
		return m, nil
	}))
	if err != nil {
		return Changed{}, repeated(err)
	}
	out.Key.Seq = max(out.Key.Seq, receipt.Change.Seq)
	out.Receipt = receipt
	return out, nil
}

// now returns the time in the store's resolution, so that a returned key equals the stored
// key.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// repeated replaces store.RepeatedError by an error for the caller.
func repeated(err error) error {
	return store.Repeated(err, "This request was carried out before. A secret is shown once: rotate the operator key if it was not kept.")
}

// conflict returns the CONFLICT error for a request that the state of the keys does not
// allow.
func conflict(message string) error {
	return &toksta.Error{Code: toksta.CodeConflict, Message: message}
}

// joined returns texts for the change log.
func joined[T ~string](texts []T) string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = string(t)
	}
	return strings.Join(out, ", ")
}

func networkText(networks []netip.Prefix) string {
	names := make([]string, len(networks))
	for i, n := range networks {
		names[i] = n.String()
	}
	if len(names) == 0 {
		return "any"
	}
	return strings.Join(names, ", ")
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
