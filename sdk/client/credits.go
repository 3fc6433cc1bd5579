package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Credits are a number of credits by what they were paid from. In a ledger's
// entry a number below zero is one that the account can spend less.
type Credits struct {
	Total         int64 `json:"total"`
	Included      int64 `json:"included"`
	Purchased     int64 `json:"purchased"`
	Overage       int64 `json:"overage"`
	OverageMicros int64 `json:"overage_micros"` // micro-dollars
}

// NewCredits puts a charge in the form of the wire.
func NewCredits(c toksta.Charge) Credits {
	return Credits{c.Credits, c.Included(), c.Purchased, c.Overage, c.OverageMicros}
}

// Reservation is credits set aside for a job.
type Reservation struct {
	ID        toksta.ReservationID `json:"id"`
	AccountID toksta.AccountID     `json:"account_id"`
	KeyID     toksta.KeyID         `json:"key_id,omitempty"`
	Family    toksta.Family        `json:"family"`
	CostKey   string               `json:"cost_key"`
	State     string               `json:"state"` // open, settled, refunded or expired
	Reserved  Credits              `json:"reserved"`
	Charged   Credits              `json:"charged"`
	CreatedAt time.Time            `json:"created_at"`
	ExpiresAt time.Time            `json:"expires_at"`
}

// CreditEntry is one line of an account's ledger.
type CreditEntry struct {
	ID             string               `json:"id"`
	AccountID      toksta.AccountID     `json:"account_id"`
	Number         int64                `json:"number"` // from 1, without gaps
	At             time.Time            `json:"at"`
	Kind           string               `json:"kind"` // purchase, adjustment, reserve, settle, refund or expire
	Credits        Credits              `json:"credits"`
	ReservationID  toksta.ReservationID `json:"reservation_id,omitempty"`
	Reason         string               `json:"reason,omitempty"`
	Actor          string               `json:"actor"`
	IdempotencyKey string               `json:"idempotency_key,omitempty"`
}

// ReserveRequest sets credits aside. A repeat with the same idempotency key
// gets the first answer again.
type ReserveRequest struct {
	AccountRef
	Key            toksta.KeyID  `json:"key,omitempty"`
	Family         toksta.Family `json:"family"`
	CostKey        string        `json:"cost_key"`
	Credits        int64         `json:"credits"`
	ExpiresIn      int64         `json:"expires_in_seconds,omitempty"` // 0: a day
	Reason         string        `json:"reason,omitempty"`
	IdempotencyKey string        `json:"idempotency_key"`
}

// CloseRequest settles or refunds a reservation. Credits is what a settlement
// charges, or what a refund gives back, where 0 is everything.
type CloseRequest struct {
	AccountRef
	Reservation    toksta.ReservationID `json:"reservation"`
	Credits        int64                `json:"credits"`
	Reason         string               `json:"reason,omitempty"`
	IdempotencyKey string               `json:"idempotency_key"`
}

// ReservationAnswer is a reservation as the request left it, and its entry.
type ReservationAnswer struct {
	Reservation Reservation `json:"reservation"`
	Entry       CreditEntry `json:"entry"`
}

// PurchaseRequest adds purchased credits, or corrects them: an adjustment may
// be below 0 and needs a reason.
type PurchaseRequest struct {
	AccountRef
	Credits        int64  `json:"credits"`
	Reason         string `json:"reason,omitempty"`
	IdempotencyKey string `json:"idempotency_key"`
}

// PurchaseAnswer is what an account has bought, and has left of it, now.
type PurchaseAnswer struct {
	Entry     CreditEntry `json:"entry"`
	Purchased int64       `json:"purchased"` // ever
	Left      int64       `json:"left"`
	Receipt   Receipt     `json:"receipt"`
}

// CreditEntriesRequest asks for an account's entries, newest first.
type CreditEntriesRequest struct {
	AccountRef
	Reservation toksta.ReservationID `json:"reservation,omitempty"`
	Before      int64                `json:"before,omitempty"` // numbers below this
	Limit       int                  `json:"limit,omitempty"`
}

// CreditEntryPage is a page of entries; Next is the next page's Before, 0 at
// the end.
type CreditEntryPage struct {
	Entries []CreditEntry `json:"entries"`
	Next    int64         `json:"next,omitempty"`
}

// ReservationsRequest asks for open reservations, of all accounts or of one.
type ReservationsRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
	PageRequest
}

// ReservationPage is a page of open reservations, oldest first; Next is empty
// on the last one.
type ReservationPage struct {
	Reservations []Reservation        `json:"reservations"`
	Next         toksta.ReservationID `json:"next,omitempty"`
}

// CreditsVerification is what the ledger says about itself.
type CreditsVerification struct {
	Accounts     int                 `json:"accounts"`
	Entries      int                 `json:"entries"`
	Reservations int                 `json:"reservations"`
	Differences  []CreditsDifference `json:"differences"` // none: every balance follows from its entries
	Overspent    []CreditsDifference `json:"overspent"`   // by admitted calls; owed by the account
}

// CreditsDifference is a fault of one account's books, in words.
type CreditsDifference struct {
	AccountID toksta.AccountID `json:"account_id"`
	Text      string           `json:"text"`
}

// ReserveCredits sets credits aside for a job, once over all nodes.
func (c *Client) ReserveCredits(ctx context.Context, r ReserveRequest) (ReservationAnswer, error) {
	return call[ReservationAnswer](ctx, c, "credits/reserve", r)
}

// SettleCredits charges what a job cost and gives the rest back.
func (c *Client) SettleCredits(ctx context.Context, r CloseRequest) (ReservationAnswer, error) {
	return call[ReservationAnswer](ctx, c, "credits/settle", r)
}

// RefundCredits gives back what a reservation holds or has charged.
func (c *Client) RefundCredits(ctx context.Context, r CloseRequest) (ReservationAnswer, error) {
	return call[ReservationAnswer](ctx, c, "credits/refund", r)
}

// TopUpCredits adds credits that an account has bought.
func (c *Client) TopUpCredits(ctx context.Context, r PurchaseRequest) (PurchaseAnswer, error) {
	return call[PurchaseAnswer](ctx, c, "credits/top-up", r)
}

// AdjustCredits corrects purchased credits, in either direction.
func (c *Client) AdjustCredits(ctx context.Context, r PurchaseRequest) (PurchaseAnswer, error) {
	return call[PurchaseAnswer](ctx, c, "credits/adjust", r)
}

// CreditEntries returns a page of an account's ledger.
func (c *Client) CreditEntries(ctx context.Context, r CreditEntriesRequest) (CreditEntryPage, error) {
	return call[CreditEntryPage](ctx, c, "credits/entries", r)
}

// Reservations returns a page of open reservations.
func (c *Client) Reservations(ctx context.Context, r ReservationsRequest) (ReservationPage, error) {
	return call[ReservationPage](ctx, c, "credits/reservations", r)
}

// VerifyCredits computes every balance again from the ledger's entries.
func (c *Client) VerifyCredits(ctx context.Context) (CreditsVerification, error) {
	return call[CreditsVerification](ctx, c, "credits/verify", struct{}{})
}
