package keys

import (
	"context"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// RenameRequest gives a key another name.
type RenameRequest struct {
	Ref
	Name string
}

// Rename changes a key's name. If the key is revoked, the error is CONFLICT.
func (s *Service) Rename(ctx context.Context, by toksta.Actor, req RenameRequest) (Changed, error) {
	name, err := text.Name("name", req.Name)
	if err != nil {
		return Changed{}, err
	}
	return s.edit(ctx, by, target{Ref: req.Ref}, func(_ context.Context, _ store.Reader, k *toksta.Key) (store.Mutation, error) {
		if !k.RevokedAt.IsZero() {
			return store.Mutation{}, conflict("The key is revoked; its name cannot be changed.")
		}
		if k.Name == name {
			return store.Mutation{}, nil
		}
		detail := map[string]string{"name": k.Name + " → " + name}
		k.Name = name
		return store.Mutation{Kind: toksta.ChangeKeyRenamed, Detail: detail}, nil
	})
}

// RotateRequest asks for a new secret of a key.
type RotateRequest struct {
	Ref
	// Generation is the number of the secret to replace, or 0 for the current
	// one. It protects a newer secret that the caller has not seen.
	Generation int
	Token      string // idempotency token: a repeated request does not rotate again; "": none
}

// Rotate gives a key a new secret and revokes the old one in the same change.
// The key keeps its id, name and limits. Rotate ignores the account's plan and
// billing state, so that a leaked secret can always be replaced. If the key is
// revoked or expired, or the generation is not the current one, the error is
// CONFLICT.
func (s *Service) Rotate(ctx context.Context, by toksta.Actor, req RotateRequest) (Created, error) {
	now := s.now()
	secret, next := s.Catalog.Shape.NewSecret()
	next.CreatedAt = now
	on := target{req.Ref, store.Token(toksta.ChangeKeyRotated, string(req.Account)+" "+string(req.Key), req.Token)}
	changed, err := s.edit(ctx, by, on, func(_ context.Context, _ store.Reader, k *toksta.Key) (store.Mutation, error) {
		switch k.State(now) {
		case toksta.KeyRevoked:
			return store.Mutation{}, conflict("The key is revoked and stays so. Create a new one.")
		case toksta.KeyExpired:
			return store.Mutation{}, conflict("The key has expired. Create a new one.")
		}
		old := k.Current()
		if req.Generation != 0 && req.Generation != old.Number {
			return store.Mutation{}, conflict("This key was rotated since its secret was shown here: it has a newer one now. Nothing was rotated this time.")
		}
		next.Number = old.Number + 1
		// Append to a copy: the decision can run again on the same slice.
		k.Generations = append(k.Generations[:len(k.Generations):len(k.Generations)], next)
		k.Generations[len(k.Generations)-2].RevokedAt = now
		return store.Mutation{Kind: toksta.ChangeKeyRotated, Detail: map[string]string{
			"name": k.Name, "secret": s.Catalog.Shape.Preview(old) + " → " + s.Catalog.Shape.Preview(next),
		}}, nil
	})
	if err != nil {
		return Created{}, err
	}
	return Created{Key: changed.Key, Secret: secret, Receipt: changed.Receipt}, nil
}

// Revoke revokes a key permanently. When Revoke returns, no node admits the key.
// This also holds for a repeated Revoke, which changes nothing and returns the
// number of the change that revoked the key.
func (s *Service) Revoke(ctx context.Context, by toksta.Actor, ref Ref) (Changed, error) {
	now := s.now()
	out, err := s.edit(ctx, by, target{Ref: ref}, func(_ context.Context, _ store.Reader, k *toksta.Key) (store.Mutation, error) {
		// Without a change, Commit still waits for all nodes: the first call could
		// have been cancelled before every node had applied the revocation.
		if !k.RevokedAt.IsZero() {
			return store.Mutation{}, nil
		}
		k.RevokedAt = now
		return store.Mutation{Kind: toksta.ChangeKeyRevoked, Detail: map[string]string{
			"name": k.Name, "secret": s.Catalog.Shape.Preview(k.Current()),
		}}, nil
	})
	if err == nil && out.Receipt.Change.Seq == 0 {
		// A revoked key never changes again, so Seq is the revocation's number.
		out.Receipt.Change = toksta.Change{
			Seq: out.Key.Seq, At: out.Key.RevokedAt, Kind: toksta.ChangeKeyRevoked,
			AccountID: out.Key.AccountID, KeyID: out.Key.ID,
		}
	}
	return out, err
}
