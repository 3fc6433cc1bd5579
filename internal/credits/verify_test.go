package credits

import (
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: every lost, repeated or changed row is reported, and nothing is
// reported for sound rows. Otherwise a customer could be billed for credits that
// no entry explains.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	if found := checkBook(sound()); len(found) > 0 {
		t.Fatalf("sound books: %v", found)
	}
	for name, c := range map[string]struct {
		damage func(*store.CreditBook)
		want   string
	}{
		"an entry is missing":      {func(b *store.CreditBook) { b.Entries = b.Entries[:2] }, "2 entries, but 3 were written"},
		"an entry in the middle":   {func(b *store.CreditBook) { b.Entries, b.Count = b.Entries[1:], 2 }, "number 2 in place 1"},
		"a key was repeated":       {func(b *store.CreditBook) { b.Entries[2].IdempotencyKey = "b" }, `key "b" was used`},
		"the purchases differ":     {func(b *store.CreditBook) { b.Purchased++ }, "10 credits were bought by the entries, 11 by the account"},
		"a part below zero":        {func(b *store.CreditBook) { b.Entries[0].Delta.Purchased, b.Purchased = 3, 3 }, "there are -1 purchased"},
		"the state differs":        {func(b *store.CreditBook) { b.Reservations[0].State = store.ReservationRefunded }, "is refunded"},
		"the charge differs":       {func(b *store.CreditBook) { b.Reservations[0].Charged.Credits++ }, "by its entries it is settled"},
		"the split differs":        {func(b *store.CreditBook) { b.Reservations[0].Split.Credits++ }, "its first entry"},
		"charged more":             {func(b *store.CreditBook) { b.Reservations[0].Charged.Purchased = 5 }, "has charged"},
		"a reservation is missing": {func(b *store.CreditBook) { b.Reservations = nil }, "which is not there"},
		"its entries are missing":  {func(b *store.CreditBook) { b.Entries, b.Count = b.Entries[:1], 1 }, "has no entry"},
		"usage is missing":         {func(b *store.CreditBook) { b.Usage = nil }, "usage lacks 3 credits"},
		"usage in another hour":    {func(b *store.CreditBook) { b.Usage[0].Hour++ }, "hour 8"},
	} {
		b := sound()
		c.damage(&b)
		if found := strings.Join(checkBook(b), "\n"); !strings.Contains(found, c.want) {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
	}
}

// sound returns the rows of ten credits bought, six reserved, three charged.
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
