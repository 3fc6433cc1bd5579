package credits

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

// left returns the remaining credits as the node knows them.
func (n *node) left() int64 { return n.service.Balances.Balance(n.st, n.clock()).Remaining() }

// same fails unless every node has the given credits left after an exchange.
func (c *cluster) same(left int64) {
	c.t.Helper()
	for range 2 { // in the first pass, only the last node reads all charges
		for _, n := range c.nodes {
			n.ok(n.service.Refresh(c.t.Context(), c.st))
		}
	}
	for i, n := range c.nodes {
		if got := n.left(); got != left {
			c.t.Errorf("node %d has %d credits left, want %d", i, got, left)
		}
	}
}

// Guarantee: a charge of one node counts once on every other after an exchange,
// and the watch receives the account. A node that never used the account
// reads it after the first call.
func oneAccount(t *testing.T, url string) {
	c := newCluster(t, url, 3, toksta.Plan{IncludedCredits: 10, PerMinute: 60})
	a, b, idle := c.nodes[0], c.nodes[1], c.nodes[2]
	var watched []toksta.AccountID
	b.watch = func(ids ...toksta.AccountID) { watched = append(watched, ids...) }
	b.restart()
	for range 7 {
		a.call(1)
	}
	b.call(1)
	for range 3 { // more exchanges change nothing
		a.exchange(false)
		b.exchange(false)
	}
	if a.left() != 3 || b.left() != 2 {
		t.Errorf("%d and %d left, want 3 where there was no call since, and 2", a.left(), b.left())
	}
	if want := []toksta.AccountID{c.st.Account.ID}; !slices.Equal(watched, want) {
		t.Errorf("the watch received %v, want %v", watched, want)
	}
	if !idle.call(1) {
		t.Error("the first call of a node is rejected")
	}
	idle.exchange(false)
	if idle.left() != 1 {
		t.Errorf("%d left after the first exchange, want 1", idle.left())
	}
	c.same(1)

	// An exchange between the charge in memory and its count does not flush it.
	// The next one does.
	charge, _, at := a.service.Balances.Charge(c.st, 0, 1, a.clock())
	a.exchange(false)
	c.ok(a.meter.Count(meter.Increment{AccountID: c.st.Account.ID, KeyID: "key_1", Charge: charge, Now: at}))
	a.exchange(false)
	b.read()
	if b.left() != 0 {
		t.Errorf("%d left after a call that was counted late, want 0", b.left())
	}
}

// Guarantee: purchased credits are neither granted twice nor lost when cycles
// turn and processes end. The next purchase pays overspent ones.
func purchased(t *testing.T, url string) {
	c := newCluster(t, url, 2, toksta.Plan{IncludedCredits: 5, PerMinute: 60})
	c.st.Account.Entitlements.PurchasedCredits = 30
	for range 3 {
		for _, n := range c.nodes {
			n.read()
			for range 4 { // eight a cycle: three of them purchased
				if !n.call(1) {
					t.Fatal("rejected")
				}
			}
			n.exchange(false)
		}
		c.now = c.now.AddDate(0, 1, 0)
	}
	c.same(5 + 30 - 9)
	c.nodes[0].restart()
	c.same(5 + 30 - 9)
	for _, n := range c.nodes { // neither reads the other
		for n.call(1) {
		}
	}
	c.same(0)
	if got := c.ever(); got.Purchased != 9+21+21 || got != c.paid {
		t.Errorf("%+v in the database, %+v charged", got, c.paid)
	}
	c.st.Account.Entitlements.PurchasedCredits += 25
	c.same(4)
}

// Guarantee: the charges of a process count on every other and on the next one,
// whether it stopped or was killed before its last flush.
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
	a.offline = true // only the file is left, as of a killed process
	if a.meter.Close() == nil {
		t.Fatal("the totals were flushed")
	}
	b.read()
	if b.left() != 91 {
		t.Errorf("%d left before the journal was found, want 91", b.left())
	}
	a.offline = false
	a.start()
	c.same(89)
}

// Guarantee: after a crash the watch receives the accounts that were used before
// it. Otherwise a customer whose credits are used up might never be notified.
func accountsAfterCrash(t *testing.T, url string) {
	c := newCluster(t, url, 1, toksta.Plan{IncludedCredits: 10, PerMinute: 60})
	n := c.nodes[0]
	n.call(1)
	watched := make(chan []toksta.AccountID, 100)
	n.watch = func(ids ...toksta.AccountID) { watched <- ids }
	n.restart()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.service.Run(ctx) }()
	select {
	case ids := <-watched:
		if !slices.Equal(ids, []toksta.AccountID{c.st.Account.ID}) {
			t.Errorf("after a restart the watch receives %v", ids)
		}
	case <-time.After(10 * time.Second):
		t.Error("after a restart the watch receives nothing")
	}
	cancel()
	c.ok(<-done)
}

