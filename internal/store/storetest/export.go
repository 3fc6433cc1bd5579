package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// today starts the day of now.
var today = time.Unix(midnight*3600, 0).UTC()

// staged stages all hours before a time and returns the events there are.
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

// say compares events without their ids and their order.
func (t *suite) say(events []store.UsageEvent, want ...store.UsageTotal) {
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

// exportOnce: a customer pays what is in the export. An hour that is still
// counted, a refused call, or an hour that the vendor did not ask for has no
// place in it, and what was staged stays as it is until it is delivered.
func exportOnce(t *suite) {
	refused := slot("key_a", 1)
	refused.Reason = toksta.ReasonRateLimited
	t.flush("e1", total(slot("key_a", 0), 1), total(slot("key_a", 1), 2), total(slot("key_b", 1), 4), total(refused, 8), total(slot("key_a", 2), 16))
	t.flush("e2", total(slot("key_a", 1), 32))
	t.say(t.staged(today.Add(2 * time.Hour))) // off

	t.exportFrom(today.Add(time.Hour))
	first := t.staged(today.Add(2 * time.Hour))
	t.say(first, total(slot("key_a", 1), 2), total(slot("key_b", 1), 4), total(slot("key_a", 1), 32))
	is(t, t.staged(today.Add(2*time.Hour)), first)

	t.ok(t.s.DeliveredUsage(t.Context(), append(exportIDs(first), "unknown")))
	t.ok(t.s.DeliveredUsage(t.Context(), exportIDs(first)))
	t.ok(t.s.DeliveredUsage(t.Context(), nil))
	t.say(t.staged(today.Add(2 * time.Hour)))
	t.say(t.staged(today.Add(3*time.Hour)), total(slot("key_a", 2), 16))
}

// exportLate: a node whose database was away flushes an hour that went out
// before. What it adds is one event more, under an id of its own; a flush that
// adds nothing is none.
func exportLate(t *suite) {
	t.exportFrom(today)
	before, ids := today.Add(2*time.Hour), map[string]bool{}
	deliver := func(want ...store.UsageTotal) {
		t.Helper()
		events := t.staged(before)
		t.say(events, want...)
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

// exportRefund: what is charged, taken back and charged again for one slot is
// three events. Were two of them alike, the receiver would drop the last.
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
		t.say(events, u)
		ids[events[0].ID] = true
		t.ok(t.s.DeliveredUsage(t.Context(), exportIDs(events)))
	}
	if len(ids) != 3 {
		t.Errorf("3 events have %d ids", len(ids))
	}
}

// exportTogether: two nodes that both believe to be the one that exports, while
// a third flushes, make each event once.
func exportTogether(t *suite) {
	t.exportFrom(today)
	const slots = 20
	for i := range slots {
		t.flush("e1", total(slot(toksta.KeyID(numbered("key_", i)), 1), 1))
	}
	together(8, func(i int) {
		if i%2 == 0 {
			t.flush("e1", total(slot(toksta.KeyID(numbered("key_", i)), 1), 10))
			return
		}
		lost := 0 // races; who loses too many in a row is told to come again
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

// exportStatus: the operator sees a backlog, and why, while it can be mended.
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
