// Package store defines the interfaces of the database.
//
// It is at the end of the change path: keys, accounts, signin and credits call
// Commit, and nodes read the changed rows by Follow. The meter flushes its totals
// through it, and usage, export, events and credits read them. Package sqlstore
// implements the interfaces for SQLite and PostgreSQL; both pass the suite in
// package storetest. No decision about a call reads the database: meter and
// credits use it in the background, and usage for reports.
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
	// ErrFenced means that the node's row is gone or belongs to another
	// incarnation: the node must drop its lease and register anew.
	ErrFenced = errors.New("store: node is fenced")
	// ErrTaken means that a written digest or e-mail address belongs to
	// another row; nothing was written.
	ErrTaken = errors.New("store: already in use")
	// ErrUnavailable means that the database could not do it now: it cannot be
	// reached, or not be written, as on a full disk. Nothing was written. It is
	// fit for callers as it is.
	ErrUnavailable = &toksta.Error{
		Code: toksta.CodeUnavailable, Reason: toksta.ReasonStoreUnavailable,
		Message: "This cannot be answered at the moment, and nothing was changed. Try again in a few seconds.",
		Hint:    "the database cannot be reached or written: see that it runs and that its disk is not full; the server's log says why",
	}
	// ErrUncertain means that the database was lost before it confirmed a
	// commit. It is fit for callers as it is.
	ErrUncertain = &toksta.Error{
		Code: toksta.CodeUnavailable, Reason: toksta.ReasonOutcomeUnknown,
		Message: "It is not known whether this was done: the answer was lost while it was written. " +
			"Repeat the request with the same idempotency key or token, which does it once; without one, look before you repeat it.",
		Hint: "see that the database runs; toksta audit shows whether the change was made",
	}
)

// RepeatedError is returned by Commit when the token of its decision was used
// before: nothing was changed now, Change is what happened then.
type RepeatedError struct{ Change toksta.Change }

// Error says so in words.
func (e *RepeatedError) Error() string { return "store: this request was already carried out" }

// Store is the whole database, made of roles. All methods are safe for
// concurrent use. Times are kept in milliseconds, UTC.
type Store interface {
	Reader
	Mutator
	Sessions
	Nodes
	Usage
	Outbox
	Events
	Credits
	CreditRecords
	Charges
	Exports
	ExportState
	Retention
	Epochs
	Claims
	// Ping reports whether the database answers now.
	Ping(ctx context.Context) error
	Close() error
}

// Reader reads current state, inside a mutation (then under its lock) or
// outside. A missing row is ErrNotFound.
type Reader interface {
	Accounts
	Keys
	Members
	Audit
	Balances
}

// Accounts reads accounts.
type Accounts interface {
	Account(ctx context.Context, id toksta.AccountID) (toksta.Account, error)
	// ListAccounts returns a page in id order.
	ListAccounts(ctx context.Context, p Page) ([]toksta.Account, error)
	// KnownAccounts says of each id that there is an account, by true.
	KnownAccounts(ctx context.Context, ids []toksta.AccountID) (map[toksta.AccountID]bool, error)
}

// Keys reads keys with their generations.
type Keys interface {
	// Key needs the account, so that another tenant's row cannot be asked
	// for. An empty account is the operator's: any.
	Key(ctx context.Context, account toksta.AccountID, id toksta.KeyID) (toksta.Key, error)
	// ListKeys returns a page in id order, oldest first.
	ListKeys(ctx context.Context, q KeyQuery) ([]toksta.Key, error)
	// CountLiveKeys counts keys neither revoked nor expired at now.
	CountLiveKeys(ctx context.Context, account toksta.AccountID, now time.Time) (int, error)
	// KeysByDigest finds the key of each digest that exists, of any state.
	KeysByDigest(ctx context.Context, digests []toksta.Digest) (map[toksta.Digest]toksta.KeyID, error)
}

// Members reads people and invitations.
type Members interface {
	Member(ctx context.Context, id toksta.MemberID) (toksta.Member, error)
	// MemberByEmail finds a member by any spelling of the address: in upper or lower case, the domain in Unicode or Punycode.
	MemberByEmail(ctx context.Context, email string) (toksta.Member, error)
	ListMembers(ctx context.Context, account toksta.AccountID) ([]toksta.Member, error)
	// Invitation finds an invitation by the SHA-256 of its code.
	Invitation(ctx context.Context, code toksta.Digest) (Invitation, error)
}

// Audit reads the change log.
type Audit interface {
	// ListChanges returns a page, newest first.
	ListChanges(ctx context.Context, q ChangeQuery) ([]toksta.Change, error)
	// ChangeByToken finds the change that used a token.
	ChangeByToken(ctx context.Context, token string) (toksta.Change, error)
}

