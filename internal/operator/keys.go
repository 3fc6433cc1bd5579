package operator

import (
	"context"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// createKey creates a key under the same conditions as the account pages.
func (s server) createKey(ctx context.Context, by toksta.Actor, r client.CreateKeyRequest) (client.SecretResponse, error) {
	return s.secretResponse(s.Keys.Create(ctx, by, keys.CreateRequest{
		Account: r.Account, Name: r.Name, Scopes: r.Scopes, Networks: r.Networks,
		PerMinute: r.PerMinute, ExpiresAt: r.ExpiresAt,
		ExternalID: r.ExternalID, Metadata: r.Metadata, Token: r.Token,
	}))
}

// listKeys returns a page of the keys of one account, or of all accounts.
func (s server) listKeys(ctx context.Context, _ toksta.Actor, r client.ListKeysRequest) (client.KeyPage, error) {
	shown, asked, err := pageOf(r.Limit)
	if err != nil {
		return client.KeyPage{}, err
	}
	if err := s.checkAccount(ctx, r.Account); err != nil {
		return client.KeyPage{}, err
	}
	rows, err := s.Keys.List(ctx, store.KeyQuery{
		Account: r.Account, Revoked: r.Revoked, Page: store.Page{After: string(r.After), Limit: asked},
	})
	if err != nil {
		return client.KeyPage{}, err
	}
	page := client.KeyPage{Keys: []client.Key{}}
	for _, k := range rows[:min(len(rows), shown)] {
		page.Keys = append(page.Keys, s.key(k))
	}
	if len(rows) > shown {
		page.Next = rows[shown-1].ID
	}
	return page, nil
}

// showKey returns a key of any account.
func (s server) showKey(ctx context.Context, _ toksta.Actor, r client.KeyRef) (client.Key, error) {
	k, err := s.Keys.Get(ctx, r.Account, r.Key)
	if err != nil {
		return client.Key{}, err
	}
	return s.key(k), nil
}

// renameKey changes the displayed name of a key. Calls with the key do not contain its
// name.
func (s server) renameKey(ctx context.Context, by toksta.Actor, r client.RenameKeyRequest) (client.KeyResponse, error) {
	return s.keyResponse(s.Keys.Rename(ctx, by, keys.RenameRequest{Ref: ref(r.KeyRef), Name: r.Name}))
}

// setLimits changes the limits of a key that the request contains, and no others.
func (s server) setLimits(ctx context.Context, by toksta.Actor, r client.SetLimitsRequest) (client.KeyResponse, error) {
	return s.keyResponse(s.Keys.SetLimits(ctx, by, keys.LimitsRequest{
		Ref: ref(r.KeyRef), Scopes: r.Scopes, Networks: r.Networks, PerMinute: r.PerMinute,
	}))
}

// rotateKey replaces the secret of a key. It returns the new secret after the old one
// was revoked on every node.
func (s server) rotateKey(ctx context.Context, by toksta.Actor, r client.RotateKeyRequest) (client.SecretResponse, error) {
	return s.secretResponse(s.Keys.Rotate(ctx, by, keys.RotateRequest{Ref: ref(r.KeyRef), Generation: r.Generation, Token: r.Token}))
}

// revokeKey revokes a key. For a revoked key it returns the receipt of its revocation.
func (s server) revokeKey(ctx context.Context, by toksta.Actor, r client.KeyRef) (client.KeyResponse, error) {
	return s.keyResponse(s.Keys.Revoke(ctx, by, ref(r)))
}

// ref converts a reference to a key. If r has no account, the key can belong to any
// account.
func ref(r client.KeyRef) keys.Ref { return keys.Ref{Account: r.Account, Key: r.Key} }

// keyResponse converts a changed key to a response without its secret.
func (s server) keyResponse(c keys.Changed, err error) (client.KeyResponse, error) {
	if err != nil {
		return client.KeyResponse{}, err
	}
	return client.KeyResponse{Key: s.key(c.Key), Receipt: client.NewReceipt(c.Receipt)}, nil
}

// secretResponse converts a new key to a response with its secret. No other function of
// this package reveals secrets.
func (s server) secretResponse(c keys.Created, err error) (client.SecretResponse, error) {
	if err != nil {
		return client.SecretResponse{}, err
	}
	return client.SecretResponse{Key: s.key(c.Key), Secret: c.Secret.Reveal(), Receipt: client.NewReceipt(c.Receipt)}, nil
}
