package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// EpochReservations is the epoch of the usage rows that settled reservations
// are charged in. Only ledger transactions write those, and they alone of all
// totals may go down, by a refund.
const EpochReservations = "reservations"

// Credits is the one way to move an account's credits outside of calls.
type Credits interface {
	// CommitCredits runs decide in one transaction that holds the account's
	// credit row, so decisions about one account's credits are taken one
	// after another over all nodes. It then writes the mutation and returns
	// its entries as they were written. decide's error comes back as it is
	// and nothing was written; decide may run more than once. No account:
	// ErrNotFound.
	CommitCredits(ctx context.Context, q CreditQuery, decide DecideCredits) ([]CreditEntry, error)
	// OverdueAccounts returns accounts with an open reservation whose time is
	// over by the database's clock, up to limit.
	OverdueAccounts(ctx context.Context, limit int) ([]toksta.AccountID, error)
}

// CreditRecords reads the ledger.
type CreditRecords interface {
	// ListCreditEntries returns a page, newest first.
	ListCreditEntries(ctx context.Context, q EntryQuery) ([]CreditEntry, error)
	// ListReservations returns open reservations in id order.
	ListReservations(ctx context.Context, q ReservationQuery) ([]Reservation, error)
	// CreditBooks streams everything there is about each account with
	// credits of its own, all as of one moment, an account at a time.
	CreditBooks(ctx context.Context, each func(CreditBook)) error
}

// Balances reads what an account can spend.
type Balances interface {
	// CreditState holds up other decisions about the account's credits when
	// it is read inside of a mutation.
	CreditState(ctx context.Context, q CreditQuery) (CreditState, error)
}

// DecideCredits says what to write. It has no effects of its own.
type DecideCredits func(CreditState) (CreditMutation, error)

// CreditQuery names what a decision about credits needs to see.
type CreditQuery struct {
	Account        toksta.AccountID
	Reservation    toksta.ReservationID // "": none
	IdempotencyKey string               // "": none
	Except         string               // leaves out charges as in ChargesBy; "": none
	Own            time.Time            // as in ChargesBy
	Cycle          time.Time            // the state is of no earlier cycle
}

// CreditState is all that decides about an account's credits.
type CreditState struct {
	Now         time.Time // by the database's clock
	Account     toksta.Account
	Cycle       time.Time     // start of the cycle that Use is of
	Use         Charged       // what is overdue is not held any more
	Overdue     []Reservation // still open though their time is over
	Reservation *Reservation  // the one asked for; nil: the account has none such
	Earlier     *CreditEntry  // with the idempotency key asked for; nil: none
}

// InCycle returns the part of a reservation's charge that the state's Use counts,
// in Held or in PurchasedEver: all of it if its hour is in the cycle, otherwise
// the purchased credits.
func (s CreditState) InCycle(hour int64, c toksta.Charge) toksta.Charge {
	if hour >= s.Cycle.Unix()/3600 {
		return c
	}
	return toksta.Charge{Credits: c.Purchased, Purchased: c.Purchased}
}

// CreditMutation is what one decision writes.
type CreditMutation struct {
	Entries      []CreditEntry // ID, Number and At are the store's to set
	Reservations []Reservation // new, or replaced whole
	Usage        []UsageTotal  // differences, added to the rows of EpochReservations
}

// CreditKind says what an entry is about.
type CreditKind string

// The kinds of entries.
const (
	CreditPurchase   CreditKind = "purchase"
	CreditAdjustment CreditKind = "adjustment"
	CreditReserve    CreditKind = "reserve"
	CreditSettle     CreditKind = "settle"
	CreditRefund     CreditKind = "refund"
	CreditExpire     CreditKind = "expire"
)

// CreditEntry is one line of the ledger. It never changes.
type CreditEntry struct {
	ID        string
	AccountID toksta.AccountID
	Number    int64 // 1 for the account's first, without gaps, in the order of decisions
	At        time.Time
	Kind      CreditKind
	// Delta is what the account can spend more than before, or less where a
	// part is below zero. A settlement's is what it did not charge.
	Delta         toksta.Charge
	ReservationID toksta.ReservationID // "" for purchases and adjustments
	Reason        string
	Actor         string
	// IdempotencyKey is used once in an account, "" by any number; Request
	// tells whether a repeat asks for the same.
	IdempotencyKey string
	Request        string
}

// ReservationState is how far a reservation is.
type ReservationState string

// The states of a reservation. All but open are final, except that a settled
// one can be refunded.
const (
	ReservationOpen     ReservationState = "open"
	ReservationSettled  ReservationState = "settled"
	ReservationRefunded ReservationState = "refunded"
	ReservationExpired  ReservationState = "expired"
)

// Reservation is credits set aside for one job. Its slot says where it shows in
// usage, under the hour in which it was made.
type Reservation struct {
	ID      toksta.ReservationID
	Slot    UsageSlot     // Reason is always ""
	Split   toksta.Charge // what was set aside, from where
	Charged toksta.Charge // so far; no part is above the split's
	State   ReservationState

	CreatedAt time.Time
	ExpiresAt time.Time
}

// EntryQuery selects entries of an account, or of one of its reservations.
type EntryQuery struct {
	Account     toksta.AccountID
	Reservation toksta.ReservationID // "": all
	Before      int64                // numbers below this; 0: from the newest
	Limit       int                  // 0: 100
}

// ReservationQuery selects open reservations. An empty Account means all.
type ReservationQuery struct {
	Account toksta.AccountID
	Page    Page
}

// CreditBook is everything there is about one account's credits.
type CreditBook struct {
	AccountID     toksta.AccountID
	Purchased     int64         // ever bought, as the account has it
	PurchasedUsed int64         // ever, as usage has it
	Count         int64         // of entries, as the account's credit row has it
	Entries       []CreditEntry // oldest first
	Reservations  []Reservation
	Usage         []UsageTotal // the rows of EpochReservations
}
