package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// EpochReservations is the epoch of the usage rows that settled reservations are
// charged to. Only CommitCredits writes these rows. Unlike all other totals, theirs can
// decrease: a refund subtracts from them.
const EpochReservations = "reservations"

// Credits writes the steps of reservations, and sums the charges of calls for the
// nodes that spend the same credits.
type Credits interface {
	// CommitCredits runs decide in one transaction that locks the account's credit
	// row, so that all nodes decide about one account's credits one after another.
	// It then writes the mutation and returns its entries as they were written. If
	// decide fails, its error is returned as it is and nothing is written. decide
	// can run more than once. It returns ErrNotFound if there is no such account.
	CommitCredits(ctx context.Context, q CreditQuery, decide DecideCredits) ([]CreditEntry, error)
	// OverdueAccounts returns up to limit accounts with an open reservation that
	// has expired by the database's clock.
	OverdueAccounts(ctx context.Context, limit int) ([]toksta.AccountID, error)
	// ChargesBy returns the sum of the charges in each span, in the order of spans.
	// Each sum is as of one moment. A node adds its own charges from memory, so the
	// sum leaves out epochs with the prefix except, from the later of span.Cycle and
	// span.Own on; an empty except leaves out nothing. The time does not depend on
	// other accounts.
	ChargesBy(ctx context.Context, except string, spans []ChargeSpan) ([]Charged, error)
}

// CreditRecords reads entries and reservations.
type CreditRecords interface {
	// ListCreditEntries returns a page, newest first.
	ListCreditEntries(ctx context.Context, q EntryQuery) ([]CreditEntry, error)
	// ListReservations returns open reservations in id order.
	ListReservations(ctx context.Context, q ReservationQuery) ([]Reservation, error)
	// CreditBooks calls each with the book of every account that has a credit row,
	// or has purchased or used purchased credits, all as of one moment.
	CreditBooks(ctx context.Context, each func(CreditBook)) error
}

// Balances reads the credit state of an account.
type Balances interface {
	// CreditState reads the state for a decision. Inside a mutation it locks the
	// account's credit row, for which other decisions wait.
	CreditState(ctx context.Context, q CreditQuery) (CreditState, error)
}

// DecideCredits returns the mutation to write. It has no side effects.
type DecideCredits func(CreditState) (CreditMutation, error)

// CreditQuery selects the state that a decision about credits needs.
type CreditQuery struct {
	Account        toksta.AccountID
	Reservation    toksta.ReservationID // "": none
	IdempotencyKey string               // "": none
	Except         string               // prefix of epochs that Use leaves out, from Own on; "": none
	Own            time.Time            // as in ChargeSpan
	Cycle          time.Time            // start of the earliest cycle that the state can be of
}

// CreditState is the input of a decision about an account's credits.
type CreditState struct {
	Now         time.Time // by the database's clock
	Account     toksta.Account
	Cycle       time.Time     // start of the cycle that Use belongs to
	Use         Charged       // overdue reservations are not part of Reserved
	Overdue     []Reservation // open reservations that have expired
	Reservation *Reservation  // the selected one; nil: the account does not have it
	Earlier     *CreditEntry  // the entry with the selected idempotency key; nil: none
}

// InCycle returns the part of c that Use contains, where c is the amount of a
// reservation that was made in an hour: all of c if the hour is in the cycle, otherwise
// only the purchased credits, which count in every cycle.
func (s CreditState) InCycle(hour int64, c toksta.Charge) toksta.Charge {
	if hour >= s.Cycle.Unix()/3600 {
		return c
	}
	return toksta.Charge{Credits: c.Purchased, Purchased: c.Purchased}
}

// CreditMutation is the result of one decision.
type CreditMutation struct {
	Entries      []CreditEntry // ID, Number and At are set by the store
	Reservations []Reservation // inserted, or replaced whole
	Usage        []UsageTotal  // differences, added to the rows of EpochReservations
}

// CreditKind is the kind of movement that an entry records.
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

// CreditEntry is one movement of an account's credits. It never changes.
type CreditEntry struct {
	ID        string
	AccountID toksta.AccountID
	Number    int64 // from 1 in each account, without gaps, in the order of decisions
	At        time.Time
	Kind      CreditKind
	// Delta is the change of the credits that the account can spend; parts can be
	// negative. The delta of a settlement is the released part of the reservation.
	Delta         toksta.Charge
	ReservationID toksta.ReservationID // "" for purchases and adjustments
	Reason        string
	Actor         string
	// IdempotencyKey is unique in an account, unless it is "". Request shows whether
	// a repeat has the same content.
	IdempotencyKey string
	Request        string
}

// ReservationState is the state of a reservation.
type ReservationState string

// The states of a reservation. All but open are final, except that a settled
// reservation can be refunded.
const (
	ReservationOpen     ReservationState = "open"
	ReservationSettled  ReservationState = "settled"
	ReservationRefunded ReservationState = "refunded"
	ReservationExpired  ReservationState = "expired"
)

// Reservation is an amount of credits set aside for one job. It is charged to the usage
// of Slot, which has the hour in which the reservation was made.
type Reservation struct {
	ID      toksta.ReservationID
	Slot    UsageSlot     // Reason is always ""
	Split   toksta.Charge // the amount, by kinds of credits
	Charged toksta.Charge // so far; no part is greater than in Split
	State   ReservationState

	CreatedAt time.Time
	ExpiresAt time.Time
}

// ChargeSpan selects the hours [From, To) of one account.
type ChargeSpan struct {
	Account  toksta.AccountID
	Cycle    time.Time // start of the cycle; before it, only purchased credits are summed
	Own      time.Time // from here on, ChargesBy leaves out the epochs of its caller
	From, To time.Time // a zero To has no end
}

// Charged is the sum of the charges in a span. Its Reserved does not depend on the span.
type Charged struct {
	CreditUse
	// Entries is the number of the account's entries. While it stays the same, no
	// reservation of any hour was settled or refunded.
	Entries int64
}

// EntryQuery selects entries of an account, or of one of its reservations.
type EntryQuery struct {
	Account     toksta.AccountID
	Reservation toksta.ReservationID // "": all
	Before      int64                // numbers less than this; 0: from the newest
	Limit       int                  // 0: 100
}

// ReservationQuery selects open reservations. An empty Account means all.
type ReservationQuery struct {
	Account toksta.AccountID
	Page    Page
}

// CreditBook is all data about one account's credits.
type CreditBook struct {
	AccountID     toksta.AccountID
	Purchased     int64         // ever purchased, according to the account
	PurchasedUsed int64         // ever used, according to usage
	Count         int64         // of entries, according to the account's credit row
	Entries       []CreditEntry // oldest first
	Reservations  []Reservation
	Usage         []UsageTotal // the rows of EpochReservations
}
