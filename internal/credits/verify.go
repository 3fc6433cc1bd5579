package credits

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Verification is the result of Verify.
type Verification struct {
	Accounts     int
	Entries      int
	Reservations int
	Differences  []Difference // empty if every balance follows from its entries
	Overspent    []Difference // credits that admitted calls spent and the account owes
}

// Difference is a difference or a debt of an account, in words.
type Difference struct {
	Account toksta.AccountID
	Text    string
}

// Verify computes every balance from the entries, as of one moment, and compares
// it with the stored account, reservations and usage. It changes nothing.
func (s *Service) Verify(ctx context.Context) (v Verification, err error) {
	err = s.Store.CreditBooks(ctx, func(b store.CreditBook) {
		v.Accounts++
		v.Entries += len(b.Entries)
		v.Reservations += len(b.Reservations)
		for _, text := range checkBook(b) {
			v.Differences = append(v.Differences, Difference{b.AccountID, text})
		}
		if over := b.PurchasedUsed - b.Purchased; over > 0 {
			v.Overspent = append(v.Overspent, Difference{b.AccountID, fmt.Sprintf("%d purchased credits were used of %d bought", b.PurchasedUsed, b.Purchased)})
		}
	})
	return v, err
}

// checkBook returns all differences of an account.
func checkBook(b store.CreditBook) []string {
	return slices.Concat(checkEntries(b), checkPurchased(b), checkReservations(b), checkUsage(b))
}

// checkEntries finds missing and repeated entries.
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

// checkPurchased compares the sum of purchases and corrections with the
// account, and checks that no entry took more purchased credits than there
// were.
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

// checkReservations returns the differences between the reservations and their
// entries: no entry, a first entry other than the amount set aside, another state or
// charge than the entries give, a negative amount, or entries without a reservation.
func checkReservations(b store.CreditBook) (out []string) {
	steps := map[toksta.ReservationID][]store.CreditEntry{} // newest first, as replay expects
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
			out = append(out, fmt.Sprintf("reservation %s set %s aside, its first entry %s", r.ID, describe(r.Split), describe(toksta.Charge{}.Minus(opening))))
		}
		if due := replay(r, entries); due.State != r.State || due.Charged != r.Charged {
			out = append(out, fmt.Sprintf("reservation %s is %s and has charged %s, by its entries it is %s and has charged %s",
				r.ID, r.State, describe(r.Charged), due.State, describe(due.Charged)))
		}
		if rest := r.Split.Minus(r.Charged); isNegative(r.Split) || isNegative(r.Charged) || isNegative(rest) {
			out = append(out, fmt.Sprintf("reservation %s has charged %s of %s", r.ID, describe(r.Charged), describe(r.Split)))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(steps)) {
		out = append(out, fmt.Sprintf("there are entries of reservation %s, which is not there", id))
	}
	return out
}

// checkUsage compares the charges of reservations with the usage that customers
// see.
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
			out = append(out, fmt.Sprintf("usage lacks %s of reservations, cost key %s, hour %d", describe(missing), slot.CostKey, slot.Hour))
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

func isNegative(c toksta.Charge) bool {
	return c.Included() < 0 || c.Purchased < 0 || c.Overage < 0 || c.OverageMicros < 0
}

// describe formats a charge for people.
func describe(c toksta.Charge) string {
	return fmt.Sprintf("%d credits (%d included, %d purchased, %d overage for %d millionths)",
		c.Credits, c.Included(), c.Purchased, c.Overage, c.OverageMicros)
}
