// Package accounts changes accounts for the vendor: name, plan, subscription
// status and entitlements. It also closes accounts and erases their personal data.
//
// It is part of the change path, between the callers (operator API, pages) and
// the store. Each method that changes an account commits one change and returns
// when no node decides a request by the previous rights. The package does not use
// HTTP, SQL, billing providers or passwords.
//
// The rights of an account are computed from its plan, status and entitlements
// for each decision. No change of a right changes keys: they stop working when the
// account loses the right and work again when it gets it back. Only closing an account
// revokes its keys.
//
// If a value is not in the catalog, the error lists the valid values. Setting a
// value to its current one writes nothing, so a script can always set the whole
// state.
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
	Erasing store.Erasing
	Catalog *toksta.Catalog
	Now     func() time.Time
	// Unspent returns the number of purchased credits of an account that can be
	// removed. It is called under the store's lock.
	Unspent func(context.Context, store.Balances, toksta.AccountID) (int64, error)
}

// Changed is an account after an enforced change.
type Changed struct {
	Account toksta.Account
	Receipt toksta.Receipt
}

// Get returns one account. The error is NOT_FOUND if it does not exist.
func (s *Service) Get(ctx context.Context, id toksta.AccountID) (toksta.Account, error) {
	a, err := s.Store.Account(ctx, id)
	return a, store.Missing("account", id, err)
}

// Resolve returns the id of each account that refs name, by its id or its external id. The
// result omits all other refs.
func (s *Service) Resolve(ctx context.Context, refs []toksta.AccountID) (map[toksta.AccountID]toksta.AccountID, error) {
	return s.Store.ResolveAccounts(ctx, refs)
}

// MemberByEmail returns the member with an e-mail address. The error is store.ErrNotFound
// if there is none.
func (s *Service) MemberByEmail(ctx context.Context, email string) (toksta.Member, error) {
	return s.Store.MemberByEmail(ctx, email)
}

// CheckPerson returns NOT_FOUND if the person does not exist or, with an account, never belonged
// to it.
func (s *Service) CheckPerson(ctx context.Context, account toksta.AccountID, member toksta.MemberID) (err error) {
	if account == "" {
		_, err = s.Store.Member(ctx, member)
	} else {
		_, err = s.Store.Membership(ctx, account, member)
	}
	return store.Missing("member", member, err)
}

// Find returns a page of the accounts that meet the conditions of q.
func (s *Service) Find(ctx context.Context, q store.AccountSearch) (store.Found[toksta.Account], error) {
	return s.Store.FindAccounts(ctx, q)
}

// Members returns the members of an account, also the disabled ones.
func (s *Service) Members(ctx context.Context, id toksta.AccountID) ([]store.AccountMember, error) {
	return s.Store.ListAccountMembers(ctx, id)
}

// Audit returns a page of the change log, newest first.
func (s *Service) Audit(ctx context.Context, q store.ChangeQuery) ([]toksta.Change, error) {
	return s.Store.ListChanges(ctx, q)
}

// FindChanges returns a page of the changes that meet the conditions of q, newest first.
func (s *Service) FindChanges(ctx context.Context, q store.ChangeSearch) (store.FoundChanges, error) {
	return s.Store.FindChanges(ctx, q)
}

// CreateRequest asks for a new account.
type CreateRequest struct {
	Name    string
	Plan    toksta.PlanID // "": the catalog's free plan
	Status  toksta.Status // "": active
	Cadence string        // "": monthly
	// CycleAnchor is any day on which a billing cycle began. nil: today, or no
	// anchor on the free plan.
	CycleAnchor *time.Time
	ExternalID  string            // id in the vendor's systems; "": none
	Metadata    map[string]string // see toksta.ValidateMetadata
	Token       string            // idempotency token: a repeated request creates no other account; "": none
	// Owner is the member who creates the account and owns it. "": an account without members.
	Owner toksta.MemberID
}

