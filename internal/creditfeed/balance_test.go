package creditfeed

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// left is what a node takes for what remains.
func (n *node) left() int64 { return n.book.Balance(n.st, n.clock()).Remaining() }

// same fails unless every node has the same credits left, once it has looked.
func (c *cluster) same(left int64) {
	c.t.Helper()
	for range 2 { // all give before the last one takes
		for _, n := range c.nodes {
			n.ok(n.meter.Flush(c.t.Context()))
			n.ok(n.feed.Refresh(c.t.Context(), c.st))
		}
	}
	for i, n := range c.nodes {
		if got := n.left(); got != left {
			c.t.Errorf("node %d has %d credits left, want %d", i, got, left)
		}
	}
}

// oneAccount: what one node charges every other knows after it has looked,
// once, and says whose balance moved. One that never met the account looks
// with its first call.
func oneAccount(t *testing.T, url string) {
	c := newCluster(t, url, 3, toksta.Plan{IncludedCredits: 10, PerMinute: 60})
	a, b, idle := c.nodes[0], c.nodes[1], c.nodes[2]
	var told []toksta.AccountID
	b.hook = func(_ context.Context, ids []toksta.AccountID) { told = append(told, ids...) }
	b.restart()
	for range 7 {
		a.call(1)
	}
	b.call(1)
	for range 3 { // more looks change nothing
		a.round(false)
		b.round(false)
	}
	if a.left() != 3 || b.left() != 2 {
		t.Errorf("%d and %d left, want 3 where there was no call since, and 2", a.left(), b.left())
	}
	if want := []toksta.AccountID{c.st.Account.ID}; !slices.Equal(told, want) {
		t.Errorf("the hook was told of %v, want %v", told, want)
	}
	if !idle.call(1) {
		t.Error("the first call of a node is refused")
	}
	idle.round(false)
	if idle.left() != 1 {
		t.Errorf("%d left after the first look, want 1", idle.left())
	}
	c.same(1)

	// A look between the charge in the book and its count misses it, and the
	// next one does not.
	charge, at := a.book.Settle(c.st, 0, 1, a.clock())
	a.round(false)
	c.ok(a.meter.Count(meter.Increment{AccountID: c.st.Account.ID, KeyID: "key_1", Charge: charge, Now: at}))
	a.round(false)
	c.ok(b.feed.Refresh(t.Context(), c.st))
	if b.left() != 0 {
		t.Errorf("%d left after a call that was counted late, want 0", b.left())
	}
}

// purchased: credits that never expire are neither given twice nor lost when
// cycles turn and processes end, and what was overspent is taken from what is
// bought next.
func purchased(t *testing.T, url string) {
	c := newCluster(t, url, 2, toksta.Plan{IncludedCredits: 5, PerMinute: 60})
	c.st.Account.Entitlements.PurchasedCredits = 30
	for range 3 {
		for _, n := range c.nodes {
			n.ok(n.feed.Refresh(t.Context(), c.st))
			for range 4 { // eight a cycle: three of them purchased
				if !n.call(1) {
					t.Fatal("refused")
				}
			}
			n.round(false)
		}
		c.now = c.now.AddDate(0, 1, 0)
	}
	c.same(5 + 30 - 9)
	c.nodes[0].restart()
	c.same(5 + 30 - 9)
	for _, n := range c.nodes { // neither looks at the other
		for n.call(1) {
		}
	}
	c.same(0)
	if got := c.ever(); got.Purchased != 9+21+21 || got != c.paid {
		t.Errorf("%+v charged, %+v answered", got, c.paid)
	}
	c.st.Account.Entitlements.PurchasedCredits += 25
	c.same(4)
}

// restart: what a process charged is charged, whether it stopped or was killed
// before it could tell, and whoever serves next to it or after it knows.
func restart(t *testing.T, url string) {
	c := newCluster(t, url, 2, toksta.Plan{IncludedCredits: 100, PerMinute: 60})
	a, b := c.nodes[0], c.nodes[1]
	for range 3 {
		a.call(2)
		b.call(1)
		a.restart()
	}
	c.same(91)
	a.call(2)
	a.away = true // as for a process that is killed, the file is all there is
	if a.meter.Close() == nil {
		t.Fatal("the totals were flushed")
	}
	b.ok(b.feed.Refresh(t.Context(), c.st))
	if b.left() != 91 {
		t.Errorf("%d left before the journal was found, want 91", b.left())
	}
	a.away = false
	a.start()
	c.same(89)
}

