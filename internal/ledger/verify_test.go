package ledger

import (
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestVerifyFinds: whatever is lost, doubled or changed in the books is said,
// and nothing is said of sound ones. A check that finds nothing would let a
// customer be billed what no entry explains.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	if faults := check(sound()); len(faults) > 0 {
		t.Fatalf("sound books: %v", faults)
	}
	for name, c := range map[string]struct {
		damage func(*store.CreditBook)
		want   string
	}{
		"a line is gone":         {func(b *store.CreditBook) { b.Entries = b.Entries[:2] }, "2 entries, but 3 were written"},
		"a line in the middle":   {func(b *store.CreditBook) { b.Entries, b.Count = b.Entries[1:], 2 }, "number 2 in place 1"},
		"a key came twice":       {func(b *store.CreditBook) { b.Entries[2].IdempotencyKey = "b" }, `key "b" was used`},
		"bought differs":         {func(b *store.CreditBook) { b.Purchased++ }, "10 credits were bought by the entries, 11 by the account"},
		"a bucket below zero":    {func(b *store.CreditBook) { b.Entries[0].Delta.Purchased, b.Purchased = 3, 3 }, "there are -1 purchased"},
		"the state differs":      {func(b *store.CreditBook) { b.Reservations[0].State = store.ReservationRefunded }, "is refunded"},
		"the charge differs":     {func(b *store.CreditBook) { b.Reservations[0].Charged.Credits++ }, "by its entries it is settled"},
		"the split differs":      {func(b *store.CreditBook) { b.Reservations[0].Split.Credits++ }, "its first entry"},
		"charged more":           {func(b *store.CreditBook) { b.Reservations[0].Charged.Purchased = 5 }, "has charged"},
		"a reservation is gone":  {func(b *store.CreditBook) { b.Reservations = nil }, "which is not there"},
		"entries of it are gone": {func(b *store.CreditBook) { b.Entries, b.Count = b.Entries[:1], 1 }, "has no entry"},
		"usage is gone":          {func(b *store.CreditBook) { b.Usage = nil }, "usage lacks 3 credits"},
		"usage in another hour":  {func(b *store.CreditBook) { b.Usage[0].Hour++ }, "hour 8"},
	} {
		b := sound()
		c.damage(&b)
		if found := strings.Join(check(b), "\n"); !strings.Contains(found, c.want) {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
	}
}

// sound is ten credits bought, six reserved, three charged.
func sound() store.CreditBook {
	slot := store.UsageSlot{AccountID: "acct_a", CostKey: "job", Hour: 7}
	charged := toksta.Charge{Credits: 3, Purchased: 1}
	return store.CreditBook{
		AccountID: "acct_a", Purchased: 10, Count: 3,
		Entries: []store.CreditEntry{
			{ID: "cre_1", Number: 1, Kind: store.CreditPurchase, Delta: toksta.Charge{Credits: 10, Purchased: 10}, IdempotencyKey: "a"},
			{ID: "cre_2", Number: 2, Kind: store.CreditReserve, Delta: toksta.Charge{Credits: -6, Purchased: -4}, ReservationID: "res_1", IdempotencyKey: "b"},
			{ID: "cre_3", Number: 3, Kind: store.CreditSettle, Delta: toksta.Charge{Credits: 3, Purchased: 3}, ReservationID: "res_1", IdempotencyKey: "c"},
		},
		Reservations: []store.Reservation{{
			ID: "res_1", Slot: slot, State: store.ReservationSettled, Split: toksta.Charge{Credits: 6, Purchased: 4}, Charged: charged,
		}},
		Usage: []store.UsageTotal{{UsageSlot: slot, Charge: charged}},
	}
}