// Create makes an account. A member who creates one owns it, and can create a limited number of
// accounts: the error is CONFLICT for a further one.
func (s *Service) Create(ctx context.Context, by toksta.Actor, req CreateRequest) (Changed, error) {
	now := s.now()
	a, err := s.draft(req, now)
	if err != nil {
		return Changed{}, err
	}
	token := store.Token(toksta.ChangeAccountCreated, "", req.Token)
	receipt, err := s.Log.Commit(ctx, by, store.Once(token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if err := store.AccountExternalID(ctx, r, a.ID, a.ExternalID); err != nil {
			return store.Mutation{}, err
		}
		m := store.Mutation{
			Kind: toksta.ChangeAccountCreated, AccountID: a.ID,
			Detail: map[string]string{
				"name": a.Name, "plan": string(a.Plan), "status": string(a.Status), "external_id": a.ExternalID,
			},
			Accounts: []toksta.Account{a},
		}
		if req.Owner != "" {
			m.MemberID = req.Owner
			m.Memberships = []toksta.Membership{{AccountID: a.ID, MemberID: req.Owner, Role: toksta.MemberOwner, CreatedAt: now}}
			return m, s.checkOwned(ctx, r, req.Owner, a.Plan)
		}
		return m, nil
	}))
	if err != nil {
		return Changed{}, repeated(err)
	}
	a.Seq = receipt.Change.Seq
	return Changed{Account: a, Receipt: receipt}, nil
}

// draft validates req and returns the new account with defaults.
func (s *Service) draft(req CreateRequest, now time.Time) (toksta.Account, error) {
	a := toksta.Account{
		ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, now)), Plan: s.Catalog.FreePlan,
		Status: toksta.StatusActive, StatusSince: now, Cadence: CadenceMonthly, CreatedAt: now,
		ExternalID: req.ExternalID, Metadata: req.Metadata,
	}
	var invalid, externalErr error
	if req.ExternalID != "" {
		externalErr = toksta.ValidateExternalID("external_id", req.ExternalID)
	}
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
	if err := toksta.InvalidFields(invalid, s.validPlan(a.Plan), s.validStatus(a.Status), validCadence(a.Cadence), s.validAnchor(req.CycleAnchor),
		externalErr, toksta.ValidateMetadata("metadata", req.Metadata)); err != nil {
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

// target is the account of a change, with the idempotency token of the request
// ("": none).
type target struct {
	account toksta.AccountID
	token   string
}

// edit applies alter to an existing account and commits the change. If alter
// returns a mutation with an empty Detail, edit commits nothing. If an earlier
// request had the same token, edit changes nothing and returns an error.
func (s *Service) edit(ctx context.Context, by toksta.Actor, on target, alter func(*toksta.Account) (store.Mutation, error)) (Changed, error) {
	// The store can run the decision more than once; the last run sets out.
	var out Changed
	receipt, err := s.Log.Commit(ctx, by, store.Once(on.token, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		a, err := r.Account(ctx, on.account)
		if err != nil {
			return store.Mutation{}, store.Missing("account", on.account, err)
		}
		if !a.ErasedAt.IsZero() {
			return store.Mutation{}, errErased()
		}
		before := a
		m, err := alter(&a)
		out.Account = a
		if err != nil || len(m.Detail) == 0 {
			return store.Mutation{}, err
		}
		if err := store.AccountExternalID(ctx, r, a.ID, a.ExternalID); err != nil {
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

// change returns the detail of one field for the change log, or nil if the values
// are equal.
func change(field, before, after string) map[string]string {
	if before == after {
		return nil
	}
	return map[string]string{field: before + " → " + after}
}

// now returns the time in the store's resolution, so that a returned account
// equals the stored one.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// repeated replaces store.RepeatedError by an error for the caller.
func repeated(err error) error {
	return store.Repeated(err, "This request was carried out before.")
}

// unknownValue returns a VALIDATION_ERROR that lists the valid values.
func unknownValue[T ~string](field string, got T, valid []T) error {
	names := make([]string, len(valid))
	for i, v := range valid {
		names[i] = string(v)
	}
	slices.Sort(names)
	return toksta.Invalid(field, fmt.Sprintf("There is no %s %q. Choose from: %s.", field, got, strings.Join(names, ", ")))
}
