package storetest

import (
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// chargesBy: if a node counts its own charges twice, it rejects a customer with credits;
// if it misses charges, or counts those of another account, credits are spent twice.
func chargesBy(t *suite) {
	foreign, refused := slot("key_x", 24), slot("key_a", 25)
	foreign.AccountID, refused.Reason = "acct_b", toksta.ReasonInsufficientCredits
	t.flush("own1", total(slot("key_a", 24), 1000), total(slot("key_a", 2), 128))
	t.flush("own2", total(slot("key_a", 25), 1000))
	t.flush("ow", total(slot("key_a", 23), 1), total(slot("key_a", 24), 2), total(foreign, 64))
	t.flush("other", total(slot("key_b", 24), 4), total(slot("key_a", 26), 8), total(slot("key_a", 1), 16))
	t.flush("other", total(slot("key_a", 27), 32), store.UsageTotal{UsageSlot: refused, Calls: 7})

	span := func(cycle, from, to int64) store.ChargeSpan {
		return store.ChargeSpan{Account: "acct_a", Cycle: atHour(cycle), From: atHour(from), To: atHour(to)}
	}
	used := func(cycle, ever int64) store.Charged {
		return store.Charged{CreditUse: store.CreditUse{Cycle: total(slot("", 0), cycle).Charge, PurchasedEver: ever}}
	}
	spans := []store.ChargeSpan{
		{Account: "acct_a", Cycle: atHour(24)},
		{Account: "acct_b", Cycle: atHour(24)},
		{Account: "acct_none", Cycle: atHour(24)},
		{Account: "acct_a", Cycle: atHour(24), To: atHour(26)},
		{Account: "acct_a", Cycle: atHour(24), Own: atHour(25)},
		{Account: "acct_a", Cycle: atHour(24), From: atHour(26)},
		span(26, 24, 27), span(48, 3, 24), span(24, 27, 27), span(20, 23, 25),
	}
	want := []store.Charged{
		used(2+4+8+32, 1+2+4+8+32+16+128),
		used(64, 64),
		{},
		used(2+4, 1+2+4+16+128),
		used(2+4+8+32+1000, 1+2+4+8+32+16+128+1000),
		used(8+32, 8+32),
		used(8, 8+2+4+2000), used(0, 1),
		{},
		used(1+2+4, 1+2+4),
	}
	got, err := t.s.ChargesBy(t.Context(), "own", spans)
	t.ok(err)
	is(t, got, want)

	var many []store.ChargeSpan
	for range 250 {
		many = append(many, spans[0])
	}
	got, err = t.s.ChargesBy(t.Context(), "own", many)
	t.ok(err)
	for _, charged := range got {
		is(t, charged, want[0])
	}
}

func atHour(n int64) time.Time { return time.Unix((midnight+n)*3600, 0) }

// chargesHeld: no call may spend the credits of a running job. After the settlement they
// are charged and no longer reserved, and a node that caches past hours must notice the
// change.
func chargesHeld(t *suite) {
	t.account("acct_a")
	t.reserve(reservation("res_old", slot("", 1)))
	now := reservation("res_now", slot("", 25))
	t.reserve(now)
	spans := []store.ChargeSpan{{Account: "acct_a", Cycle: atHour(24)}, {Account: "acct_a", Cycle: atHour(24), From: atHour(30)}}
	old := toksta.Charge{Credits: 4, Purchased: 4}
	charged := func() []store.Charged {
		t.Helper()
		got, err := t.s.ChargesBy(t.Context(), "own", spans)
		t.ok(err)
		return got
	}
	reserved := store.Charged{CreditUse: store.CreditUse{Reserved: now.Split.Plus(old)}, Entries: 2}
	is(t, charged(), []store.Charged{reserved, reserved})

	now.State, now.Charged = store.ReservationSettled, toksta.Charge{Credits: 7, Purchased: 2}
	t.commitCredits(store.CreditQuery{Account: "acct_a"}, func(store.CreditState) (store.CreditMutation, error) {
		return store.CreditMutation{
			Reservations: []store.Reservation{now},
			Entries:      []store.CreditEntry{{AccountID: "acct_a", Kind: store.CreditSettle, ReservationID: now.ID}},
			Usage:        []store.UsageTotal{{UsageSlot: now.Slot, Calls: 1, Charge: now.Charged}},
		}, nil
	})
	is(t, charged(), []store.Charged{
		{CreditUse: store.CreditUse{Cycle: now.Charged, PurchasedEver: 2, Reserved: old}, Entries: 3},
		{CreditUse: store.CreditUse{Reserved: old}, Entries: 3},
	})
}