// recall: what a killed process saw last is looked at again by the next one,
// though nobody uses the account any more; otherwise its owner is told late, or
// never, that its credits are gone.
func recall(t *testing.T, url string) {
	c := newCluster(t, url, 1, toksta.Plan{IncludedCredits: 10, PerMinute: 60})
	n := c.nodes[0]
	n.call(1)
	told := make(chan []toksta.AccountID, 100)
	n.hook = func(_ context.Context, ids []toksta.AccountID) { told <- ids }
	n.restart()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.feed.Run(ctx) }()
	select {
	case ids := <-told:
		if !slices.Equal(ids, []toksta.AccountID{c.st.Account.ID}) {
			t.Errorf("after a restart the hook is told of %v", ids)
		}
	case <-time.After(10 * time.Second):
		t.Error("after a restart the hook is told of nothing")
	}
	cancel()
	c.ok(<-done)
}

// pastHours: charges that a node brings back from hours ago are found, and the
// hours of a whole cycle are not read with every look.
func pastHours(t *testing.T, url string) {
	c := newCluster(t, url, 2, toksta.Plan{IncludedCredits: 100, PerMinute: 60})
	a, b := c.nodes[0], c.nodes[1]
	look := func(want int64) {
		t.Helper()
		b.ok(b.feed.Refresh(t.Context(), c.st))
		if got := b.left(); got != want {
			t.Errorf("%d left, want %d", got, want)
		}
	}
	look(100)
	bring := func(hours int, credits int64) {
		t.Helper()
		c.ok(a.meter.Count(meter.Increment{
			AccountID: c.st.Account.ID, KeyID: "key_1", CostKey: "late", Charge: toksta.Charge{Credits: credits}, Now: c.now.Add(-time.Duration(hours) * time.Hour),
		}))
		c.ok(a.meter.Flush(t.Context()))
	}
	bring(1, 1)
	look(99)
	bring(30, 10)
	look(99)
	c.now = c.now.Add(kept + time.Second)
	look(89)
	c.now = c.now.Add(3 * time.Hour).Truncate(time.Hour).Add(-time.Minute)
	bring(1, 2)
	look(87)
	c.now = c.now.Add(time.Minute) // what was recent is past
	look(87)
}

// reservations: the credits of a job are spent by no call, are charged once
// when it ends, in whichever hour it began, and come back when it does not
// need them.
func reservations(t *testing.T, url string) {
	c := newCluster(t, url, 2, toksta.Plan{IncludedCredits: 10, PerMinute: 60, OverageMicros: 5})
	c.st.Account.Entitlements = toksta.Entitlements{PurchasedCredits: 10, OverageCapMicros: 100}
	job := store.Reservation{
		ID: "res_1", State: store.ReservationOpen, CreatedAt: c.now, ExpiresAt: c.now.AddDate(0, 0, 9),
		Slot:  store.UsageSlot{AccountID: c.st.Account.ID, KeyID: "key_1", CostKey: "job", Hour: c.now.Unix()/3600 - 5},
		Split: toksta.Charge{Credits: 16, Purchased: 5, Overage: 1, OverageMicros: 5},
	}
	decide := func(kind store.CreditKind, charged toksta.Charge) {
		t.Helper()
		_, err := c.db.CommitCredits(t.Context(), store.CreditQuery{Account: c.st.Account.ID}, func(store.CreditState) (store.CreditMutation, error) {
			m := store.CreditMutation{
				Reservations: []store.Reservation{job},
				Entries:      []store.CreditEntry{{AccountID: c.st.Account.ID, Kind: kind, ReservationID: job.ID}},
			}
			if charged != (toksta.Charge{}) {
				m.Usage = []store.UsageTotal{{UsageSlot: job.Slot, Calls: 1, Charge: charged}}
			}
			return m, nil
		})
		c.ok(err)
	}
	c.same(20)
	decide(store.CreditReserve, toksta.Charge{})
	c.same(20 - 15)
	a := c.nodes[0]
	if !a.call(5) || a.paid != (toksta.Charge{Credits: 5, Purchased: 5}) {
		t.Errorf("%+v was paid beside the job, want 5 purchased credits", a.paid)
	}
	if a.call(20) || !a.call(19) { // of the cap a credit is held
		t.Error("the cap is not kept beside the job")
	}
	job.State, job.Charged = store.ReservationSettled, toksta.Charge{Credits: 12, Purchased: 2}
	decide(store.CreditSettle, job.Charged)
	c.same(3)
	for _, n := range c.nodes {
		want := n.book.Balance(n.st, n.clock())
		want.IncludedUsed, want.Purchased, want.PurchasedUsed, want.Held, want.Overage, want.OverageMicros = 10, 3, 7, 0, 19, 95
		if diff := cmp.Diff(want, n.book.Balance(n.st, n.clock())); diff != "" {
			t.Errorf("after the job (-want +got):\n%s", diff)
		}
	}
}

