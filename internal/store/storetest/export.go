package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// today is the start of the day of now.
var today = time.Unix(midnight*3600, 0).UTC()

// staged stages all hours before the given time and returns all staged events.
func (t *suite) staged(before time.Time) []store.UsageEvent {
	t.Helper()
	for {
		rows, err := t.s.StageUsage(t.Context(), before, 2)
		t.ok(err)
		if rows == 0 {
			break
		}
	}
	events, err := t.s.StagedUsage(t.Context(), 100)
	t.ok(err)
	return events
}

func (t *suite) exportFrom(from time.Time) {
	t.Helper()
	t.ok(t.s.SetExport(t.Context(), &from))
}

// equalEvents compares events without their ids and their order.
func (t *suite) equalEvents(events []store.UsageEvent, want ...store.UsageTotal) {
	t.Helper()
	var got []store.UsageTotal
	for _, e := range events {
		got = append(got, e.UsageTotal)
	}
	byCalls := cmpopts.SortSlices(func(a, b store.UsageTotal) bool { return a.Calls < b.Calls })
	if d := cmp.Diff(want, got, byCalls, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("events (-want +got)\n%s", d)
	}
}

func exportIDs(events []store.UsageEvent) (out []string) {
	for _, e := range events {
		out = append(out, e.ID)
	}
	return out
}

// exportOnce: customers pay for the exported usage. The export must not contain a running
// hour, rejected calls, or hours before its start, and a staged event must not change.
func exportOnce(t *suite) {
	refused := slot("key_a", 1)
	refused.Reason = toksta.ReasonRateLimited
	t.flush("e1", total(slot("key_a", 0), 1), total(slot("key_a", 1), 2), total(slot("key_b", 1), 4), total(refused, 8), total(slot("key_a", 2), 16))
	t.flush("e2", total(slot("key_a", 1), 32))
	t.equalEvents(t.staged(today.Add(2 * time.Hour))) // off

	t.exportFrom(today.Add(time.Hour))
	first := t.staged(today.Add(2 * time.Hour))
	t.equalEvents(first, total(slot("key_a", 1), 2), total(slot("key_b", 1), 4), total(slot("key_a", 1), 32))
	is(t, t.staged(today.Add(2*time.Hour)), first)

	t.ok(t.s.DeliveredUsage(t.Context(), append(exportIDs(first), "unknown")))
	t.ok(t.s.DeliveredUsage(t.Context(), exportIDs(first)))
	t.ok(t.s.DeliveredUsage(t.Context(), nil))
	t.equalEvents(t.staged(today.Add(2 * time.Hour)))
	t.equalEvents(t.staged(today.Add(3*time.Hour)), total(slot("key_a", 2), 16))
}

// exportLate: a late flush that adds to an exported hour must create one more event with a
// new id. A late flush that adds nothing must create none.
func exportLate(t *suite) {
	t.exportFrom(today)
	before, ids := today.Add(2*time.Hour), map[string]bool{}
	deliver := func(want ...store.UsageTotal) {
		t.Helper()
		events := t.staged(before)
		t.equalEvents(events, want...)
		for _, id := range exportIDs(events) {
			if ids[id] {
				t.Fatalf("a second event has the id %s", id)
			}
			ids[id] = true
		}
		t.ok(t.s.DeliveredUsage(t.Context(), exportIDs(events)))
	}
	s := slot("key_a", 1)
	t.flush("e1", total(s, 5))
	deliver(total(s, 5))
	t.flush("e1", total(s, 9))
	t.flush("e2", total(s, 40))
	deliver(total(s, 4), total(s, 40))
	t.flush("e1", total(s, 9))
	t.flush("e1", total(s, 5))
	deliver()
	charged := total(s, 9)
	charged.Charge.Credits++
	t.flush("e1", charged)
	deliver(store.UsageTotal{UsageSlot: s, Charge: toksta.Charge{Credits: 1}})
}

// exportExternalID: an event has the account's external id of the time at which it was staged.
// A receiver that got the event before a change of the id must get the same event again.
func exportExternalID(t *suite) {
	a := t.account("acct_a")
	t.exportFrom(today)
	before, s := today.Add(2*time.Hour), slot("key_a", 1)
	ids := func() (out []string) {
		t.Helper()
		for _, e := range t.staged(before) {
			out = append(out, e.ExternalID)
		}
		return out
	}
	setID := func(id string) {
		t.Helper()
		a.ExternalID = id
		t.commit(store.Mutation{Kind: toksta.ChangeAccountExternalID, AccountID: a.ID, Accounts: []toksta.Account{a}})
	}
	for i, id := range []string{"", "crm-42", "crm-43"} {
		setID(id)
		t.flush("e1", total(s, int64(i+1)))
		is(t, ids(), []string{id})
		setID("later-" + id)
		is(t, ids(), []string{id})
		t.ok(t.s.DeliveredUsage(t.Context(), exportIDs(t.staged(before))))
	}
}