// Guarantee: charges that a node flushes hours late are found, but past hours
// are not read in every exchange.
func pastHours(t *testing.T, url string) {
	c := newCluster(t, url, 2, toksta.Plan{IncludedCredits: 100, PerMinute: 60})
	a, b := c.nodes[0], c.nodes[1]
	read := func(want int64) {
		t.Helper()
		b.read()
		if got := b.left(); got != want {
			t.Errorf("%d left, want %d", got, want)
		}
	}
	read(100)
	flushLate := func(hours int, credits int64) {
		t.Helper()
		c.ok(a.meter.Count(meter.Increment{
			AccountID: c.st.Account.ID, KeyID: "key_1", CostKey: "late", Charge: toksta.Charge{Credits: credits}, Now: c.now.Add(-time.Duration(hours) * time.Hour),
		}))
		c.ok(a.meter.Flush(t.Context()))
	}
	flushLate(1, 1)
	read(99)
	flushLate(30, 10)
	read(99)
	c.now = c.now.Add(pastLifetime + time.Second)
	read(89)
	c.now = c.now.Add(3 * time.Hour).Truncate(time.Hour).Add(-time.Minute)
	flushLate(1, 2)
	read(87)
	c.now = c.now.Add(time.Minute) // the recent hours are past
	read(87)
}

// Guarantee: no call spends the credits of a job. They are charged once when it
// ends, in the hour in which it began, and the rest comes back.
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
	if a.call(20) || !a.call(19) { // one credit of the cap is reserved
		t.Error("the cap is exceeded beside the job")
	}
	job.State, job.Charged = store.ReservationSettled, toksta.Charge{Credits: 12, Purchased: 2}
	decide(store.CreditSettle, job.Charged)
	c.same(3)
	for _, n := range c.nodes {
		want := n.service.Balances.Balance(n.st, n.clock())
		want.IncludedUsed, want.Purchased, want.PurchasedUsed, want.Held, want.Overage, want.OverageMicros = 10, 3, 7, 0, 19, 95
		if diff := cmp.Diff(want, n.service.Balances.Balance(n.st, n.clock())); diff != "" {
			t.Errorf("after the job (-want +got):\n%s", diff)
		}
	}
}

// Guarantee: at the end of months of every length, with restarts, clocks that
// step back an hour and calls on every node, each cycle grants all its credits
// once and no charge is lost.
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
			n.read()
			for n.call(1) {
			}
			n.exchange(false)
		}
		if got := c.charged(start, end).Credits; got != included {
			t.Errorf("the cycle from %s granted %d credits, want %d", start, got, included)
		}
		for c.now = end.Add(-30 * time.Minute); c.now.Before(end.Add(2 * time.Hour)); c.now = c.now.Add(4 * time.Minute) {
			c.step()
		}
	}
	for _, start := range starts {
		_, end := toksta.Cycle(c.st.Account.CycleAnchor, start)
		if got := c.charged(start, end).Credits; got != included {
			t.Errorf("in the end the cycle from %s granted %d credits, want %d", start, got, included)
		}
	}
	if got := c.ever(); got != c.paid {
		t.Errorf("%+v in the database, %+v charged", got, c.paid)
	}
}

// step makes a call, fast or slow, on some node, which exchanges charges before
// and after it, and may be restarted or have its clock set.
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
	n.read()
	if held := n.clock(); n.service.Balances.Hold(n.st, 1, held) {
		c.now = c.now.Add(time.Duration(rand.IntN(2)) * time.Minute)
		n.charge(1, held)
	}
	n.exchange(false)
}

// Guarantee: if the day of a cycle is moved into the past, the charges of every
// process from that day on count once.
func movedAnchor(t *testing.T, url string) {
	c := newCluster(t, url, 2, toksta.Plan{IncludedCredits: 20, PerMinute: 60})
	a, b := c.nodes[0], c.nodes[1]
	begun := c.now
	for _, n := range []int64{4, 3, 2} { // a day each
		a.call(n)
		b.call(1)
		a.exchange(true)
		b.exchange(true)
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
