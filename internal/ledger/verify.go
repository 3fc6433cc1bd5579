package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Verification is what the books say about themselves.
type Verification struct {
	Accounts     int
	Entries      int
	Reservations int
	Differences  []Difference // none: every balance follows from its entries
	Overspent    []Difference // by admitted calls; the account owes it
}

// Difference is one fault of an account's books, in words.
type Difference struct {
	Account toksta.AccountID
	Text    string
}

// Verify computes every balance from the entries again, as of one moment, and
// compares it with what the rest of the product goes by. It changes nothing.
func (s *Service) Verify(ctx context.Context) (v Verification, err error) {
	err = s.Store.CreditBooks(ctx, func(b store.CreditBook) {
		v.Accounts++
		v.Entries += len(b.Entries)
		v.Reservations += len(b.Reservations)
		for _, text := range check(b) {
			v.Differences = append(v.Differences, Difference{b.AccountID, text})
		}
		if over := b.PurchasedUsed - b.Purchased; over > 0 {
			v.Overspent = append(v.Overspent, Difference{b.AccountID, fmt.Sprintf("%d purchased credits were used of %d bought", b.PurchasedUsed, b.Purchased)})
		}
	})
	return v, err
}

// check returns everything that is wrong with an account's books.
func check(b store.CreditBook) []string {
	return slices.Concat(checkEntries(b), checkPurchased(b), checkReservations(b), checkUsage(b))
}

// checkEntries looks for lines that are gone or came twice.
func checkEntries(b store.CreditBook) (out []string) {
	if int64(len(b.Entries)) != b.Count {
		out = append(out, fmt.Sprintf("there are %d entries, but %d were written", len(b.Entries), b.Count))
	}
	used := map[string]string{}
	for i, e := range b.Entries {
		if e.Number != int64(i+1) {
			out = append(out, fmt.Sprintf("entry %s has number %d in place %d", e.ID, e.Number, i+1))
			break
		}
		if first := used[e.IdempotencyKey]; first != "" && e.IdempotencyKey != "" {
			out = append(out, fmt.Sprintf("the idempotency key %q was used by %s and %s", e.IdempotencyKey, first, e.ID))
		}
		used[e.IdempotencyKey] = e.ID
	}
	return out
}

// checkPurchased adds up what was bought, and what was there at every moment
// to reserve from.
func checkPurchased(b store.CreditBook) (out []string) {
	var bought, left int64
	for _, e := range b.Entries {
		if left += e.Delta.Purchased; left < 0 {
			out = append(out, fmt.Sprintf("after entry %s there are %d purchased credits", e.ID, left))
		}
		if e.Kind == store.CreditPurchase || e.Kind == store.CreditAdjustment {
			bought += e.Delta.Purchased
		}
	}
	if bought != b.Purchased {
		out = append(out, fmt.Sprintf("%d credits were bought by the entries, %d by the account", bought, b.Purchased))
	}
	return out
}

// checkReservations replays each reservation.
func checkReservations(b store.CreditBook) (out []string) {
	steps := map[toksta.ReservationID][]store.CreditEntry{}
	for _, e := range slices.Backward(b.Entries) {
		if e.ReservationID != "" {
			steps[e.ReservationID] = append(steps[e.ReservationID], e)
		}
	}
	for _, r := range b.Reservations {
		entries := steps[r.ID]
		delete(steps, r.ID)
		if len(entries) == 0 {
			out = append(out, fmt.Sprintf("reservation %s has no entry", r.ID))
			continue
		}
		if opening := entries[len(entries)-1].Delta; opening.Plus(r.Split) != (toksta.Charge{}) {
			out = append(out, fmt.Sprintf("reservation %s set %s aside, its first entry %s", r.ID, words(r.Split), words(toksta.Charge{}.Minus(opening))))
		}
		if due := replay(r, entries); due.State != r.State || due.Charged != r.Charged {
			out = append(out, fmt.Sprintf("reservation %s is %s and has charged %s, by its entries it is %s and has charged %s",
				r.ID, r.State, words(r.Charged), due.State, words(due.Charged)))
		}
		if rest := r.Split.Minus(r.Charged); negative(r.Split) || negative(r.Charged) || negative(rest) {
			out = append(out, fmt.Sprintf("reservation %s has charged %s of %s", r.ID, words(r.Charged), words(r.Split)))
		}
	}
	for id := range steps {
		out = append(out, fmt.Sprintf("there are entries of reservation %s, which is not there", id))
	}
	return out
}

// checkUsage compares what reservations have charged with what customers are
// shown.
func checkUsage(b store.CreditBook) (out []string) {
	due := map[store.UsageSlot]toksta.Charge{}
	for _, r := range b.Reservations {
		due[r.Slot] = due[r.Slot].Plus(r.Charged)
	}
	for _, u := range b.Usage {
		due[u.UsageSlot] = due[u.UsageSlot].Minus(u.Charge)
	}
	for slot, missing := range due {
		if missing != (toksta.Charge{}) {
			out = append(out, fmt.Sprintf("usage lacks %s of reservations, cost key %s, hour %d", words(missing), slot.CostKey, slot.Hour))
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

func negative(c toksta.Charge) bool {
	return c.Included() < 0 || c.Purchased < 0 || c.Overage < 0 || c.OverageMicros < 0
}

// words tells a charge to people.
func words(c toksta.Charge) string {
	return fmt.Sprintf("%d credits (%d included, %d purchased, %d overage for %d micro-dollars)",
		c.Credits, c.Included(), c.Purchased, c.Overage, c.OverageMicros)
}
