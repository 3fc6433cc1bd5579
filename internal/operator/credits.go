package operator

import (
	"context"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/verifyapi"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// reserveCredits reserves credits for a job with a price that is known at its end. A
// number of seconds beyond the range of a duration is rejected.
func (s server) reserveCredits(ctx context.Context, by toksta.Actor, r client.ReserveRequest) (client.ReservationResponse, error) {
	seconds := max(min(r.ExpiresIn, int64(credits.MaxLifetime/time.Second)+1), -1)
	return reservationResponse(s.Credits.Reserve(ctx, by, credits.ReserveRequest{
		Account: r.Account, Key: r.Key, Family: r.Family, CostKey: r.CostKey, Credits: r.Credits,
		Lifetime: time.Duration(seconds) * time.Second, Reason: r.Reason, IdempotencyKey: r.IdempotencyKey,
	}))
}

// settleCredits charges the price of a job and releases the rest of its reservation.
func (s server) settleCredits(ctx context.Context, by toksta.Actor, r client.CloseRequest) (client.ReservationResponse, error) {
	return reservationResponse(s.Credits.Settle(ctx, by, closeRequest(r)))
}

// refundCredits returns reserved or charged credits.
func (s server) refundCredits(ctx context.Context, by toksta.Actor, r client.CloseRequest) (client.ReservationResponse, error) {
	return reservationResponse(s.Credits.Refund(ctx, by, closeRequest(r)))
}

func closeRequest(r client.CloseRequest) credits.CloseRequest {
	return credits.CloseRequest{
		Account: r.Account, Reservation: r.Reservation, Credits: r.Credits, Reason: r.Reason, IdempotencyKey: r.IdempotencyKey,
	}
}

func reservationResponse(o credits.Outcome, err error) (client.ReservationResponse, error) {
	if err != nil {
		return client.ReservationResponse{}, err
	}
	return client.ReservationResponse{Reservation: verifyapi.Reservation(o.Reservation), Entry: creditEntry(o.Entry)}, nil
}

// topUpCredits adds purchased credits. It returns once every node has applied the
// purchase.
func (s server) topUpCredits(ctx context.Context, by toksta.Actor, r client.PurchaseRequest) (client.PurchaseResponse, error) {
	return purchaseResponse(s.Credits.TopUp(ctx, by, purchaseRequest(r)))
}

// adjustCredits corrects the number of purchased credits. It returns once no node can
// spend removed credits.
func (s server) adjustCredits(ctx context.Context, by toksta.Actor, r client.PurchaseRequest) (client.PurchaseResponse, error) {
	return purchaseResponse(s.Credits.Adjust(ctx, by, purchaseRequest(r)))
}

func purchaseRequest(r client.PurchaseRequest) credits.PurchaseRequest {
	return credits.PurchaseRequest{Account: r.Account, Credits: r.Credits, Reason: r.Reason, IdempotencyKey: r.IdempotencyKey}
}

func purchaseResponse(p credits.Purchase, err error) (client.PurchaseResponse, error) {
	if err != nil {
		return client.PurchaseResponse{}, err
	}
	return client.PurchaseResponse{
		Entry: creditEntry(p.Entry), Purchased: p.Purchased, Left: p.Left, Receipt: client.NewReceipt(p.Receipt),
	}, nil
}

// creditEntries lists the credit entries of an account, the newest first.
func (s server) creditEntries(ctx context.Context, _ toksta.Actor, r client.CreditEntriesRequest) (client.CreditEntryPage, error) {
	shown, asked, err := pageOf(r.Limit)
	if err != nil {
		return client.CreditEntryPage{}, err
	}
	if _, err := s.Accounts.Get(ctx, r.Account); err != nil {
		return client.CreditEntryPage{}, err
	}
	if r.Reservation != "" {
		if _, err := s.Credits.Reservation(ctx, r.Account, r.Reservation); err != nil {
			return client.CreditEntryPage{}, err
		}
	}
	rows, err := s.Credits.ListEntries(ctx, store.EntryQuery{Account: r.Account, Reservation: r.Reservation, Before: r.Before, Limit: asked})
	if err != nil {
		return client.CreditEntryPage{}, err
	}
	page := client.CreditEntryPage{Entries: []client.CreditEntry{}}
	for _, e := range rows[:min(len(rows), shown)] {
		page.Entries = append(page.Entries, creditEntry(e))
	}
	if len(rows) > shown {
		page.Next = rows[shown-1].Number
	}
	return page, nil
}

// reservations lists the open reservations.
func (s server) reservations(ctx context.Context, _ toksta.Actor, r client.ReservationsRequest) (client.ReservationPage, error) {
	shown, asked, err := pageOf(r.Limit)
	if err != nil {
		return client.ReservationPage{}, err
	}
	if err := s.checkAccount(ctx, r.Account); err != nil {
		return client.ReservationPage{}, err
	}
	rows, err := s.Credits.ListReservations(ctx, store.ReservationQuery{Account: r.Account, Page: store.Page{After: r.After, Limit: asked}})
	if err != nil {
		return client.ReservationPage{}, err
	}
	page := client.ReservationPage{Reservations: []client.Reservation{}}
	for _, row := range rows[:min(len(rows), shown)] {
		page.Reservations = append(page.Reservations, verifyapi.Reservation(row))
	}
	if len(rows) > shown {
		page.Next = rows[shown-1].ID
	}
	return page, nil
}

// verifyCredits computes the balances of all accounts again. It returns differences as
// data and not as an error.
func (s server) verifyCredits(ctx context.Context, _ toksta.Actor, _ struct{}) (client.CreditsVerification, error) {
	v, err := s.Credits.Verify(ctx)
	if err != nil {
		return client.CreditsVerification{}, err
	}
	return client.CreditsVerification{
		Accounts: v.Accounts, Entries: v.Entries, Reservations: v.Reservations,
		Differences: differences(v.Differences), Overspent: differences(v.Overspent),
	}, nil
}

func differences(found []credits.Difference) []client.CreditsDifference {
	out := []client.CreditsDifference{}
	for _, d := range found {
		out = append(out, client.CreditsDifference{AccountID: d.Account, Text: d.Text})
	}
	return out
}

func creditEntry(e store.CreditEntry) client.CreditEntry {
	return client.CreditEntry{
		ID: e.ID, AccountID: e.AccountID, Number: e.Number, At: e.At, Kind: string(e.Kind), Credits: client.NewCredits(e.Delta),
		ReservationID: e.ReservationID, Reason: e.Reason, Actor: e.Actor, IdempotencyKey: e.IdempotencyKey,
	}
}
