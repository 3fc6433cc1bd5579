package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
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

// listKeys returns a page of the keys that meet the conditions of the request.
func (s server) listKeys(ctx context.Context, _ toksta.Actor, r client.ListKeysRequest) (client.KeyPage, error) {
	limit, limitErr := pageLimit(r.Limit)
	start, startErr := s.visible("start", r.Start)
	end, endErr := s.visible("end", r.End)
	var stateErr error
	if !slices.Contains([]toksta.KeyState{"", toksta.KeyLive, toksta.KeyExpired, toksta.KeyRevoked}, r.State) {
		stateErr = toksta.Invalid("state", fmt.Sprintf("There is no state %q. Choose from: live, expired, revoked.", r.State))
	}
	if err := toksta.InvalidFields(limitErr, startErr, endErr, stateErr); err != nil {
		return client.KeyPage{}, err
	}
	if err := s.checkAccount(ctx, r.Account); err != nil {
		return client.KeyPage{}, err
	}
	found, err := s.Keys.Find(ctx, store.KeySearch{
		Account: r.Account, Name: r.Name, ExternalID: r.ExternalID, Start: start, End: end,
		State: r.State, Revoked: r.Revoked, Page: store.Page{After: string(r.After), Limit: limit},
	})
	if err != nil {
		return client.KeyPage{}, err
	}
	page := client.KeyPage{Keys: []client.Key{}, Next: toksta.KeyID(found.Next)}
	for _, k := range found.Rows {
		page.Keys = append(page.Keys, s.key(k))
	}
	return page, nil
}

// maxVisible is the largest number of characters at either end of a secret that the store
// has.
const maxVisible = 4

// visible returns the characters of one end of a secret, as the store has them, from the
// characters that lists show. It rejects more, and does not repeat them: it could be a
// whole secret.
func (s server) visible(field, shown string) (string, error) {
	if field == "start" {
		shown = strings.TrimPrefix(shown, s.Catalog.Shape.Prefix)
	}
	shown = strings.Trim(shown, "…")
	if len(shown) > maxVisible {
		return "", toksta.Invalid(field, fmt.Sprintf("Give the %d characters that lists show of this end, never more of a secret.", maxVisible))
	}
	return shown, nil
}

// showKey returns a key of any account, with all data that the account's page shows.
func (s server) showKey(ctx context.Context, _ toksta.Actor, r client.KeyRef) (client.KeyDetail, error) {
	k, err := s.Keys.Get(ctx, r.Account, r.Key)
	if err != nil {
		return client.KeyDetail{}, err
	}
	a, err := s.Accounts.Get(ctx, k.AccountID)
	if err != nil {
		return client.KeyDetail{}, err
	}
	standing := s.Catalog.Standing(a)
	out := client.KeyDetail{Key: s.key(k), AccountName: a.Name, Blocked: standing.Blocked, Families: []toksta.Family{}}
	for _, family := range standing.Families {
		if len(k.Limits.Scopes) == 0 || slices.Contains(k.Limits.Scopes, family) {
			out.Families = append(out.Families, family)
		}
	}
	// A key must be shown, to be revoked, also while usage cannot be read.
	month, err := s.Usage.Days(ctx, k.AccountID, k.ID, "")
	lack, lackErr := s.Usage.Shortage(ctx, standing)
	out.Rejection = rejectionOf(s.Usage.Rejection(standing, k, lack, s.Now()))
	if err = errors.Join(err, lackErr); err != nil {
		exchange.FromContext(ctx).Fail(fmt.Errorf("show a key without its usage: %w", err))
		return out, nil
	}
	out.Calls = &client.KeyCalls{
		Month: month.Period, Admitted: month.Total.Admitted, Refused: month.Total.Rejected, Credits: month.Total.Credits, Reasons: month.Total.Reasons,
	}
	uses, err := s.Usage.Store.LastUses(ctx, k.AccountID)
	if err != nil {
		return client.KeyDetail{}, fmt.Errorf("read the last use of the key: %w", err)
	}
	if use, used := uses[k.ID]; used {
		out.LastUse = &client.KeyUse{At: use.At, Operation: use.Operation, Address: use.Address, Agent: use.Agent}
	}
	return out, nil
}

// rejectionOf converts the reason why the calls of a key are rejected; nil: they are not.
func rejectionOf(r *usage.Rejection) *client.KeyRejection {
	if r == nil {
		return nil
	}
	return &client.KeyRejection{Status: httpauth.Status(r.Reason.Code()), Reason: r.Reason, Since: r.Since, Free: r.Free}
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
