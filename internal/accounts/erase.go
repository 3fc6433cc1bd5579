package accounts

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Erased is an account without its personal data.
type Erased struct {
	Changed
	Members int              // people who belonged to no other account
	Rows    map[string]int64 // changed and deleted rows, by table of the database
}

// Erase removes the personal data of a closed account: its name, external id and metadata, the
// names of its keys, and the data of its people who belong to no other account. Numbers, times
// and ids stay in usage, credits and the change log. If the account is open, the error is
// CONFLICT.
//
// Nothing can undo it. After an error, or if the process was killed, a further call removes the
// rest; ErasedAt is set at the end.
func (s *Service) Erase(ctx context.Context, by toksta.Actor, id toksta.AccountID) (Erased, error) {
	people, err := s.erasable(ctx, s.Store, id)
	if err != nil {
		return Erased{}, err
	}
	// Invitations are found by the addresses of the people, so they come before these.
	rows, err := s.Erasing.Erase(ctx, store.Erasure{Addresses: addresses(people)})
	if err != nil {
		return Erased{}, err
	}
	out := Erased{Rows: rows}
	// From this change on, none of the people can sign in, so that no data follows.
	out.Receipt, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (m store.Mutation, err error) {
		people, err = s.erasable(ctx, r, id)
		if err != nil {
			return m, err
		}
		m, err = s.anonymize(ctx, r, id, people)
		out.Members = len(m.Members)
		return m, err
	})
	if err != nil {
		return Erased{}, err
	}
	ids := make([]toksta.MemberID, len(people))
	for i, p := range people {
		ids[i] = p.ID
	}
	// An invitation can have been made between the first call and the change.
	rest, err := s.Erasing.Erase(ctx, store.Erasure{Account: id, Members: ids, Addresses: addresses(people)})
	if err != nil {
		return Erased{}, fmt.Errorf("erase the rest of account %s, repeat the request: %w", id, err)
	}
	for table, n := range rest {
		out.Rows[table] += n
	}
	if err := s.Erasing.MarkErased(ctx, id); err != nil {
		return Erased{}, err
	}
	out.Account, err = s.Get(ctx, id)
	return out, err
}

// erasable returns the people of a closed account whom its erasure concerns: those who belong to
// no other account. Once the account is empty, these are only the people who are empty too: a
// person who left another account since then keeps the own data.
func (s *Service) erasable(ctx context.Context, r store.Reader, id toksta.AccountID) ([]toksta.Member, error) {
	a, err := r.Account(ctx, id)
	if err != nil {
		return nil, store.Missing("account", id, err)
	}
	if a.ClosedAt.IsZero() {
		return nil, &toksta.Error{
			Code: toksta.CodeConflict, Message: "The account is open. Close it first: this revokes its keys, and can still be undone.",
		}
	}
	people, err := r.ListSoleMembers(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list the people of the account: %w", err)
	}
	if isAnonymous(a) {
		people = slices.DeleteFunc(people, func(p toksta.Member) bool { return p.Email != "" })
	}
	return people, nil
}

// isAnonymous reports whether the row of an account has no personal data.
func isAnonymous(a toksta.Account) bool {
	return a.Name == string(a.ID) && a.ExternalID == "" && len(a.Metadata) == 0
}

// addresses returns the e-mail addresses of people.
func addresses(people []toksta.Member) (out []string) {
	for _, p := range people {
		if p.Email != "" {
			out = append(out, p.Email)
		}
	}
	return out
}

// emptied returns a person without personal data, who cannot sign in.
func emptied(p toksta.Member, now time.Time) toksta.Member {
	empty := toksta.Member{ID: p.ID, CreatedAt: p.CreatedAt, DisabledAt: p.DisabledAt}
	if empty.DisabledAt.IsZero() {
		empty.DisabledAt = now
	}
	return empty
}

// anonymize returns the mutation that empties the rows of an account and of its people, and
// removes all members from the account. It has no Kind if they are empty.
func (s *Service) anonymize(ctx context.Context, r store.Reader, id toksta.AccountID, people []toksta.Member) (m store.Mutation, err error) {
	now := s.now()
	a, err := r.Account(ctx, id)
	if err != nil {
		return m, store.Missing("account", id, err)
	}
	if !isAnonymous(a) {
		a.Name, a.ExternalID, a.Metadata = string(id), "", nil
		m.Accounts = []toksta.Account{a}
	}
	for _, p := range people {
		if empty := emptied(p, now); p != empty {
			m.Members = append(m.Members, empty)
		}
	}
	all, err := r.ListAccountMembers(ctx, id)
	if err != nil {
		return m, fmt.Errorf("list the members of the account: %w", err)
	}
	for _, p := range all {
		p.Membership.RemovedAt = now
		m.Memberships = append(m.Memberships, p.Membership)
	}
	if len(m.Accounts)+len(m.Members)+len(m.Memberships) > 0 {
		m.Kind, m.AccountID = toksta.ChangeAccountErased, id
		m.Detail = map[string]string{"members": strconv.Itoa(len(m.Members))}
	}
	return m, nil
}
