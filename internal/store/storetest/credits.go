package storetest

import (
	"errors"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// reservation returns an open reservation in the hour of a slot.
func reservation(id string, s store.UsageSlot) store.Reservation {
	return store.Reservation{
		ID: toksta.ReservationID(id), Slot: s, State: store.ReservationOpen,
		Split:     toksta.Charge{Credits: 10, Purchased: 4, Overage: 1, OverageMicros: 25},
		CreatedAt: now, ExpiresAt: now.Add(10000 * time.Hour),
	}
}

func (t *suite) commitCredits(q store.CreditQuery, decide store.DecideCredits) []store.CreditEntry {
	t.Helper()
	if q.Account == "" {
		q.Account = "acct_a"
	}
	written, err := t.s.CommitCredits(t.Context(), q, decide)
	t.ok(err)
	return written
}

// reserve writes r with its entry.
func (t *suite) reserve(r store.Reservation) store.CreditEntry {
	t.Helper()
	return t.commitCredits(store.CreditQuery{Account: r.Slot.AccountID}, func(store.CreditState) (store.CreditMutation, error) {
		return store.CreditMutation{
			Reservations: []store.Reservation{r},
			Entries: []store.CreditEntry{{
				AccountID: r.Slot.AccountID, Kind: store.CreditReserve, Delta: toksta.Charge{}.Minus(r.Split), ReservationID: r.ID,
				Actor: "op", IdempotencyKey: "reserve " + string(r.ID), Request: "10",
			}},
		}, nil
	})[0]
}

// creditsDecideInTurn: concurrent decisions must not spend the last credit twice. Entries
// must have no gaps, because a gap would hide a lost entry.
func creditsDecideInTurn(t *suite) {
	t.account("acct_a")
	full := errors.New("full")
	concurrently(40, func(i int) {
		_, err := t.s.CommitCredits(t.Context(), store.CreditQuery{Account: "acct_a"}, func(s store.CreditState) (store.CreditMutation, error) {
			if s.Use.Reserved.Credits >= 100 {
				return store.CreditMutation{}, full
			}
			r := reservation(numbered("res_", i), slot("", 1000000))
			return store.CreditMutation{
				Reservations: []store.Reservation{r},
				Entries:      []store.CreditEntry{{AccountID: "acct_a", Kind: store.CreditReserve, ReservationID: r.ID}},
			}, nil
		})
		if err != nil && !errors.Is(err, full) {
			t.Errorf("decision %d: %v", i, err)
		}
	})
	reserved, err := t.s.ListReservations(t.Context(), store.ReservationQuery{Account: "acct_a"})
	t.ok(err)
	is(t, len(reserved), 10)
	entries, err := t.s.ListCreditEntries(t.Context(), store.EntryQuery{Account: "acct_a"})
	t.ok(err)
	for i, e := range entries {
		is(t, e.Number, int64(10-i))
	}
	_, err = t.s.CommitCredits(t.Context(), store.CreditQuery{Account: "acct_x"}, nil)
	t.missing(err)
}

// creditsState: a decision that misses a charge, a hold or an earlier request with the
// same idempotency key grants credits twice.
func creditsState(t *suite) {
	a, b := t.account("acct_a"), t.account("acct_b")
	var at time.Time
	t.commitCredits(store.CreditQuery{}, func(s store.CreditState) (store.CreditMutation, error) {
		at = s.Now
		return store.CreditMutation{}, nil
	})
	cycle, _ := toksta.Cycle(a.CycleAnchor, at)
	current, earlier := slot("key_a", 0), slot("key_a", 0)
	current.Hour, earlier.Hour = at.Unix()/3600, cycle.Unix()/3600-1
	t.flush("e1", total(current, 1), total(earlier, 2))

	open, old, overdue, foreign := reservation("res_1", current), reservation("res_2", earlier), reservation("res_3", current), reservation("res_4", current)
	open.ExpiresAt, old.ExpiresAt, overdue.ExpiresAt = at.Add(time.Hour), at.Add(time.Hour), at.Add(-time.Millisecond)
	foreign.Slot.AccountID = b.ID
	for _, r := range []store.Reservation{open, old, overdue, foreign} {
		t.reserve(r)
	}
	q := store.CreditQuery{Account: a.ID, Reservation: old.ID, IdempotencyKey: "reserve res_1"}
	check := func(s store.CreditState) {
		t.Helper()
		is(t, s.Account, a)
		is(t, s.Cycle, cycle)
		is(t, s.Use, store.Charged{Entries: 3, CreditUse: store.CreditUse{
			Cycle: total(current, 1).Charge, PurchasedEver: 1 + 2,
			Reserved: open.Split.Plus(toksta.Charge{Credits: 4, Purchased: 4}),
		}})
		is(t, s.Overdue, []store.Reservation{overdue})
		is(t, *s.Reservation, old)
		is(t, s.Earlier.ReservationID, open.ID)
	}
	t.commitCredits(q, func(s store.CreditState) (store.CreditMutation, error) { check(s); return store.CreditMutation{}, nil })
	outside, err := t.s.CreditState(t.Context(), q)
	t.ok(err)
	check(outside)
	q.Reservation, q.IdempotencyKey = foreign.ID, "reserve res_4"
	outside, err = t.s.CreditState(t.Context(), q)
	t.ok(err)
	is(t, outside.Reservation == nil && outside.Earlier == nil, true)

	due, err := t.s.OverdueAccounts(t.Context(), 10)
	t.ok(err)
	is(t, due, []toksta.AccountID{a.ID})
}

// creditsExceptOwn: if a node adds its own charges to a state that includes them, it
// rejects available credits; a state of the previous cycle grants them twice.
func creditsExceptOwn(t *suite) {
	a := t.account("acct_a")
	state := func(q store.CreditQuery) (state store.CreditState) {
		t.Helper()
		q.Account = a.ID
		t.commitCredits(q, func(s store.CreditState) (store.CreditMutation, error) {
			state = s
			return store.CreditMutation{}, nil
		})
		return state
	}
	first := state(store.CreditQuery{})
	current, earlier := slot("key_a", 0), slot("key_a", 0)
	current.Hour, earlier.Hour = first.Now.Unix()/3600, first.Cycle.Unix()/3600-1
	t.flush("own1", total(current, 1), total(earlier, 2))
	t.flush("other", total(current, 4))
	t.reserve(reservation("res_1", current))
	reserved, both := reservation("", current).Split, total(current, 5).Charge
	is(t, state(store.CreditQuery{}).Use, store.Charged{Entries: 1, CreditUse: store.CreditUse{Cycle: both, PurchasedEver: 7, Reserved: reserved}})
	is(t, state(store.CreditQuery{Except: "own"}).Use.CreditUse, store.CreditUse{Cycle: total(current, 4).Charge, PurchasedEver: 6, Reserved: reserved})
	next := state(store.CreditQuery{Cycle: first.Cycle.AddDate(0, 1, 0)})
	is(t, next.Cycle, first.Cycle.AddDate(0, 1, 0))
	is(t, next.Use.CreditUse, store.CreditUse{PurchasedEver: 7, Reserved: toksta.Charge{Credits: 4, Purchased: 4}})
	is(t, state(store.CreditQuery{Cycle: first.Cycle.AddDate(0, -1, 0)}).Cycle, first.Cycle)
}

// creditsRoundTrip: if a stored entry differs from the decision, or a charge is missing in
// the usage, a bill cannot be explained.
func creditsRoundTrip(t *suite) {
	t.account("acct_a")
	r := reservation("res_1", slot("key_a", 1))
	first := t.reserve(r)
	is(t, first.Number, int64(1))
	half := toksta.Charge{Credits: 4, Purchased: 2}
	for range 2 {
		t.commitCredits(store.CreditQuery{}, func(store.CreditState) (store.CreditMutation, error) {
			r.State, r.Charged = store.ReservationSettled, r.Charged.Plus(half)
			u := store.UsageTotal{UsageSlot: r.Slot, Charge: half}
			return store.CreditMutation{Reservations: []store.Reservation{r}, Usage: []store.UsageTotal{u}}, nil
		})
	}
	t.commitCredits(store.CreditQuery{}, func(store.CreditState) (store.CreditMutation, error) {
		back := store.UsageTotal{UsageSlot: r.Slot, Charge: toksta.Charge{}.Minus(half)}
		r.Charged = half
		return store.CreditMutation{Reservations: []store.Reservation{r}, Usage: []store.UsageTotal{back}}, nil
	})
	charged := store.UsageTotal{UsageSlot: r.Slot, Charge: half}
	is(t, t.usage(store.UsageQuery{From: now.Add(-24 * time.Hour), To: now}), []store.UsageTotal{charged})

	got, err := t.s.ListCreditEntries(t.Context(), store.EntryQuery{Account: "acct_a", Reservation: r.ID})
	t.ok(err)
	is(t, got, []store.CreditEntry{first})
	var books []store.CreditBook
	t.ok(t.s.CreditBooks(t.Context(), func(b store.CreditBook) { books = append(books, b) }))
	is(t, books, []store.CreditBook{{
		AccountID: "acct_a", Count: 1, PurchasedUsed: 2, Entries: []store.CreditEntry{first},
		Reservations: []store.Reservation{r}, Usage: []store.UsageTotal{charged},
	}})
}

// creditsInChange: a purchase and its entry must be written together.
func creditsInChange(t *suite) {
	a := t.account("acct_a")
	bought := store.CreditEntry{
		AccountID: a.ID, Kind: store.CreditPurchase, Delta: toksta.Charge{Credits: 5, Purchased: 5}, Reason: "order 7", IdempotencyKey: "7",
	}
	a.Entitlements.PurchasedCredits = 5
	m := store.Mutation{Kind: toksta.ChangeEntitlementSet, AccountID: a.ID, Accounts: []toksta.Account{a}, Credits: []store.CreditEntry{bought}}
	t.commit(m)
	m.Accounts[0].Entitlements.PurchasedCredits = 10
	_, err := t.s.Commit(t.Context(), operator, decided(m))
	is(t, errors.Is(err, store.ErrTaken), true)
	state, err := t.s.CreditState(t.Context(), store.CreditQuery{Account: a.ID, IdempotencyKey: "7"})
	t.ok(err)
	is(t, state.Account.Entitlements.PurchasedCredits, int64(5))
	is(t, state.Earlier.Delta, bought.Delta)
}

// creditUseHeld: a starting node must not spend the credits of open reservations.
func creditUseHeld(t *suite) {
	t.account("acct_a")
	cycle := now.Truncate(24 * time.Hour)
	t.flush("e1", total(slot("key_a", 1), 1))
	t.reserve(reservation("res_1", slot("key_a", 1)))
	t.reserve(reservation("res_2", slot("key_a", -1)))
	closed := reservation("res_3", slot("key_a", 1))
	closed.State = store.ReservationExpired
	t.reserve(closed)
	got := make(map[toksta.AccountID]store.CreditUse)
	from := func(toksta.AccountID) time.Time { return cycle }
	t.ok(t.s.CreditUse(t.Context(), cycle, from, func(a toksta.AccountID, u store.CreditUse) { got[a] = u }))
	is(t, got, map[toksta.AccountID]store.CreditUse{"acct_a": {
		Cycle: total(slot("", 0), 1).Charge, PurchasedEver: 1,
		Reserved: toksta.Charge{Credits: 14, Purchased: 8, Overage: 1, OverageMicros: 25},
	}})
}
