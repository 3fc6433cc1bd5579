package credits

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
	Credits        int64  // below 0: a correction that takes credits away
	Reason         string // such as the number of an order; required for a correction
	IdempotencyKey string
}

// Purchase is the purchased credits of an account after a change that every
// node has applied, and the entry of the change. A repeated request returns the
// entry and the receipt of the first one.
type Purchase struct {
	Entry     store.CreditEntry
	Purchased int64 // in all cycles, with corrections
	Left      int64 // of them, neither used nor held
	Receipt   toksta.Receipt
}

// TopUp adds credits that the account has bought. They never expire.
func (s *Service) TopUp(ctx context.Context, by toksta.Actor, r PurchaseRequest) (Purchase, error) {
	r.Reason = cmp.Or(r.Reason, "top-up")
	return s.purchase(ctx, by, purchase{r, toksta.ChangeCreditsPurchased, store.CreditPurchase}, checkAmount(r.Credits, 1))
}

// Adjust corrects purchased credits by hand, in either direction. It takes away
// only credits that are neither used nor held.
func (s *Service) Adjust(ctx context.Context, by toksta.Actor, r PurchaseRequest) (Purchase, error) {
	amountErr := checkAmount(r.Credits, -maxCredits)
	if r.Credits == 0 {
		amountErr = toksta.Invalid("credits", "Give a number other than 0.")
	}
	return s.purchase(ctx, by, purchase{r, toksta.ChangeCreditsAdjusted, store.CreditAdjustment}, amountErr)
}

// purchase is a request with the kinds of its change and of its entry.
type purchase struct {
	PurchaseRequest
	change toksta.ChangeKind
	kind   store.CreditKind
}

// purchase validates a request and commits its change, which all nodes apply,
// with its entry. amountErr is the error of the number of credits; purchase
// returns it together with those of other fields.
func (s *Service) purchase(ctx context.Context, by toksta.Actor, p purchase, amountErr error) (Purchase, error) {
	if err := toksta.InvalidFields(amountErr, checkName("reason", &p.Reason), checkName("idempotency_key", &p.IdempotencyKey)); err != nil {
		return Purchase{}, err
	}
	receipt, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		state, err := r.CreditState(ctx, s.withoutOwn(p.query()))
		if err != nil {
			return store.Mutation{}, store.Missing("account", p.query().Account, err)
		}
		if e := state.Earlier; e != nil && e.Request != p.request() {
			return store.Mutation{}, errReused()
		}
		return store.Once(p.token(), func(context.Context, store.Reader) (store.Mutation, error) {
			return p.decide(state, s.unspent(state), by)
		})(ctx, r)
	})
	// A repeat has also waited until all nodes applied the first change.
	if _, again := errors.AsType[*store.RepeatedError](err); err != nil && !again {
		return Purchase{}, err
	}
	state, err := s.Store.CreditState(ctx, s.withoutOwn(p.query()))
	if err != nil {
		return Purchase{}, fmt.Errorf("%w: read the committed purchase: %w", store.ErrUncertain, err)
	}
	return Purchase{*state.Earlier, state.Account.Entitlements.PurchasedCredits, s.unspent(state), receipt}, nil
}

// Unspent returns the purchased credits of an account that are neither used nor
// held, by a job or by a call in flight on this node.
func (s *Service) Unspent(ctx context.Context, r store.Balances, id toksta.AccountID) (int64, error) {
	state, err := r.CreditState(ctx, s.withoutOwn(store.CreditQuery{Account: id}))
	if err != nil {
		return 0, err
	}
	return s.unspent(state), nil
}

// unspent returns the purchased credits of the account in c that are neither
// used nor held. It counts overdue reservations as held, because a purchase or
// a correction does not expire them.
func (s *Service) unspent(c store.CreditState) int64 {
	for _, r := range c.Overdue {
		c.Use.Reserved = c.Use.Reserved.Plus(c.InCycle(r.Slot.Hour, r.Split))
	}
	return s.Balances.unspent(s.Catalog.Standing(c.Account), c)
}

func (p purchase) query() store.CreditQuery {
	return store.CreditQuery{Account: p.Account, IdempotencyKey: p.IdempotencyKey}
}

// token returns the idempotency token of the change. It follows from the
// request's idempotency key, so that a repeat finds the first change and its
// receipt.
func (p purchase) token() string {
	return store.Token(p.change, string(p.Account), p.IdempotencyKey)
}

// request returns the content of the request as text, which is the same in a
// repeat.
func (p purchase) request() string { return fmt.Sprintf("%s %d %q", p.kind, p.Credits, p.Reason) }

// decide returns the change and its entry. It rejects a request that takes away
// more than the unspent credits, or that exceeds maxCredits in all.
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
		Reason: p.Reason, Actor: actorName(by), IdempotencyKey: p.IdempotencyKey, Request: p.request(),
	}}
	return m, nil
}
