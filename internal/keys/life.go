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

// Rename changes a key's name. A revoked key is CONFLICT.
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
	// Generation is the number of the secret that is to be replaced, 0 for
	// whichever is current. A person who saw one secret does not end another.
	Generation int
	Token      string // makes a repeated request for the key harmless; "" means none
}

// Rotate gives a key a new secret and marks the old one revoked at the same
// moment; everything else of the key stays. It asks nothing of the account's
// plan: a leaked secret can be replaced whatever the billing state. A revoked
// or expired key is CONFLICT, and so is a generation that is not current.
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
		// Copied, since the decision may run again on what it read.
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

// Revoke ends a key for good. Repeating it changes nothing and gives the same
// guarantee, with the number of the change that revoked the key: when it
// returns, no node admits the key.
func (s *Service) Revoke(ctx context.Context, by toksta.Actor, ref Ref) (Changed, error) {
	now := s.now()
	out, err := s.edit(ctx, by, target{Ref: ref}, func(_ context.Context, _ store.Reader, k *toksta.Key) (store.Mutation, error) {
		// No change, yet the log still waits: the first call may have been
		// given up before every node had heard of it.
		if !k.RevokedAt.IsZero() {
			return store.Mutation{}, nil
		}
		k.RevokedAt = now
		return store.Mutation{Kind: toksta.ChangeKeyRevoked, Detail: map[string]string{
			"name": k.Name, "secret": s.Catalog.Shape.Preview(k.Current()),
		}}, nil
	})
	if err == nil && out.Receipt.Change.Seq == 0 {
		// Nothing touches a revoked key again, so its number is the revocation's.
		out.Receipt.Change = toksta.Change{
			Seq: out.Key.Seq, At: out.Key.RevokedAt, Kind: toksta.ChangeKeyRevoked,
			AccountID: out.Key.AccountID, KeyID: out.Key.ID,
		}
	}
	return out, err
}
