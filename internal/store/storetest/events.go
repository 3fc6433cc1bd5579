package storetest

import (
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// event returns an event with a token of its own, some minutes after now.
func event(id string, minutes int) store.Event {
	return store.Event{
		ID: "evt_" + id, Kind: toksta.EventCreditsLow, AccountID: "acct_a", At: now.Add(time.Duration(minutes) * time.Minute),
		Data: json.RawMessage(`{"remaining":"7 → <b>"}`), Token: "token of " + id,
	}
}

func (t *suite) raise(e store.Event, channels ...string) {
	t.Helper()
	raised, err := t.s.RaiseEvent(t.Context(), e, channels)
	t.ok(err)
	is(t, raised, true)
}

func (t *suite) claim(c store.DeliveryClaim) []store.Claimed {
	t.Helper()
	claimed, err := t.s.ClaimDeliveries(t.Context(), c)
	t.ok(err)
	return claimed
}

// claimAt claims all deliveries that are due some minutes after now, for a minute.
func (t *suite) claimAt(channel string, minutes int) []store.Claimed {
	t.Helper()
	at := now.Add(time.Duration(minutes) * time.Minute)
	return t.claim(store.DeliveryClaim{Channel: channel, Now: at, Until: at.Add(time.Minute), Limit: 100})
}

// events returns the selected events.
func (t *suite) events(q store.EventQuery) []store.Event {
	t.Helper()
	events, err := t.s.ListEvents(t.Context(), q)
	t.ok(err)
	return events
}

func (t *suite) delivery(id, channel string) store.Delivery {
	t.Helper()
	for _, e := range t.events(store.EventQuery{ID: "evt_" + id}) {
		for _, d := range e.Deliveries {
			if d.Channel == channel {
				return d
			}
		}
	}
	t.Fatalf("no delivery of %s to %s", id, channel)
	return store.Delivery{}
}

// raiseOnce: twenty nodes that see one occurrence must not send twenty messages.
func raiseOnce(t *suite) {
	var raised atomic.Int64
	concurrently(20, func(i int) {
		e := event(numbered("", i), i)
		e.Token = "the same"
		ok, err := t.s.RaiseEvent(t.Context(), e, []string{"billing", "crm"})
		if err != nil {
			t.Error(err)
		}
		if ok {
			raised.Add(1)
		}
	})
	is(t, raised.Load(), 1)
	all := t.events(store.EventQuery{})
	is(t, len(all), 1)
	want := event(all[0].ID[len("evt_"):], int(all[0].At.Sub(now)/time.Minute))
	want.Token = ""
	for _, c := range []string{"billing", "crm"} {
		want.Deliveries = append(want.Deliveries, store.Delivery{EventID: want.ID, Channel: c, State: store.DeliveryPending, NextAt: want.At})
	}
	is(t, all[0], want)
}

// claimDeliveries: two nodes must not send one webhook at once, and the claim of a killed
// node must end.
func claimDeliveries(t *suite) {
	for i := range 30 {
		t.raise(event(numbered("", i), 0), "billing", "crm")
	}
	t.raise(event("later", 5), "billing")
	var taken [10][]store.Claimed
	concurrently(10, func(i int) {
		var err error
		taken[i], err = t.s.ClaimDeliveries(t.Context(), store.DeliveryClaim{Channel: "billing", Now: now, Until: now.Add(time.Minute), Limit: 7})
		if err != nil {
			t.Error(err)
		}
	})
	seen := map[string]int{}
	for _, claimed := range taken {
		if len(claimed) > 7 {
			t.Errorf("%d claimed, 7 asked for", len(claimed))
		}
		for _, c := range claimed {
			seen[c.Event.ID]++
			is(t, c.Delivery, store.Delivery{EventID: c.Event.ID, Channel: "billing", State: store.DeliveryPending, Attempts: 1, NextAt: now.Add(time.Minute), TriedAt: now})
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
	if len(seen) == 0 {
		t.Error("nothing was claimed")
	}
	is(t, len(seen)+len(t.claimAt("billing", 0)), 30)
	is(t, len(t.claimAt("billing", 0)), 0)
	is(t, len(t.claimAt("crm", 0)), 30)

	again := t.claimAt("billing", 2)
	is(t, len(again), 30)
	is(t, again[0].Delivery.Attempts, 2)
	is(t, json.RawMessage(`{"remaining":"7 → <b>"}`), again[0].Event.Data)
	is(t, len(t.claimAt("billing", 5)), 31)
}

// lateFinish: a node that was paused until its claim ended must not overwrite the result
// of another node's delivery.
func lateFinish(t *suite) {
	t.raise(event("a", 0), "billing")
	first := t.claimAt("billing", 0)[0].Delivery
	second := t.claimAt("billing", 2)[0].Delivery
	settle := func(was store.Delivery, state store.DeliveryState, outcome string) {
		after := was
		after.State, after.Outcome, after.NextAt = state, outcome, now.Add(time.Hour)
		t.ok(t.s.FinishDelivery(t.Context(), was, after))
	}
	settle(first, store.DeliveryDead, "late")
	is(t, t.delivery("a", "billing"), second)
	settle(second, store.DeliveryPending, "answered 503")
	is(t, t.delivery("a", "billing").Outcome, "answered 503")
	is(t, len(t.claimAt("billing", 59)), 0)

	third := t.claimAt("billing", 60)[0].Delivery
	is(t, third.Attempts, 3)
	settle(third, store.DeliveryDelivered, "answered 204")
	settle(third, store.DeliveryDead, "late")
	is(t, t.delivery("a", "billing").State, store.DeliveryDelivered)
	is(t, len(t.claimAt("billing", 1000)), 0)
}

// raiseDead raises an event and lets its delivery fail finally.
func (t *suite) raiseDead(id string, minutes int, channel string) {
	t.Helper()
	t.raise(event(id, minutes), channel)
	for _, c := range t.claimAt(channel, minutes) {
		dead := c.Delivery
		dead.State, dead.Outcome = store.DeliveryDead, "answered 410"
		t.ok(t.s.FinishDelivery(t.Context(), c.Delivery, dead))
	}
}

func eventIDs(events []store.Event) string {
	return ids(events, func(e store.Event) string { return e.ID[len("evt_"):] })
}

// listEvents: an operator must see each failed delivery once.
func listEvents(t *suite) {
	t.raiseDead("1", 1, "billing")
	t.raiseDead("2", 2, "crm")
	t.raise(event("3", 3))
	foreign := event("4", 4)
	foreign.AccountID = "acct_b"
	t.raise(foreign, "billing", "crm")
	for want, q := range map[string]store.EventQuery{
		"4 3 2 1 ": {},
		"4 3 ":     {Limit: 2},
		"2 1 ":     {State: store.DeliveryDead},
		"2 ":       {State: store.DeliveryDead, Channel: "crm"},
		"4 ":       {State: store.DeliveryPending},
		"3 2 1 ":   {Account: "acct_a"},
		"1 ":       {Account: "acct_a", Before: "evt_2", State: store.DeliveryDead},
		"3 ":       {ID: "evt_3"},
		"":         {ID: "evt_5"},
	} {
		if got := eventIDs(t.events(q)); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
}

// replay: a replayed event keeps its id, and no other event is delivered again.
func replay(t *suite) {
	t.raiseDead("1", 1, "billing")
	t.raiseDead("2", 2, "billing")
	t.raiseDead("3", 3, "crm")
	do := func(r store.Replay) int {
		t.Helper()
		r.Now = now.Add(time.Hour)
		n, err := t.s.ReplayEvents(t.Context(), r)
		t.ok(err)
		return n
	}
	is(t, do(store.Replay{Event: "evt_1", Channels: []string{"billing", "new"}}), 2)
	want := store.Delivery{EventID: "evt_1", Channel: "billing", State: store.DeliveryPending, NextAt: now.Add(time.Hour)}
	is(t, t.delivery("1", "billing"), want)
	want.Channel = "new"
	is(t, t.delivery("1", "new"), want)
	is(t, eventIDs(t.events(store.EventQuery{State: store.DeliveryDead})), "3 2 ")

	is(t, do(store.Replay{Channels: []string{"billing", "nobody"}}), 1)
	is(t, do(store.Replay{Channels: []string{"billing"}}), 0)
	is(t, eventIDs(t.events(store.EventQuery{State: store.DeliveryDead})), "3 ")
	is(t, len(t.claimAt("billing", 60)), 2)

	_, err := t.s.ReplayEvents(t.Context(), store.Replay{Event: "evt_9", Channels: []string{"billing"}, Now: now})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("replay of no event: %v", err)
	}
}

// pruneEvents: old events must be deleted, and no newer ones.
func pruneEvents(t *suite) {
	t.raise(event("1", 1), "billing")
	t.raise(event("2", 2), "billing", "crm")
	t.ok(t.s.PruneEvents(t.Context(), now.Add(2*time.Minute)))
	is(t, eventIDs(t.events(store.EventQuery{})), "2 ")
	is(t, len(t.claimAt("billing", 2)), 1)
	t.raise(event("1", 3)) // its token was deleted with it
	is(t, eventIDs(t.events(store.EventQuery{})), "2 1 ")
}