// exportRefund: a charge, its refund and the same charge again are three events with
// different ids. The receiver would drop an event with a known id.
func exportRefund(t *suite) {
	t.account("acct_a")
	r := reservation("res_1", slot("key_a", 1))
	t.reserve(r)
	t.exportFrom(today)
	charge, ids := toksta.Charge{Credits: 4, Purchased: 2}, map[string]bool{}
	for _, c := range []toksta.Charge{charge, toksta.Charge{}.Minus(charge), charge} {
		u := store.UsageTotal{UsageSlot: r.Slot, Charge: c}
		t.commitCredits(store.CreditQuery{}, func(store.CreditState) (store.CreditMutation, error) {
			return store.CreditMutation{Usage: []store.UsageTotal{u}}, nil
		})
		events := t.staged(today.Add(2 * time.Hour))
		t.equalEvents(events, u)
		ids[events[0].ID] = true
		t.ok(t.s.DeliveredUsage(t.Context(), exportIDs(events)))
	}
	if len(ids) != 3 {
		t.Errorf("3 events have %d ids", len(ids))
	}
}

// exportTogether: two nodes that export at the same time, while a third one flushes, must
// create each event once.
func exportTogether(t *suite) {
	t.exportFrom(today)
	const slots = 20
	for i := range slots {
		t.flush("e1", total(slot(toksta.KeyID(numbered("key_", i)), 1), 1))
	}
	concurrently(8, func(i int) {
		if i%2 == 0 {
			t.flush("e1", total(slot(toksta.KeyID(numbered("key_", i)), 1), 10))
			return
		}
		lost := 0 // a transaction that is rolled back too often fails
		for rows := 1; rows > 0; {
			var err error
			if rows, err = t.s.StageUsage(t.Context(), today.Add(2*time.Hour), 3); err != nil {
				if lost, rows = lost+1, 1; lost > slots {
					t.Error(err)
					return
				}
			}
		}
	})
	sums, ids := map[toksta.KeyID]int64{}, map[string]bool{}
	for _, e := range t.staged(today.Add(2 * time.Hour)) {
		sums[e.KeyID] += e.Calls
		ids[e.ID] = true
	}
	for i := range slots {
		want := int64(1)
		if i < 8 && i%2 == 0 {
			want = 10
		}
		if got := sums[toksta.KeyID(numbered("key_", i))]; got != want {
			t.Errorf("the events of key %d sum up to %d calls, want %d", i, got, want)
		}
	}
	if events, err := t.s.StagedUsage(t.Context(), 100); err != nil || len(events) != len(ids) {
		t.Errorf("%d events, %d ids, %v", len(events), len(ids), err)
	}
}

// exportStatus: the operator must see a backlog and its cause.
func exportStatus(t *suite) {
	before := today.Add(2 * time.Hour)
	status := func() store.ExportStatus {
		t.Helper()
		got, err := t.s.ExportStatus(t.Context(), before)
		t.ok(err)
		if got.Delivered > 0 != !got.DeliveredAt.IsZero() {
			t.Errorf("delivered %d at %v", got.Delivered, got.DeliveredAt)
		}
		got.DeliveredAt, got.FailedAt = time.Time{}, time.Time{}
		return got
	}
	is(t, status(), store.ExportStatus{})
	t.exportFrom(today)
	is(t, status(), store.ExportStatus{On: true, Through: before})
	t.flush("e1", total(slot("key_a", 0), 1), total(slot("key_a", 1), 1), total(slot("key_a", 2), 1))
	is(t, status(), store.ExportStatus{On: true, Through: today, Waiting: 2})
	events := t.staged(before)
	t.ok(t.s.FailExport(t.Context(), "no way"))
	is(t, status(), store.ExportStatus{On: true, Through: today, Waiting: 2, Failure: "no way"})
	t.ok(t.s.DeliveredUsage(t.Context(), exportIDs(events)[:1]))
	is(t, status(), store.ExportStatus{On: true, Through: today.Add(time.Hour), Waiting: 1, Delivered: 1})
	t.ok(t.s.SetExport(t.Context(), nil))
	is(t, status(), store.ExportStatus{Delivered: 1})
}
