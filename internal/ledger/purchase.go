package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// PurchaseRequest adds purchased credits to an account, or corrects them.
type PurchaseRequest struct {
	Account        toksta.AccountID
	Credits        int64  // below 0 for a correction that takes some away
	Reason         string // an order's number; a correction must have one
	IdempotencyKey string
}

// Purchase is an account's purchased credits after a change that every node
// knows of, and the entry of the change. A repeated request has the entry and
// the receipt of the first one.
type Purchase struct {
	Entry     store.CreditEntry
	Purchased int64 // ever, now
	Left      int64 // now
	Receipt   toksta.Receipt
}

// TopUp adds credits that the account has bought. They never expire.
func (s *Service) TopUp(ctx context.Context, by toksta.Actor, r PurchaseRequest) (Purchase, error) {
	r.Reason = cmp.Or(r.Reason, "top-up")
	return s.purchase(ctx, by, purchase{r, toksta.ChangeCreditsPurchased, store.CreditPurchase}, amount(r.Credits, 1))
}

// Adjust corrects purchased credits by hand, in either direction. It takes away
// no more than is left: what was used or is reserved stays paid.
func (s *Service) Adjust(ctx context.Context, by toksta.Actor, r PurchaseRequest) (Purchase, error) {
	fault := amount(r.Credits, -maxCredits)
	if r.Credits == 0 {
		fault = toksta.Invalid("credits", "Give a number other than 0.")
	}
	return s.purchase(ctx, by, purchase{r, toksta.ChangeCreditsAdjusted, store.CreditAdjustment}, fault)
}

// purchase is a request with what it is to the audit trail and to the books.
type purchase struct {
	PurchaseRequest
	change toksta.ChangeKind
	kind   store.CreditKind
}

// purchase goes through the change log, since nodes follow what was bought.
func (s *Service) purchase(ctx context.Context, by toksta.Actor, p purchase, fault error) (Purchase, error) {
	if err := toksta.InvalidFields(fault, named("reason", &p.Reason), named("idempotency_key", &p.IdempotencyKey)); err != nil {
		return Purchase{}, err
	}
	receipt, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		state, err := r.CreditState(ctx, s.beside(p.query()))
		if err != nil {
			return store.Mutation{}, store.Missing("account", err)
		}
		if e := state.Earlier; e != nil && e.Request != p.request() {
			return store.Mutation{}, errReused()
		}
		return store.Once(p.token(), func(context.Context, store.Reader) (store.Mutation, error) {
			return p.decide(state, s.unspent(state), by)
		})(ctx, r)
	})
	// A repeat has been waited for like the first: its receipt is as good.
	if _, again := errors.AsType[*store.RepeatedError](err); err != nil && !again {
		return Purchase{}, err
	}
	state, err := s.Store.CreditState(ctx, s.beside(p.query()))
	if err != nil {
		return Purchase{}, fmt.Errorf("%w: read what was bought: %w", store.ErrUncertain, err) // it was written
	}
	return Purchase{*state.Earlier, state.Account.Entitlements.PurchasedCredits, s.unspent(state), receipt}, nil
}

// Unspent returns the purchased credits of an account that are neither used nor
// set aside, for a job or for a call in flight on this node.
func (s *Service) Unspent(ctx context.Context, r store.Balances, id toksta.AccountID) (int64, error) {
	state, err := r.CreditState(ctx, s.beside(store.CreditQuery{Account: id}))
	if err != nil {
		return 0, err
	}
	return s.unspent(state), nil
}

func (p purchase) query() store.CreditQuery {
	return store.CreditQuery{Account: p.Account, IdempotencyKey: p.IdempotencyKey}
}

// token is that of the change. It follows from the idempotency key, so a repeat
// finds the first change and its receipt.
func (p purchase) token() string {
	return store.Token(p.change, string(p.Account), p.IdempotencyKey)
}

// request tells whether a repeat asks for the same.
func (p purchase) request() string { return fmt.Sprintf("%s %d %q", p.kind, p.Credits, p.Reason) }

// decide makes the change and its entry. No more than unspent can be taken
// away.
func (p purchase) decide(c store.CreditState, unspent int64, by toksta.Actor) (store.Mutation, error) {
	m := store.Mutation{Kind: p.change, AccountID: p.Account}
	before := c.Account.Entitlements.PurchasedCredits
	after := before + p.Credits
	switch {
	case after > maxCredits:
		return m, toksta.Invalid("credits", fmt.Sprintf("An account can buy %d credits in all.", int64(maxCredits)))
	case p.Credits < 0 && -p.Credits > unspent:
		return m, toksta.Invalid("credits", fmt.Sprintf("Only %d purchased credits are left to take away.", unspent))
	}
	c.Account.Entitlements.PurchasedCredits = after
	m.Detail = map[string]string{"purchased_credits": fmt.Sprintf("%d → %d", before, after), "reason": p.Reason}
	m.Accounts = []toksta.Account{c.Account}
	m.Credits = []store.CreditEntry{{
		AccountID: p.Account, Kind: p.kind, Delta: toksta.Charge{Credits: p.Credits, Purchased: p.Credits},
		Reason: p.Reason, Actor: byName(by), IdempotencyKey: p.IdempotencyKey, Request: p.request(),
	}}
	return m, nil
}
