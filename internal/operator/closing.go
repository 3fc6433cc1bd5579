package operator

import (
	"context"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// closeAccount closes an account. It returns once no node admits any of its keys.
func (s server) closeAccount(ctx context.Context, by toksta.Actor, r client.AccountRef) (client.CloseAccountResponse, error) {
	closed, err := s.Accounts.Close(ctx, by, r.Account)
	if err != nil {
		return client.CloseAccountResponse{}, err
	}
	return client.CloseAccountResponse{
		Account: s.account(closed.Account), RevokedKeys: closed.Keys, RevokedInvitations: closed.Invitations,
		Receipt: client.NewReceipt(closed.Receipt),
	}, nil
}

// reopenAccount opens a closed account again, with its keys revoked.
func (s server) reopenAccount(ctx context.Context, by toksta.Actor, r client.AccountRef) (client.AccountResponse, error) {
	return s.accountResponse(s.Accounts.Reopen(ctx, by, r.Account))
}
