package ledger

import (
	"context"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
)

// repeatedError leaves the transaction with what was done before.
type repeatedError struct{ entry store.CreditEntry }

// Error is never shown.
func (e *repeatedError) Error() string { return "ledger: done before" }

// decide commits the step that next decides on, after what is overdue has
// expired, and returns its entries. The node's book has the step when decide
// returns: what the step takes no call can spend from the decision on, and what
// it gives back calls can spend once it is committed. If the outcome of the
// commit is not known, the book asks for it soon.
func (s *Service) decide(ctx context.Context, q store.CreditQuery, next func(store.CreditState) (move, error)) ([]store.CreditEntry, error) {
	q = s.beside(q)
	var state store.CreditState
	var step move
	var claim *credits.Claim
	written, err := s.Store.CommitCredits(ctx, q, func(c store.CreditState) (m store.CreditMutation, err error) {
		state = c
		if c.Earlier != nil {
			return m, &repeatedError{*c.Earlier}
		}
		m = expireOverdue(c)
		if step, err = next(c); err != nil {
			return m, err
		}
		claim = step.claim
		step.write(&m)
		return m, nil
	})
	if n := len(written); err == nil && n > 0 {
		s.Book.Learn(credits.Spender{ID: q.Account, Start: state.Cycle}, step.applied(state, written[n-1].Number))
	}
	s.Book.Release(claim)
	if state.Account.ID != "" {
		s.Book.Return(credits.Spender{ID: q.Account})
	}
	return written, err
}

// beside leaves out of q what the node's book knows better.
func (s *Service) beside(q store.CreditQuery) store.CreditQuery {
	known := s.Book.Known(q.Account)
	q.Except, q.Cycle, q.Own = s.Owner, known.Start, known.Own
	return q
}

// decision is what the database says of the account, for the node's book.
func (s *Service) decision(c store.CreditState) credits.Decision {
	return credits.Decision{Standing: s.Catalog.Standing(c.Account), Start: c.Cycle, Use: use(c), Now: c.Now}
}

// unspent returns the purchased credits that can be taken away. What is overdue
// still holds its credits, since taking some away does not expire it.
func (s *Service) unspent(c store.CreditState) int64 {
	d := s.decision(c)
	for _, o := range c.Overdue {
		d.Use.Held = d.Use.Held.Plus(c.InCycle(o.Slot.Hour, o.Split))
	}
	return s.Book.Unspent(d)
}
