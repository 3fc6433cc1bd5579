// Package accounts is what the vendor decides about a customer: name, plan,
// subscription status, entitlements and who may join.
//
// It stands on the mutation path between the callers (operator API, pages)
// and the store: each method is one change, and returns when no node admits a
// request on the rights before it. It knows nothing of HTTP, SQL, billing
// providers or passwords.
//
// An account's rights follow from its plan, its status and its exceptions
// when they are asked for, never from here: a lapsed plan, a late payment and
// a withdrawn entitlement leave the keys as they are, and giving it back
// makes them work again.
//
// Values come as people and scripts write them and are refused, with the
// valid ones, unless the catalogue knows them. Setting what is set already
// writes nothing, so a script may say the whole state every time.
package accounts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// Service changes and reads accounts. All fields are required.
type Service struct {
	Log     store.Log
	Store   store.Reader
	Catalog *toksta.Catalog
	Now     func() time.Time
	// Unspent returns the purchased credits of an account that can be taken
	// away, as a change reads them.
	Unspent func(context.Context, store.Balances, toksta.AccountID) (int64, error)
}

// Changed is an account after an enforced change.
type Changed struct {
	Account toksta.Account
	Receipt toksta.Receipt
}

// Get returns one account, or NOT_FOUND.
func (s *Service) Get(ctx context.Context, id toksta.AccountID) (toksta.Account, error) {
	a, err := s.Store.Account(ctx, id)
	return a, store.Missing("account", err)
}

// List returns a page of accounts in id order, oldest first.
func (s *Service) List(ctx context.Context, p store.Page) ([]toksta.Account, error) {
	return s.Store.ListAccounts(ctx, p)
}

// Members returns the people of an account.
func (s *Service) Members(ctx context.Context, id toksta.AccountID) ([]toksta.Member, error) {
	return s.Store.ListMembers(ctx, id)
}

// Audit returns a page of the change log, newest first.
func (s *Service) Audit(ctx context.Context, q store.ChangeQuery) ([]toksta.Change, error) {
	return s.Store.ListChanges(ctx, q)
}

// CreateRequest asks for a new account.
type CreateRequest struct {
	Name    string
	Plan    toksta.PlanID // "": the catalogue's free plan
	Status  toksta.Status // "": active
	Cadence string        // "": monthly
	// CycleAnchor is any day that a billing cycle began on; nil: today, or none
	// on the free plan.
	CycleAnchor *time.Time
	Token       string // makes a repeated request harmless; "" means none
}

// Create makes an account without members.
func (s *Service) Create(ctx context.Context, by toksta.Actor, req CreateRequest) (Changed, error) {
	now := s.now()
	a, err := s.draft(req, now)
	if err != nil {
		return Changed{}, err
	}
	token := store.Token(toksta.ChangeAccountCreated, "", req.Token)
	receipt, err := s.Log.Commit(ctx, by, store.Once(token, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{
			Kind: toksta.ChangeAccountCreated, AccountID: a.ID,
			Detail:   map[string]string{"name": a.Name, "plan": string(a.Plan), "status": string(a.Status)},
			Accounts: []toksta.Account{a},
		}, nil
	}))
	if err != nil {
		return Changed{}, repeated(err)
	}
	a.Seq = receipt.Change.Seq
	return Changed{Account: a, Receipt: receipt}, nil
}

// draft is the account that req asks for, with its defaults.
func (s *Service) draft(req CreateRequest, now time.Time) (toksta.Account, error) {
	a := toksta.Account{
		ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, now)), Plan: s.Catalog.FreePlan,
		Status: toksta.StatusActive, StatusSince: now, Cadence: CadenceMonthly, CreatedAt: now,
	}
	var invalid error
	a.Name, invalid = text.Name("name", req.Name)
	if req.Plan != "" {
		a.Plan = req.Plan
	}
	if req.Status != "" {
		a.Status = req.Status
	}
	if req.Cadence != "" {
		a.Cadence = req.Cadence
	}
	if err := toksta.InvalidFields(invalid, s.validPlan(a.Plan), s.validStatus(a.Status), validCadence(a.Cadence), s.validAnchor(req.CycleAnchor)); err != nil {
		return a, err
	}
	// Credits reset on the day of the month on which the account subscribed.
	switch {
	case req.CycleAnchor != nil:
		a.CycleAnchor = day(*req.CycleAnchor)
	case a.Plan != s.Catalog.FreePlan:
		a.CycleAnchor = day(now)
	}
	return a, nil
}

// RenameRequest gives an account another name.
type RenameRequest struct {
	Account toksta.AccountID
	Name    string
}

// Rename changes an account's name.
func (s *Service) Rename(ctx context.Context, by toksta.Actor, req RenameRequest) (Changed, error) {
	name, err := text.Name("name", req.Name)
	if err != nil {
		return Changed{}, err
	}
	return s.edit(ctx, by, target{account: req.Account}, func(a *toksta.Account) (store.Mutation, error) {
		m := store.Mutation{Kind: toksta.ChangeAccountRenamed, Detail: change("name", a.Name, name)}
		a.Name = name
		return m, nil
	})
}

// target is the account of a change; token is that of the request, "" for none.
type target struct {
	account toksta.AccountID
	token   string
}

// edit commits one change of an existing account, once for each token. alter
// says what differs in the mutation's detail; an empty one is nothing to do.
func (s *Service) edit(ctx context.Context, by toksta.Actor, on target, alter func(*toksta.Account) (store.Mutation, error)) (Changed, error) {
	// Set by each run of the decision, so that it ends as the last one left it.
	var out Changed
	receipt, err := s.Log.Commit(ctx, by, store.Once(on.token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		a, err := r.Account(ctx, on.account)
		if err != nil {
			return store.Mutation{}, store.Missing("account", err)
		}
		before := a
		m, err := alter(&a)
		out.Account = a
		if err != nil || len(m.Detail) == 0 {
			return store.Mutation{}, err
		}
		if m.Credits, err = s.correction(ctx, r, edited{before, a, by}); err != nil {
			return store.Mutation{}, err
		}
		m.AccountID, m.Accounts = a.ID, []toksta.Account{a}
		return m, nil
	}))
	if err != nil {
		return Changed{}, repeated(err)
	}
	out.Account.Seq = max(out.Account.Seq, receipt.Change.Seq)
	out.Receipt = receipt
	return out, nil
}

// change is the detail of one field, empty when nothing differs.
func change(field, before, after string) map[string]string {
	if before == after {
		return nil
	}
	return map[string]string{field: before + " → " + after}
}

// now is in the store's resolution, so that what a method returns equals what
// is read later.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// repeated says to a caller that its request was carried out before.
func repeated(err error) error {
	return store.Repeated(err, "This request was carried out before.")
}

// oneOf is the VALIDATION_ERROR about a value that is not among the valid ones.
func oneOf[T ~string](field string, got T, valid []T) error {
	names := make([]string, len(valid))
	for i, v := range valid {
		names[i] = string(v)
	}
	slices.Sort(names)
	return toksta.Invalid(field, fmt.Sprintf("There is no %s %q. Choose from: %s.", field, got, strings.Join(names, ", ")))
}
