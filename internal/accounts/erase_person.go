package accounts

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// ErasedPerson is the result of ErasePerson.
type ErasedPerson struct {
	Rows    map[string]int64 // changed and deleted rows, by table of the database
	Receipt toksta.Receipt
}

// ErasePerson removes the personal data of one person from all accounts: address, name, ways to sign
// in, sessions, notices, and the person's name in keys and in the change log. The ids stay. If the
// person belongs to an account, the error is CONFLICT.
//
// Nothing can undo it. After an error, or if the process was killed, a further call removes the
// rest.
func (s *Service) ErasePerson(ctx context.Context, by toksta.Actor, id toksta.MemberID) (ErasedPerson, error) {
	person, err := erasablePerson(ctx, s.Store, id)
	if err != nil {
		return ErasedPerson{}, err
	}
	// Invitations are found by the address of the person, so they come before it.
	rows, err := s.Erasing.Erase(ctx, store.Erasure{Addresses: addresses([]toksta.Member{person})})
	if err != nil {
		return ErasedPerson{}, err
	}
	out := ErasedPerson{Rows: rows}
	now := s.now()
	out.Receipt, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (_ store.Mutation, err error) {
		person, err = erasablePerson(ctx, r, id)
		if empty := emptied(person, now); err == nil && person != empty {
			return store.Mutation{Kind: toksta.ChangeMemberErased, MemberID: id, Members: []toksta.Member{empty}}, nil
		}
		return store.Mutation{}, err
	})
	if err != nil {
		return ErasedPerson{}, err
	}
	// An invitation can have been made between the first call and the change.
	rest, err := s.Erasing.Erase(ctx, store.Erasure{Members: []toksta.MemberID{id}, Addresses: addresses([]toksta.Member{person})})
	if err != nil {
		return ErasedPerson{}, fmt.Errorf("erase the rest of member %s, repeat the request: %w", id, err)
	}
	for table, n := range rest {
		out.Rows[table] += n
	}
	return out, nil
}

// erasablePerson returns a person who belongs to no account.
func erasablePerson(ctx context.Context, r store.Reader, id toksta.MemberID) (toksta.Member, error) {
	person, err := r.Member(ctx, id)
	if err != nil {
		return person, store.Missing("member", id, err)
	}
	places, err := r.ListMemberships(ctx, id)
	if err != nil {
		return person, fmt.Errorf("list the accounts of member %s: %w", id, err)
	}
	if len(places) > 0 {
		return person, &toksta.Error{
			Code: toksta.CodeConflict, Message: fmt.Sprintf("The person belongs to the account %s. Remove the person from all accounts first.", places[0].AccountID),
		}
	}
	return person, nil
}
