// Package store defines the interfaces of the database.
//
// Keys, accounts, signin and credits write changes with Commit, and nodes read the
// changed rows with Follow. The meter writes its totals with Flush, and usage,
// export, events and credits read these totals. Package sqlstore implements the
// interfaces for SQLite and PostgreSQL; both pass the suite in package storetest. No
// decision about a call reads the database: meter and credits use it in the
// background, and usage for reports.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Errors that every implementation returns, testable with errors.Is.
var (
	ErrNotFound = errors.New("store: not found")
	// ErrFenced means that the node's row was removed, or that the database was
	// replaced since, by a restore or a fail-over: the node must give up its lease
	// and register again.
	ErrFenced = errors.New("store: node is fenced")
	// ErrTaken means that a written digest, e-mail address or external id belongs to
	// another row; nothing was written.
	ErrTaken = errors.New("store: already in use")
	// ErrUnavailable means that the database cannot be reached, or cannot be
	// written, for example because its disk is full. Nothing was written. The error
	// contains nothing that clients must not see.
	ErrUnavailable = &toksta.Error{
		Code: toksta.CodeUnavailable, Reason: toksta.ReasonStoreUnavailable,
		Message: "The request cannot be served at the moment, and nothing was changed. Try again in a few seconds.",
		Hint:    "the database cannot be reached or written: check that it runs and that its disk is not full; the server's log has the cause",
	}
	// ErrUncertain means that the connection was lost before the database confirmed
	// a commit. The error contains nothing that clients must not see.
	ErrUncertain = &toksta.Error{
		Code: toksta.CodeUnavailable, Reason: toksta.ReasonOutcomeUnknown,
		Message: "It is unknown whether this was done: the connection to the database was lost while it was written. " +
			"Repeat the request with the same idempotency key or token, and it is done once; without one, check before you repeat it.",
		Hint: "check that the database runs; toksta audit shows whether the change was made",
	}
)

// RepeatedError is the error of Commit if an earlier change has the idempotency token
// of the mutation. Nothing was written; Change is the earlier change.
type RepeatedError struct{ Change toksta.Change }

// Error implements error.
func (e *RepeatedError) Error() string { return "store: the request was already executed" }

// Store is the whole database; a package that uses it declares the roles that it
// needs. All methods are safe for concurrent use. Times are kept in milliseconds,
// UTC.
type Store interface {
	Reader
	Mutator
	Sessions
	Tickets
	Attempts
	Browsers
	FactorUses
	Nodes
	ChangeFeed
	Usage
	KeyUses
	Outbox
	Events
	Credits
	CreditRecords
	Exports
	ExportState
	Retention
	Epochs
	Claims
	Clock
	OperatorUses
	NoticeLog
	NoticeMails
	NoticeReport
	NoticePages
	Erasing
	// Ping fails if the database does not respond to a read.
	Ping(ctx context.Context) error
	Close() error
}

// Reader reads current state. The Reader that Decide receives reads in the
// transaction of the change and under its lock; the methods of Store read outside of
// any transaction. The error for a missing row is ErrNotFound.
type Reader interface {
	Accounts
	Keys
	Members
	SignUps
	Factors
	Audit
	Search
	Balances
	OperatorKeys
}

// Accounts reads accounts.
type Accounts interface {
	Account(ctx context.Context, id toksta.AccountID) (toksta.Account, error)
	// ListAccounts returns a page in id order.
	ListAccounts(ctx context.Context, p Page) ([]toksta.Account, error)
	// ResolveAccounts returns the id of each account that refs name, by its id or by its
	// external id. The result omits all other refs.
	ResolveAccounts(ctx context.Context, refs []toksta.AccountID) (map[toksta.AccountID]toksta.AccountID, error)
	// ClosedAccounts returns the closed accounts among those with the ids.
	ClosedAccounts(ctx context.Context, ids []toksta.AccountID) (map[toksta.AccountID]bool, error)
}