// cycles: at the end of months of every length, through restarts and clocks
// that step back an hour, under calls on every node, no cycle gives its
// credits twice or keeps one, and no charge is lost.
func cycles(t *testing.T, url string) {
	const included = 20
	c := newCluster(t, url, 3, toksta.Plan{IncludedCredits: included, PerMinute: 60})
	c.now = time.Date(2027, 12, 31, 0, 1, 0, 0, time.UTC)
	var starts []time.Time
	for range 14 { // past a leap day and every length of month
		start, end := toksta.Cycle(c.st.Account.CycleAnchor, c.now)
		starts = append(starts, start)
		for c.now.Before(end.AddDate(0, 0, -1)) {
			c.now = c.now.Add(time.Duration(rand.IntN(36)) * time.Hour)
			c.step()
		}
		for _, n := range c.nodes {
			n.skew = 0
			n.ok(n.feed.Refresh(t.Context(), c.st))
			for n.call(1) {
			}
			n.round(false)
		}
		if got := c.charged(start, end).Credits; got != included {
			t.Errorf("the cycle from %s gave %d credits, want %d", start, got, included)
		}
		for c.now = end.Add(-30 * time.Minute); c.now.Before(end.Add(2 * time.Hour)); c.now = c.now.Add(4 * time.Minute) {
			c.step()
		}
	}
	for _, start := range starts {
		_, end := toksta.Cycle(c.st.Account.CycleAnchor, start)
		if got := c.charged(start, end).Credits; got != included {
			t.Errorf("in the end the cycle from %s gave %d credits, want %d", start, got, included)
		}
	}
	if got := c.ever(); got != c.paid {
		t.Errorf("%+v charged, %+v answered", got, c.paid)
	}
}

// step is a call, quick or slow, on some node, which looks before it and gives
// after it, and may have been started anew or have its clock set.
func (c *cluster) step() {
	n := c.nodes[rand.IntN(len(c.nodes))]
	switch rand.IntN(8) {
	case 0:
		n.restart()
	case 1:
		n.skew = -time.Hour
	case 2:
		n.skew = 0
	}
	n.ok(n.feed.Refresh(c.t.Context(), c.st))
	if held := n.clock(); n.book.Hold(n.st, 1, held) {
		c.now = c.now.Add(time.Duration(rand.IntN(2)) * time.Minute)
		n.settle(1, held)
	}
	n.round(false)
}

// movedAnchor: a cycle whose day is moved into the past has the charges from that
// day on, once, of every process.
func movedAnchor(t *testing.T, url string) {
	c := newCluster(t, url, 2, toksta.Plan{IncludedCredits: 20, PerMinute: 60})
	a, b := c.nodes[0], c.nodes[1]
	begun := c.now
	for _, n := range []int64{4, 3, 2} { // a day each
		a.call(n)
		b.call(1)
		a.round(true)
		b.round(true)
		c.now = c.now.AddDate(0, 0, 1)
	}
	a.call(1)
	c.same(20 - 4 - 3 - 2 - 3 - 1)
	c.st.Account.CycleAnchor = begun.AddDate(0, 0, 1)
	c.same(20 - 3 - 2 - 2 - 1)
	a.call(1)
	b.call(1)
	c.same(20 - 3 - 2 - 2 - 3)
	a.restart()
	c.same(20 - 3 - 2 - 2 - 3)
	c.now = c.now.Add(-24 * time.Hour) // a clock that is set back
	a.call(1)
	c.same(20 - 3 - 2 - 2 - 4)
}
