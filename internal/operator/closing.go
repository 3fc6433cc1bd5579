package operator

import (
	"context"
	"fmt"

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

// eraseAccount erases the personal data of a closed account. The request can name the account by
// its external id, but must confirm the id itself.
func (s server) eraseAccount(ctx context.Context, by toksta.Actor, r client.EraseAccountRequest) (client.EraseAccountResponse, error) {
	if err := s.checkAccount(ctx, r.Account); err != nil {
		return client.EraseAccountResponse{}, err
	}
	if r.Confirm != string(r.Account) {
		return client.EraseAccountResponse{}, toksta.Invalid("confirm", fmt.Sprintf("Nothing can undo an erasure. Confirm it with the id of the account: %s.", r.Account))
	}
	erased, err := s.Accounts.Erase(ctx, by, r.Account)
	if err != nil {
		return client.EraseAccountResponse{}, err
	}
	return client.EraseAccountResponse{
		Account: s.account(erased.Account), Members: erased.Members, Rows: erased.Rows, Receipt: client.NewReceipt(erased.Receipt),
	}, nil
}

// eraseMember erases the personal data of a person who belongs to no account.
func (s server) eraseMember(ctx context.Context, by toksta.Actor, r client.EraseMemberRequest) (client.ErasedMember, error) {
	if err := s.Accounts.CheckPerson(ctx, "", r.Member); err != nil {
		return client.ErasedMember{}, err
	}
	if r.Confirm != string(r.Member) {
		return client.ErasedMember{}, toksta.Invalid("confirm", fmt.Sprintf("Nothing can undo an erasure. Confirm it with the id of the person: %s.", r.Member))
	}
	erased, err := s.Accounts.ErasePerson(ctx, by, r.Member)
	return client.ErasedMember{Rows: erased.Rows, Receipt: client.NewReceipt(erased.Receipt)}, err
}
