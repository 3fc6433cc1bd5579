package storetest

import (
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// chargesBy: a node that adds its own charges to those of the others, from
// whichever process, would refuse a customer who has credits; one that misses
// some gives them away. So would one account's hours in another's sum.
func chargesBy(t *suite) {
	foreign := slot("key_x", 24)
	foreign.AccountID = "acct_b"
	refused := slot("key_a", 25)
	refused.Reason = toksta.ReasonInsufficientCredits
	t.flush("own1", total(slot("key_a", 24), 1000))
	t.flush("own2", total(slot("key_a", 25), 1000))
	t.flush("ow", total(slot("key_a", 23), 1), total(slot("key_a", 24), 2), total(foreign, 64))
	t.flush("other", total(slot("key_b", 24), 4), total(slot("key_a", 26), 8), total(slot("key_a", 1), 16))
	t.flush("other", total(slot("key_a", 27), 32), store.UsageTotal{UsageSlot: refused, Calls: 7})

	hour := func(n int64) time.Time { return time.Unix((midnight+n)*3600, 0) }
	sum := func(cycle, ever int64) store.CreditUse {
		return store.CreditUse{Cycle: total(slot("", 0), cycle).Charge, PurchasedEver: ever}
	}
	spans := []store.ChargeSpan{
		{Account: "acct_a", Cycle: hour(24)},
		{Account: "acct_b", Cycle: hour(24)},
		{Account: "acct_none", Cycle: hour(24)},
		{Account: "acct_a", Cycle: hour(24), To: hour(26)},
		{Account: "acct_a", Cycle: hour(24), From: hour(26)},
		{Account: "acct_a", Cycle: hour(26), From: hour(24), To: hour(27)},
		{Account: "acct_a", Cycle: hour(48), From: hour(2), To: hour(24)},
		{Account: "acct_a", Cycle: hour(24), From: hour(27), To: hour(27)},
	}
	want := []store.CreditUse{
		sum(2+4+8+32, 1+2+4+8+32+16),
		sum(64, 64),
		{},
		sum(2+4, 1+2+4+16),
		sum(8+32, 8+32),
		sum(8, 2+4+8),
		{PurchasedEver: 1},
		{},
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
	for _, use := range got {
		is(t, use, want[0])
	}
}
