package accounts

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Closed is a closed account, with the numbers of keys and invitations that the change
// revoked.
type Closed struct {
	Changed
	Keys        int
	Invitations int
}

// Close closes an account: one change revokes all its keys and its open invitations. When
// Close returns, no node admits any of the keys. No key can be created in a closed account,
// whatever its plan. Its members can still read it. Credits that are reserved can still be
// settled.
//
// Closing a closed account changes nothing, and waits for all nodes again.
func (s *Service) Close(ctx context.Context, by toksta.Actor, id toksta.AccountID) (Closed, error) {
	now := s.now()
	// The store can run the decision more than once; the last run sets out.
	var out Closed
	receipt, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		a, err := r.Account(ctx, id)
		if err != nil {
			return store.Mutation{}, store.Missing("account", id, err)
		}
		out = Closed{Changed: Changed{Account: a}}
		if !a.ClosedAt.IsZero() {
			return store.Mutation{}, nil
		}
		a.ClosedAt = now
		m := store.Mutation{Kind: toksta.ChangeAccountClosed, AccountID: id, Accounts: []toksta.Account{a}}
		for k, err := range store.EachKey(ctx, r, store.KeyQuery{Account: id}) {
			if err != nil {
				return store.Mutation{}, err
			}
			k.RevokedAt = now
			m.Keys = append(m.Keys, k)
		}
		m.Invitations, err = r.ListInvitations(ctx, id)
		if err != nil {
			return store.Mutation{}, fmt.Errorf("list the open invitations: %w", err)
		}
		for i := range m.Invitations {
			m.Invitations[i].RevokedAt = now
		}
		out = Closed{Changed: Changed{Account: a}, Keys: len(m.Keys), Invitations: len(m.Invitations)}
		m.Detail = map[string]string{"keys": strconv.Itoa(out.Keys), "invitations": strconv.Itoa(out.Invitations)}
		return m, nil
	})
	if err != nil {
		return Closed{}, err
	}
	out.Account.Seq = max(out.Account.Seq, receipt.Change.Seq)
	out.Receipt = receipt
	return out, nil
}

// Reopen opens a closed account again, for an account that was closed by mistake. Its keys
// and invitations stay revoked. If its personal data was erased, the error is CONFLICT.
func (s *Service) Reopen(ctx context.Context, by toksta.Actor, id toksta.AccountID) (Changed, error) {
	return s.edit(ctx, by, target{account: id}, func(a *toksta.Account) (store.Mutation, error) {
		if a.ClosedAt.IsZero() {
			return store.Mutation{}, nil
		}
		m := store.Mutation{
			Kind: toksta.ChangeAccountReopened, Detail: map[string]string{"closed_at": a.ClosedAt.Format(time.RFC3339)},
		}
		a.ClosedAt = time.Time{}
		return m, nil
	})
}

// errErased returns the error for a change of an account whose personal data was erased.
func errErased() error {
	return &toksta.Error{Code: toksta.CodeConflict, Message: "The personal data of this account was erased, so it can no longer be changed."}
}
