package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Search finds rows by other values than their ids. Each method reads a limited number of
// rows, whatever the size of the table, so a page can have fewer rows than its limit, or
// none, though others follow. Names are found by their start, without regard to the case
// of A to Z, and in the order of names; all other values are compared byte by byte, and
// found in the order of ids.
type Search interface {
	FindAccounts(ctx context.Context, q AccountSearch) (Found[toksta.Account], error)
	FindKeys(ctx context.Context, q KeySearch) (Found[toksta.Key], error)
	// FindChanges returns changes, newest first.
	FindChanges(ctx context.Context, q ChangeSearch) (FoundChanges, error)
}

// Found is a page of a search. Next is the After of the next page, "" on the last one.
type Found[T any] struct {
	Rows []T
	Next string
}

// FoundChanges is a page of changes. Next is the Before of the next page, 0 on the last
// one.
type FoundChanges struct {
	Rows []toksta.Change
	Next int64
}

// AccountSearch selects the accounts that meet all conditions. "" is no condition.
type AccountSearch struct {
	Email      string // address of a member, in any spelling
	Name       string // start of the name
	ExternalID string
	Plan       toksta.PlanID
	Status     toksta.Status
	Page       Page // After is a cursor
}

// KeySearch selects the keys that meet all conditions. "" is no condition.
type KeySearch struct {
	Account    toksta.AccountID
	Name       string // start of the name
	ExternalID string
	Start, End string          // all visible characters at one end of a secret, of any generation
	State      toksta.KeyState // at Now
	Now        time.Time
	Revoked    bool // without State: include revoked keys
	Page       Page // After is a cursor
}

// ChangeSearch selects the changes that meet all conditions.
type ChangeSearch struct {
	ChangeQuery
	// OperatorKey selects the changes of one operator key; "": any.
	OperatorKey toksta.OperatorKeyID
	// Member selects the changes by and about a person; "": any.
	Member toksta.MemberID
	Actor  string            // id of a member or an operator key, name of an operator, or a toksta.ActorKind; "": any
	Kind   toksta.ChangeKind // "": any
	Since  time.Time         // inclusive; zero: any
	Until  time.Time         // exclusive; zero: any
}