// Mutator is the one way to change accounts, keys and members.
type Mutator interface {
	// Commit runs decide in one transaction that holds the clock row's lock,
	// so mutations are decided one after another on current state. It then
	// writes the returned mutation and its row in the change log under the
	// next sequence number. An error of decide, returned as it is, or an
	// empty Kind (nothing to do, zero Change) writes nothing. decide may run
	// more than once when the database asks for a retry and must have no
	// effects of its own. With the commit the listeners of Bell are woken.
	Commit(ctx context.Context, by toksta.Actor, decide Decide) (toksta.Change, error)
}

// Decide reads current state and says what to write.
type Decide func(ctx context.Context, r Reader) (Mutation, error)

// Mutation is the new state that one change writes. Rows are inserted, or
// replaced whole when their id exists; no row is ever deleted.
type Mutation struct {
	Kind      toksta.ChangeKind
	AccountID toksta.AccountID
	KeyID     toksta.KeyID
	MemberID  toksta.MemberID
	Detail    map[string]string // never a secret
	// Token is used by one change at most, "" by any number. Once sets it.
	Token string

	Accounts    []toksta.Account
	Keys        []toksta.Key
	Members     []toksta.Member
	Invitations []Invitation
	Credits     []CreditEntry // ID, Number and At are the store's to set
}

// Invitation lets one person sign up where sign-up is by invitation.
type Invitation struct {
	Code      toksta.Digest    // SHA-256 of the code
	AccountID toksta.AccountID // the account to join; "" makes a new one
	Email     string           // "" leaves it open
	ExpiresAt time.Time
	UsedAt    time.Time // zero: unused
}

// Sessions keeps browser sessions, by the SHA-256 of their cookie. They carry
// no right on keys' state, so they are not in the change log.
type Sessions interface {
	// PutSession inserts a session.
	PutSession(ctx context.Context, s Session) error
	// SeeSession sets SeenAt. It returns ErrNotFound, and inserts nothing, if the
	// session was ended in the meantime.
	SeeSession(ctx context.Context, id toksta.Digest, at time.Time) error
	Session(ctx context.Context, id toksta.Digest) (Session, error)
	// ListSessions returns a member's sessions that end after now, newest first.
	ListSessions(ctx context.Context, member toksta.MemberID, now time.Time) ([]Session, error)
	// EndSessions deletes one session (id non-zero), all of a member's
	// but one (member and keep), or those that ended before a time.
	EndSessions(ctx context.Context, which SessionSet) error
}

// Session is one signed-in browser.
type Session struct {
	ID        toksta.Digest
	MemberID  toksta.MemberID
	CreatedAt time.Time // of the sign-in with credentials
	SeenAt    time.Time
	ExpiresAt time.Time
	Address   string
	Agent     string
}

// SessionSet names sessions to end; exactly one of ID, Member and Before is set.
type SessionSet struct {
	ID     toksta.Digest
	Member toksta.MemberID
	Keep   toksta.Digest // with Member: the one to spare
	Before time.Time
}

// Nodes is the membership that enforcement waits for, and the feed that
// nodes follow.
type Nodes interface {
	Bell
	Deltas
	Signs
	// Register writes a new row for n, of a fresh epoch.
	Register(ctx context.Context, n Node) error
	// ListNodes returns every row, whatever any clock says: a node is there
	// until it leaves or is fenced.
	ListNodes(ctx context.Context) ([]Node, error)
	// Leave removes the node's row at a clean stop, after it has stopped
	// admitting.
	Leave(ctx context.Context, n Node) error
	// Fence removes the row of a node as it was listed. A node that has
	// renewed since stays, and it is no error: it may hold a lease.
	Fence(ctx context.Context, n Node) error
}

// Signs are what a node says of itself. No row for (n.ID, n.Epoch), or one of
// another incarnation: ErrFenced.
type Signs interface {
	// Renew renews the node's row, recording n.Applied, and returns the
	// number of the last change that came before. It is a commit like any
	// change's: where those wait for a standby, so does this.
	Renew(ctx context.Context, n Node) (seq int64, err error)
	// Ack records n.Applied, and nothing of a lease. It may be lost with the
	// database's last moments.
	Ack(ctx context.Context, n Node) error
}

// Deltas is what a node fills and keeps its index with. Both methods return
// the number of a change that, with all before it, is in what sink was given.
type Deltas interface {
	// Snapshot streams everything into sink as of one moment, accounts first.
	// It needs no registration.
	Snapshot(ctx context.Context, sink DeltaSink) (seq int64, err error)
	// Follow streams the newest state of every account and grant touched
	// after n.Applied into sink, and writes nothing. What came after the
	// number may be in it as well, and comes again with the next call. No row
	// for (n.ID, n.Epoch), or one of another incarnation: ErrFenced.
	Follow(ctx context.Context, n Node, sink DeltaSink) (seq int64, err error)
}

