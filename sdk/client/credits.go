package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Credits is a number of credits, divided by source. In a credit entry, a
// negative number reduces the balance.
type Credits struct {
	Total         int64 `json:"total"`
	Included      int64 `json:"included"`
	Purchased     int64 `json:"purchased"`
	Overage       int64 `json:"overage"`
	OverageMicros int64 `json:"overage_micros"` // millionths of the currency's unit
}

// NewCredits converts a charge to the form of the API.
func NewCredits(c toksta.Charge) Credits {
	return Credits{c.Credits, c.Included(), c.Purchased, c.Overage, c.OverageMicros}
}

// Reservation is credits that are set aside for a job.
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

// CreditEntry is one movement of an account's credits.
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

// ReserveRequest describes a reservation. A repeated request with the same
// idempotency key gets the first response again.
type ReserveRequest struct {
	AccountRef
	Key            toksta.KeyID  `json:"key,omitempty"`
	Family         toksta.Family `json:"family"`
	CostKey        string        `json:"cost_key"`
	Credits        int64         `json:"credits"`
	ExpiresIn      int64         `json:"expires_in_seconds,omitempty"` // 0: one day
	Reason         string        `json:"reason,omitempty"`
	IdempotencyKey string        `json:"idempotency_key"`
}

// CloseRequest settles or refunds a reservation. Credits is the amount that a
// settlement charges, or that a refund returns. A refund with 0 returns all
// credits of the reservation.
type CloseRequest struct {
	AccountRef
	Reservation    toksta.ReservationID `json:"reservation"`
	Credits        int64                `json:"credits"`
	Reason         string               `json:"reason,omitempty"`
	IdempotencyKey string               `json:"idempotency_key"`
}

// ReservationResponse has a reservation after a request, and the credit entry
// that the request added.
type ReservationResponse struct {
	Reservation Reservation `json:"reservation"`
	Entry       CreditEntry `json:"entry"`
}

// PurchaseRequest adds purchased credits or corrects their number. A correction
// can be negative and needs a reason.
type PurchaseRequest struct {
	AccountRef
	Credits        int64  `json:"credits"`
	Reason         string `json:"reason,omitempty"`
	IdempotencyKey string `json:"idempotency_key"`
}

// PurchaseResponse has the purchased credits of an account after the request.
type PurchaseResponse struct {
	Entry     CreditEntry `json:"entry"`
	Purchased int64       `json:"purchased"` // all credits ever bought
	Left      int64       `json:"left"`
	Receipt   Receipt     `json:"receipt"`
}

// CreditEntriesRequest selects the credit entries of an account, newest first.
type CreditEntriesRequest struct {
	AccountRef
	Reservation toksta.ReservationID `json:"reservation,omitempty"`
	Before      int64                `json:"before,omitempty"` // only entries with a lower number
	Limit       int                  `json:"limit,omitempty"`
}

// CreditEntryPage is a page of credit entries. Next is the next page's Before,
// 0 on the last page.
type CreditEntryPage struct {
	Entries []CreditEntry `json:"entries"`
	Next    int64         `json:"next,omitempty"`
}

// ReservationsRequest selects open reservations of one account, or of all
// accounts if Account is empty.
type ReservationsRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
	PageRequest
}

// ReservationPage is a page of open reservations, oldest first. Next is empty
// on the last page.
type ReservationPage struct {
	Reservations []Reservation        `json:"reservations"`
	Next         toksta.ReservationID `json:"next,omitempty"`
}

// CreditsVerification is the result of computing all balances again.
type CreditsVerification struct {
	Accounts     int                 `json:"accounts"`
	Entries      int                 `json:"entries"`
	Reservations int                 `json:"reservations"`
	Differences  []CreditsDifference `json:"differences"` // balances that differ from the sum of their entries
	Overspent    []CreditsDifference `json:"overspent"`   // accounts whose admitted calls cost more than their credits
}

// CreditsDifference describes a problem of one account in words.
type CreditsDifference struct {
	AccountID toksta.AccountID `json:"account_id"`
	Text      string           `json:"text"`
}

// ReserveCredits reserves credits for a job. Simultaneous requests, also
// through different nodes, cannot reserve the same credits.
func (c *Client) ReserveCredits(ctx context.Context, r ReserveRequest) (ReservationResponse, error) {
	return call[ReservationResponse](ctx, c, "credits/reserve", r)
}

// SettleCredits charges the price of a job and releases the other reserved
// credits.
func (c *Client) SettleCredits(ctx context.Context, r CloseRequest) (ReservationResponse, error) {
	return call[ReservationResponse](ctx, c, "credits/settle", r)
}

// RefundCredits returns credits that a reservation holds or has charged.
func (c *Client) RefundCredits(ctx context.Context, r CloseRequest) (ReservationResponse, error) {
	return call[ReservationResponse](ctx, c, "credits/refund", r)
}

// TopUpCredits adds purchased credits to an account.
func (c *Client) TopUpCredits(ctx context.Context, r PurchaseRequest) (PurchaseResponse, error) {
	return call[PurchaseResponse](ctx, c, "credits/top-up", r)
}

// AdjustCredits corrects the number of purchased credits, up or down.
func (c *Client) AdjustCredits(ctx context.Context, r PurchaseRequest) (PurchaseResponse, error) {
	return call[PurchaseResponse](ctx, c, "credits/adjust", r)
}

// CreditEntries returns a page of the credit entries of an account.
func (c *Client) CreditEntries(ctx context.Context, r CreditEntriesRequest) (CreditEntryPage, error) {
	return call[CreditEntryPage](ctx, c, "credits/entries", r)
}

// Reservations returns a page of open reservations.
func (c *Client) Reservations(ctx context.Context, r ReservationsRequest) (ReservationPage, error) {
	return call[ReservationPage](ctx, c, "credits/reservations", r)
}

// VerifyCredits computes every balance again from its entries and reports
// differences.
func (c *Client) VerifyCredits(ctx context.Context) (CreditsVerification, error) {
	return call[CreditsVerification](ctx, c, "credits/verify", struct{}{})
}
