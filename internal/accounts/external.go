package accounts

import (
	"context"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// ExternalIDRequest gives an account the id that it has in the vendor's systems.
type ExternalIDRequest struct {
	Account    toksta.AccountID
	ExternalID string // "": removes the external id
}

// SetExternalID sets or removes an account's external id. If another account has it, the
// error is CONFLICT.
func (s *Service) SetExternalID(ctx context.Context, by toksta.Actor, req ExternalIDRequest) (Changed, error) {
	if req.ExternalID != "" {
		if err := toksta.ValidateExternalID("external_id", req.ExternalID); err != nil {
			return Changed{}, err
		}
	}
	return s.edit(ctx, by, target{account: req.Account}, func(a *toksta.Account) (store.Mutation, error) {
		m := store.Mutation{Kind: toksta.ChangeAccountExternalID, Detail: store.ExternalIDDetail(a.ExternalID, req.ExternalID)}
		a.ExternalID = req.ExternalID
		return m, nil
	})
}

// MetadataRequest changes the pairs that the vendor keeps with an account.
type MetadataRequest struct {
	Account toksta.AccountID
	store.MetadataChange
}

// SetMetadata changes an account's metadata. A request that would leave invalid metadata
// changes nothing.
func (s *Service) SetMetadata(ctx context.Context, by toksta.Actor, req MetadataRequest) (Changed, error) {
	return s.edit(ctx, by, target{account: req.Account}, func(a *toksta.Account) (store.Mutation, error) {
		after, detail, err := req.Apply(a.Metadata)
		if err != nil {
			return store.Mutation{}, err
		}
		a.Metadata = after
		return store.Mutation{Kind: toksta.ChangeAccountMetadata, Detail: detail}, nil
	})
}
