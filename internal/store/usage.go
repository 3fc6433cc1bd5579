package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Usage keeps the totals that meters flush.
type Usage interface {
	// Flush records running totals of an epoch. Of the stored and the given total
	// it keeps the greater one, so that a flush can be repeated and reordered. The
	// totals of a closed epoch are repeats and change nothing.
	Flush(ctx context.Context, b UsageBatch) error
	// ListUsage returns the totals of one account that q selects, summed over epochs.
	ListUsage(ctx context.Context, q UsageQuery) ([]UsageRow, error)
	// EachUsage calls each with every total that q selects, summed over epochs, in
	// the order of account, hour, key, family, cost key and reason, and with the
	// account's external id, "" if it has none. It keeps one row in memory. An empty
	// q.Account means all accounts.
	EachUsage(ctx context.Context, q UsageQuery, each func(row UsageRow, externalID string) error) error
	// LastUses returns the newest use of each key of the account.
	LastUses(ctx context.Context, account toksta.AccountID) (map[toksta.KeyID]LastUse, error)
	// CreditUse calls each with every account that has used or reserved credits, all
	// as of one moment. It calls cycle once for each of them; cycle returns the start
	// of the account's cycle, which must not be before since.
	CreditUse(ctx context.Context, since time.Time, cycle func(toksta.AccountID) time.Time, each func(toksta.AccountID, CreditUse)) error
}

// KeyUses reads keys with their last uses.
type KeyUses interface {
	// KeyUses returns the account's keys that are not revoked or, if ids is not empty,
	// those of its keys that have these ids, in no order. The time does not depend on
	// the number of other keys of the account.
	KeyUses(ctx context.Context, account toksta.AccountID, ids []toksta.KeyID) ([]KeyUse, error)
}

// KeyUse is the part of a key that reports of usage show.
type KeyUse struct {
	ID        toksta.KeyID
	Name      string
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
	LastUse   time.Time // zero: never used
}

// State returns the state of the key at now.
func (k KeyUse) State(now time.Time) toksta.KeyState {
	return toksta.Key{ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt}.State(now)
}

// UsageSlot identifies the calls that one total counts.
type UsageSlot struct {
	AccountID toksta.AccountID
	KeyID     toksta.KeyID
	Family    toksta.Family
	CostKey   string
	Reason    toksta.Reason // "" for admitted calls
	Hour      int64         // Unix hours
}

// UsageTotal is the running total of a slot in one epoch.
type UsageTotal struct {
	UsageSlot
	Calls  int64
	Charge toksta.Charge
}

// EpochOwnerLen is the length of the epoch prefix that identifies a process.
// Roll-ups keep processes separate, so that a reader can exclude its own charges.
const EpochOwnerLen = 24

// UsageBatch is one flush of one epoch.
type UsageBatch struct {
	Epoch    string
	Totals   []UsageTotal
	LastUses []LastUse
	// Close means that with this batch the store has all totals of the epoch, so
	// that later flushes are repeats. Only closed epochs are rolled up.
	Close bool
}

// LastUse is the newest use of a key.
type LastUse struct {
	KeyID     toksta.KeyID
	AccountID toksta.AccountID
	At        time.Time
	Address   string
	Agent     string
	Operation string
}

// UsageQuery selects totals of one account in the hours [From, To). With GroupDay the
// hours of a day are summed, and Hour is the first hour of the day.
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
	// Reserved is the sum of open reservations: the included credits and overage of
	// those that were made in the current cycle, and the purchased credits of all.
	Reserved toksta.Charge
}
