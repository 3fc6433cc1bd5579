package credits

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// alone is a database with a changing list of nodes. It counts the reads of usage
// of the present hour.
type alone struct {
	*node
	store.Store
	listed []store.Node
	reads  int
}

func (a *alone) ListNodes(context.Context) ([]store.Node, error) { return a.listed, nil }

func (a *alone) ChargesBy(ctx context.Context, except string, spans []store.ChargeSpan) ([]store.Charged, error) {
	for _, s := range spans {
		if now := a.clock(); !s.From.After(now) && (s.To.IsZero() || s.To.After(now)) {
			a.reads++
		}
	}
	return a.Store.ChargesBy(ctx, except, spans)
}

// exchangeFor makes a call and an exchange once a second.
func (a *alone) exchangeFor(span time.Duration) (reads int) {
	before := a.reads
	for n := range int(span / time.Second) {
		a.now = a.now.Add(time.Second)
		a.call(1)
		a.exchange(n%5 == 0)
	}
	return a.reads - before
}

// Guarantee: without other nodes, usage is read again only after aloneLifetime,
// however often a near limit is checked. A reservation counts at the next
// exchange, and so does a charge of a node that joins, even for one round.
func TestNoReadsWithoutOtherNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, filepath.Join(t.TempDir(), "toksta.db"), 2, toksta.Plan{IncludedCredits: 10_000, PerMinute: 6000})
	self, other := store.Node{ID: "a", Epoch: "1"}, store.Node{ID: "b", Epoch: "1"}
	a, b := &alone{node: c.nodes[0], Store: c.db, listed: []store.Node{self}}, c.nodes[1]
	a.service.Store = a
	if n := a.exchangeFor(aloneDelay + time.Second); n < 100 {
		t.Errorf("%d reads before the node counts as alone, want one a second", n)
	}
	if n := a.exchangeFor(10*aloneLifetime + 30*time.Second); n < 9 || n > 11 {
		t.Errorf("%d reads of usage in ten minutes without other nodes, want one a minute", n)
	}

	job := store.Reservation{
		ID: "res_1", Slot: store.UsageSlot{AccountID: c.st.Account.ID, CostKey: "job", Hour: c.now.Unix() / 3600},
		Split: toksta.Charge{Credits: 50}, State: store.ReservationOpen, CreatedAt: c.now, ExpiresAt: c.now.AddDate(1, 0, 0),
	}
	_, err := c.db.CommitCredits(t.Context(), store.CreditQuery{Account: c.st.Account.ID}, func(store.CreditState) (store.CreditMutation, error) {
		return store.CreditMutation{Reservations: []store.Reservation{job}, Entries: []store.CreditEntry{{
			AccountID: c.st.Account.ID, Kind: store.CreditReserve, ReservationID: job.ID,
		}}}, nil
	})
	c.ok(err)
	a.call(1)
	a.exchange(false)
	if want := int64(10_000 - 751 - 1 - 50); a.left() != want {
		t.Errorf("%d credits are left beside a reservation, want %d", a.left(), want)
	}

	a.listed = []store.Node{self, other}
	b.call(100)
	c.ok(b.meter.Flush(t.Context()))
	a.call(1)
	a.exchange(false)
	if want := int64(10_000 - 751 - 2 - 50 - 100); a.left() != want {
		t.Errorf("%d credits are left after a node joined, want %d", a.left(), want)
	}
	b.call(7) // its journal is flushed after it left
	a.listed = []store.Node{self}
	a.exchange(true)
	c.ok(b.meter.Flush(t.Context()))
	a.call(1)
	a.exchange(false)
	if want := int64(10_000 - 751 - 3 - 50 - 107); a.left() != want {
		t.Errorf("%d credits are left after a node left, want %d", a.left(), want)
	}
}

// Guarantee: a node that was suspended, or registered again, reads the charges of
// nodes that joined and left meanwhile.
func TestMissedNodes(t *testing.T) {
	t.Parallel()
	for name, pass := range map[string]func(*alone){
		"suspended":        func(a *alone) { a.now = a.now.Add(time.Minute) },
		"registered again": func(a *alone) { a.listed[0].Epoch = "2" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, filepath.Join(t.TempDir(), "toksta.db"), 2, toksta.Plan{IncludedCredits: 10_000, PerMinute: 6000})
			a, b := &alone{node: c.nodes[0], Store: c.db, listed: []store.Node{{ID: "a", Epoch: "1"}}}, c.nodes[1]
			a.service.Store = a
			a.exchangeFor(aloneDelay + 10*time.Second)
			before := a.left()
			b.call(100)
			c.ok(b.meter.Flush(t.Context()))
			pass(a)
			a.call(1)
			a.exchange(false)
			if a.left() != before-101 {
				t.Errorf("%d credits are left, want %d", a.left(), before-101)
			}
		})
	}
}

// flushed is a sink that counts the totals of each account.
type flushed map[toksta.AccountID]int

func (f flushed) Flush(_ context.Context, b store.UsageBatch) error {
	for _, t := range b.Totals {
		f[t.AccountID]++
	}
	return nil
}

// Guarantee: a usage report flushes the slots of its own account only.
func TestRefreshFlushesOneAccount(t *testing.T) {
	t.Parallel()
	c := newCluster(t, filepath.Join(t.TempDir(), "toksta.db"), 1, toksta.Plan{IncludedCredits: 100, PerMinute: 60})
	n, sink := c.nodes[0], flushed{}
	m, err := meter.Open(meter.Config{Dir: t.TempDir(), Sink: sink, Now: n.clock})
	c.ok(err)
	defer m.Close()
	n.service.Meter = m
	for _, id := range []toksta.AccountID{c.st.Account.ID, "acct_other"} {
		c.ok(m.Count(meter.Increment{AccountID: id, KeyID: "key_1", Calls: 1, Now: c.now}))
	}
	c.ok(n.service.Refresh(t.Context(), c.st))
	if sink[c.st.Account.ID] != 1 || len(sink) != 1 {
		t.Errorf("flushed %v, want one total of %s", sink, c.st.Account.ID)
	}
}