// Bell tells nodes that there is something to read. It may lose rings and has
// no authority.
type Bell interface {
	// Listen calls woken after each commit with the number of its change, 0
	// where that is not known, until ctx ends. Commits that follow closely
	// may ring once, and one that was made through this very store, whose
	// caller knows of it, need not ring.
	Listen(ctx context.Context, woken func(seq int64)) error
}

// Node is one process that admits traffic.
type Node struct {
	ID      string // operator's name for it, or the host name
	Epoch   string // fresh and random for each process start
	Version string
	Applied int64
	Lease   time.Duration // how long one renewal is good for
	Keys    int64         // grants in the index, for people
	SeenAt  time.Time     // last renewal by the database's clock, for people; set by ListNodes
	Beats   int64         // renewals so far; set by ListNodes
}

// Stale reports, for people, whether n has not renewed for a lease, as now and
// the database's clock have it. Nothing but the pace of a join rests on it.
func (n Node) Stale(now time.Time) bool { return now.Sub(n.SeenAt) > n.Lease }

// DeltaSink takes the rows of a delta. The index implements it.
type DeltaSink interface {
	PutAccount(toksta.Account)
	PutGrant(d toksta.Digest, account toksta.AccountID, g toksta.Grant)
}

// Usage keeps the meter's totals.
type Usage interface {
	// Flush records running totals, each as the greatest of what is kept
	// and what is given: repeats and reorders change nothing (they are
	// totals of an epoch, never differences). Those of an epoch that was
	// closed before are repeats and change nothing either.
	Flush(ctx context.Context, b UsageBatch) error
	// ListUsage sums totals over epochs.
	ListUsage(ctx context.Context, q UsageQuery) ([]UsageRow, error)
	// EachUsage is ListUsage for any number of rows: it hands them over one
	// by one, in the order of account, hour, key, family, cost key and
	// reason. An empty account means all.
	EachUsage(ctx context.Context, q UsageQuery, each func(UsageRow) error) error
	// LastUses returns the newest use of each key of the account.
	LastUses(ctx context.Context, account toksta.AccountID) (map[toksta.KeyID]LastUse, error)
	// CreditUse streams, for each account with any use of credits, what was
	// charged since its cycle's start, the purchased credits ever used, and
	// what open reservations hold, all as of one moment. cycle gives an account's start, never before since; called once per
	// account.
	CreditUse(ctx context.Context, since time.Time, cycle func(toksta.AccountID) time.Time, each func(toksta.AccountID, CreditUse)) error
}

// UsageSlot is what one total counts.
type UsageSlot struct {
	AccountID toksta.AccountID
	KeyID     toksta.KeyID
	Family    toksta.Family
	CostKey   string
	Reason    toksta.Reason // "" for admitted calls
	Hour      int64         // Unix hours
}

// UsageTotal is the running total of a slot in one epoch of one node.
type UsageTotal struct {
	UsageSlot
	Calls  int64
	Charge toksta.Charge
}

// EpochOwner is how many characters of an epoch tell the process. What is made
// of totals stays apart by them, for who leaves out one process's.
const EpochOwner = 24

// UsageBatch is one flush of one epoch.
type UsageBatch struct {
	Epoch    string
	Totals   []UsageTotal
	LastUses []LastUse
	// Close says that with this batch the store has all totals of the epoch:
	// whatever comes later is a repeat. Only closed epochs are rolled up.
	Close bool
}

// LastUse is the newest use of a key that an epoch saw.
type LastUse struct {
	KeyID     toksta.KeyID
	AccountID toksta.AccountID
	At        time.Time
	Address   string
	Agent     string
	Operation string
}

// UsageQuery selects totals of one account, hours [From, To). GroupDay sums
// hours into days (Hour is the day's first).
type UsageQuery struct {
	Account  toksta.AccountID
	Key      toksta.KeyID // "" for all
	From, To time.Time
	GroupDay bool
}

// UsageRow is one sum over epochs.
type UsageRow = UsageTotal

// CreditUse is the credit state that balances start from.
type CreditUse struct {
	Cycle         toksta.Charge // in the current cycle
	PurchasedEver int64
	// Held is set aside by open reservations: included credits and overage by
	// those made in the current cycle, purchased ones by all.
	Held toksta.Charge
}

// Page selects part of a list: up to Limit rows with ids above After.
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

// ChangeQuery selects changes, newest first. Zero fields select all. Those of
// a key and of an account include the ones that touched many keys at once.
type ChangeQuery struct {
	Account toksta.AccountID
	Key     toksta.KeyID
	Before  int64 // sequence numbers below this; 0: from the newest
	Limit   int   // 0: 100
}
