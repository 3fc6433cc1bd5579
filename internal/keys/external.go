package keys

import (
	"context"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// ExternalIDRequest gives a key the id that it has in the vendor's systems.
type ExternalIDRequest struct {
	Ref
	ExternalID string // "": removes the external id
}

// SetExternalID sets or removes a key's external id. If another key has it, or the key
// is revoked, the error is CONFLICT: a revoked key never changes, so that the number of
// its last change stays that of its revocation.
func (s *Service) SetExternalID(ctx context.Context, by toksta.Actor, req ExternalIDRequest) (Changed, error) {
	if err := validExternalID(req.ExternalID); err != nil {
		return Changed{}, err
	}
	return s.edit(ctx, by, target{Ref: req.Ref}, func(ctx context.Context, r store.Reader, k *toksta.Key) (store.Mutation, error) {
		detail := store.ExternalIDDetail(k.ExternalID, req.ExternalID)
		switch {
		case len(detail) == 0:
			return store.Mutation{}, nil
		case !k.RevokedAt.IsZero():
			return store.Mutation{}, conflict("The key is revoked; its external id cannot be changed.")
		}
		if err := store.KeyExternalID(ctx, r, k.ID, req.ExternalID); err != nil {
			return store.Mutation{}, err
		}
		k.ExternalID = req.ExternalID
		return store.Mutation{Kind: toksta.ChangeKeyExternalID, Detail: detail}, nil
	})
}

// MetadataRequest changes the pairs that the vendor keeps with a key.
type MetadataRequest struct {
	Ref
	store.MetadataChange
}

// SetMetadata changes a key's metadata. A request that would leave invalid metadata
// changes nothing. If the key is revoked, the error is CONFLICT.
func (s *Service) SetMetadata(ctx context.Context, by toksta.Actor, req MetadataRequest) (Changed, error) {
	return s.edit(ctx, by, target{Ref: req.Ref}, func(_ context.Context, _ store.Reader, k *toksta.Key) (store.Mutation, error) {
		after, detail, err := req.Apply(k.Metadata)
		switch {
		case err != nil || len(detail) == 0:
			return store.Mutation{}, err
		case !k.RevokedAt.IsZero():
			return store.Mutation{}, conflict("The key is revoked; its metadata cannot be changed.")
		}
		k.Metadata = after
		return store.Mutation{Kind: toksta.ChangeKeyMetadata, Detail: detail}, nil
	})
}

// validExternalID returns an error for an invalid external id. "" is valid: none.
func validExternalID(id string) error {
	if id == "" {
		return nil
	}
	return toksta.ValidateExternalID("external_id", id)
}
