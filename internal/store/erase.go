package store

import (
	"context"

	"github.com/toksta/toksta/sdk/toksta"
)

// Erasing removes personal data for good.
type Erasing interface {
	// Erase removes the personal data that e selects, except the rows of accounts and members
	// themselves, which a Mutation replaces. Rows that other rows refer to, and rows of the
	// change log, stay with their numbers, kinds, times and ids. It returns the number of
	// changed and deleted rows by table.
	//
	// Erase works in many short transactions. After an error, or if the process was killed, a
	// further call removes the rest.
	Erase(ctx context.Context, e Erasure) (rows map[string]int64, err error)
	// MarkErased sets ErasedAt of an account, once Erase has removed everything. It changes
	// nothing if the time is set.
	MarkErased(ctx context.Context, account toksta.AccountID) error
}

// Erasure selects personal data. An empty field selects nothing.
type Erasure struct {
	Account   toksta.AccountID  // data of the account, and of all its members in it
	Members   []toksta.MemberID // data of these people in all accounts
	Addresses []string          // invitations to these addresses, with their changes
}