// Keys reads keys with their generations.
type Keys interface {
	// Key returns a key of the account, so that one customer cannot read a key of
	// another. Operators pass an empty account, which means any.
	Key(ctx context.Context, account toksta.AccountID, id toksta.KeyID) (toksta.Key, error)
	// ListKeys returns a page in id order, oldest first.
	ListKeys(ctx context.Context, q KeyQuery) ([]toksta.Key, error)
	// CountLiveKeys counts the account's keys that are neither revoked nor expired
	// at now.
	CountLiveKeys(ctx context.Context, account toksta.AccountID, now time.Time) (int, error)
	// KeysByDigest returns the key of each digest that the store has, also of a
	// revoked or expired key. The result omits all other digests.
	KeysByDigest(ctx context.Context, digests []toksta.Digest) (map[toksta.Digest]toksta.KeyID, error)
	// ResolveKeys returns the id of each key that refs name, by its id or by its external
	// id. The result omits all other refs.
	ResolveKeys(ctx context.Context, refs []toksta.KeyID) (map[toksta.KeyID]toksta.KeyID, error)
}

// Members reads members, their memberships, invitations and identities.
type Members interface {
	Member(ctx context.Context, id toksta.MemberID) (toksta.Member, error)
	// MemberByEmail finds a member by any spelling of the address: in upper or
	// lower case, the domain in Unicode or Punycode.
	MemberByEmail(ctx context.Context, email string) (toksta.Member, error)
	Memberships
	Invitations
	Identities
}

// Audit reads the change log.
type Audit interface {
	// ListChanges returns a page, newest first.
	ListChanges(ctx context.Context, q ChangeQuery) ([]toksta.Change, error)
	// ChangeByToken finds the change that was made with an idempotency token.
	ChangeByToken(ctx context.Context, token string) (toksta.Change, error)
}

// Mutator is the one way to change accounts, keys and members.
type Mutator interface {
	// Commit runs decide in one transaction that locks the clock row, which has the
	// number of the last change, so mutations are decided one after another on
	// current state. It then writes the returned mutation and, under the next number,
	// a row of the change log with by as the actor, and notifies the nodes that
	// Listen.
	//
	// If decide fails, its error is returned as it is and nothing is written. If it
	// returns an empty Kind, nothing is written and the returned change is zero.
	// decide can run more than once, so it must have no side effects.
	Commit(ctx context.Context, by toksta.Actor, decide Decide) (toksta.Change, error)
}

// Decide reads current state and returns the mutation to write.
type Decide func(ctx context.Context, r Reader) (Mutation, error)

// Mutation is the new state that one change writes. Rows are inserted, or
// replaced whole when their id exists. No row is ever deleted, except of Unlinked.
type Mutation struct {
	Kind      toksta.ChangeKind
	AccountID toksta.AccountID
	KeyID     toksta.KeyID
	MemberID  toksta.MemberID
	// OperatorKeyID names the operator key that the change concerns; "" for none.
	OperatorKeyID toksta.OperatorKeyID
	Detail        map[string]string // never a secret
	// Token is an idempotency token: at most one change has it. "" means none. Once
	// sets it.
	Token string

	Accounts    []toksta.Account
	Keys        []toksta.Key
	Members     []toksta.Member
	Memberships []toksta.Membership
	Invitations []Invitation
	Identities  []Identity
	Credits     []CreditEntry // ID, Number and At are set by the store
	// OperatorKeys are written with all their generations.
	OperatorKeys []toksta.OperatorKey
	// Unlinked are the identities to delete, before Identities are written.
	Unlinked []Identity
	// Passkeys that exist keep their sign count and all else that a use sets.
	Passkeys      []Passkey
	TOTPs         []TOTP
	RecoveryCodes []RecoveryCode
}

// Page selects up to Limit rows of a list, with ids greater than After.
type Page struct {
	After string
	Limit int // 0: 100
}

// KeyQuery selects keys. An empty Account means all accounts.
type KeyQuery struct {
	Account toksta.AccountID
	Revoked bool // include revoked keys
	Page    Page
}

// ChangeQuery selects changes, newest first. Zero fields select all. An import and a
// revocation of many keys belong to the changes of each of these keys, and to the
// changes of the accounts of these keys.
type ChangeQuery struct {
	Account toksta.AccountID
	Key     toksta.KeyID
	Before  int64 // numbers less than this; 0: from the newest
	Limit   int   // 0: 100
}
