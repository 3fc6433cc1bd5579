package operator

import (
	"context"
	"net/netip"

	"github.com/toksta/toksta/internal/operatorkeys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// createOperatorKey creates an operator key. An actor with an operator key gets no secret
// with more rights than its own.
func (s server) createOperatorKey(ctx context.Context, by toksta.Actor, r client.CreateOperatorKeyRequest) (client.OperatorSecretResponse, error) {
	return s.operatorSecretResponse(s.OperatorKeys.Create(ctx, by, operatorkeys.CreateRequest{
		Name: r.Name, Roles: r.Roles, Networks: r.Networks, ExpiresAt: r.ExpiresAt, Token: r.Token,
	}))
}

// listOperatorKeys returns a page of operator keys.
func (s server) listOperatorKeys(ctx context.Context, _ toksta.Actor, r client.ListOperatorKeysRequest) (client.OperatorKeyPage, error) {
	shown, asked, err := pageOf(r.Limit)
	if err != nil {
		return client.OperatorKeyPage{}, err
	}
	keys, err := s.OperatorKeys.List(ctx, store.OperatorKeyQuery{Revoked: r.Revoked, Page: store.Page{After: string(r.After), Limit: asked}})
	if err != nil {
		return client.OperatorKeyPage{}, err
	}
	page := client.OperatorKeyPage{Keys: []client.OperatorKey{}}
	for _, k := range keys[:min(shown, len(keys))] {
		page.Keys = append(page.Keys, s.operatorKey(k))
	}
	if len(keys) > shown {
		page.Next = keys[shown-1].ID
	}
	return page, nil
}

// showOperatorKey returns an operator key with its generations and its last use.
func (s server) showOperatorKey(ctx context.Context, _ toksta.Actor, r client.OperatorKeyRef) (client.OperatorKey, error) {
	k, err := s.OperatorKeys.Get(ctx, r.Key)
	if err != nil {
		return client.OperatorKey{}, err
	}
	return s.operatorKey(k), nil
}

// rotateOperatorKey replaces the secret of an operator key. It returns the new secret after
// the old one was revoked on every node.
func (s server) rotateOperatorKey(ctx context.Context, by toksta.Actor, r client.RotateOperatorKeyRequest) (client.OperatorSecretResponse, error) {
	return s.operatorSecretResponse(s.OperatorKeys.Rotate(ctx, by, operatorkeys.RotateRequest{Key: r.Key, Generation: r.Generation, Token: r.Token}))
}

// revokeOperatorKey revokes an operator key. For a revoked key it returns the receipt of its
// revocation.
func (s server) revokeOperatorKey(ctx context.Context, by toksta.Actor, r client.OperatorKeyRef) (client.OperatorKeyResponse, error) {
	changed, err := s.OperatorKeys.Revoke(ctx, by, r.Key)
	if err != nil {
		return client.OperatorKeyResponse{}, err
	}
	return client.OperatorKeyResponse{Key: s.operatorKey(changed.Key), Receipt: client.NewReceipt(changed.Receipt)}, nil
}

// operatorSecretResponse converts a new operator key to a response with its secret.
func (s server) operatorSecretResponse(c operatorkeys.Created, err error) (client.OperatorSecretResponse, error) {
	if err != nil {
		return client.OperatorSecretResponse{}, err
	}
	return client.OperatorSecretResponse{Key: s.operatorKey(c.Key), Secret: c.Secret.Reveal(), Receipt: client.NewReceipt(c.Receipt)}, nil
}

// operatorKey converts an operator key to its form in a response.
func (s server) operatorKey(k toksta.OperatorKey) client.OperatorKey {
	return client.OperatorKey{
		ID: k.ID, Name: k.Name, State: k.State(s.Now()), Preview: k.Preview(k.Current()),
		Roles: k.Roles, Networks: append([]netip.Prefix{}, k.Networks...),
		CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt,
		LastUsedAt: k.LastUse.At, LastUsedAddress: k.LastUse.Address,
		Generations: generations(k.Generations, k.Preview),
	}
}
