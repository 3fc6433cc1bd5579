package creditfeed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// cluster is some nodes with one database, in a time of its own.
type cluster struct {
	t     *testing.T
	db    store.Store
	now   time.Time
	st    *toksta.Standing // of the one account
	nodes []*node
	paid  toksta.Charge // by all calls that were answered
}

// node is what a server has between a decision and the database.
type node struct {
	*cluster
	dir   string
	skew  time.Duration // of its clock
	away  bool          // its database
	book  *credits.Book
	meter *meter.Meter
	feed  *Feed
	hook  func(context.Context, []toksta.AccountID)
}

// newCluster has one account with a plan.
func newCluster(t *testing.T, url string, nodes int, p toksta.Plan) *cluster {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p.ID = "PLAN"
	a := toksta.Account{ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, time.Now())), Plan: p.ID, CycleAnchor: time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC)}
	c := &cluster{t: t, db: db, now: time.Date(2026, 5, 20, 10, 0, 0, 0, time.UTC), st: &toksta.Standing{Account: a, Plan: p, PerMinute: p.PerMinute}}
	_, err = db.Commit(t.Context(), toksta.Actor{}, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: a.ID, Accounts: []toksta.Account{a}}, nil
	})
	c.ok(err)
	for i := range nodes {
		c.ok(db.Register(t.Context(), store.Node{ID: fmt.Sprint("node ", i), Epoch: string(a.ID), Lease: time.Minute}))
		n := &node{cluster: c, dir: t.TempDir()}
		n.start()
		t.Cleanup(func() { n.meter.Close() })
		c.nodes = append(c.nodes, n)
	}
	return c
}

func (c *cluster) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (n *node) clock() time.Time { return n.now.Add(n.skew) }

// start is a new process in the node's directory.
func (n *node) start() {
	n.t.Helper()
	var err error
	n.book = credits.New()
	n.meter, err = meter.Open(meter.Config{Dir: n.dir, Sink: n, Now: n.clock})
	n.ok(err)
	n.feed = New(Config{
		Book: n.book, Meter: n.meter, Store: n.db, Every: 5 * time.Second, Now: n.clock, After: n.hook,
		Anchor: func(toksta.AccountID) time.Time { return n.st.Account.CycleAnchor },
	})
	n.ok(n.feed.Load(n.t.Context()))
}

// Flush is what the meter writes to.
func (n *node) Flush(ctx context.Context, b store.UsageBatch) error {
	if n.away {
		return errors.New("the database is away")
	}
	return n.db.Flush(ctx, b)
}

func (n *node) restart() {
	n.t.Helper()
	n.ok(n.meter.Close())
	n.start()
}

// call is one that costs some credits, and reports whether it was admitted.
func (n *node) call(cost int64) bool {
	n.t.Helper()
	if !n.book.Hold(n.st, cost, n.clock()) {
		return false
	}
	n.settle(cost, n.clock())
	return true
}

// settle charges a call that was held before.
func (n *node) settle(cost int64, held time.Time) {
	n.t.Helper()
	charge, at := n.book.Settle(n.st, cost, cost, held)
	n.paid = n.paid.Plus(charge)
	n.ok(n.meter.Count(meter.Increment{
		AccountID: n.st.Account.ID, KeyID: "key_1", Family: "data", CostKey: "search", Calls: 1, Charge: charge, Now: at,
	}))
}

func (n *node) round(all bool) {
	n.t.Helper()
	n.ok(n.feed.round(n.t.Context(), all))
}

// charged is what the database has of the hours [from, to), once every node has
// flushed.
func (c *cluster) charged(from, to time.Time) (sum toksta.Charge) {
	c.t.Helper()
	for _, n := range c.nodes {
		c.ok(n.meter.Flush(c.t.Context()))
	}
	rows, err := c.db.ListUsage(c.t.Context(), store.UsageQuery{Account: c.st.Account.ID, From: from, To: to})
	c.ok(err)
	for _, r := range rows {
		sum = sum.Plus(r.Charge)
	}
	return sum
}

// ever is charged of all times.
func (c *cluster) ever() toksta.Charge {
	c.t.Helper()
	return c.charged(time.Unix(0, 0), c.now.AddDate(10, 0, 0))
}

// TestCluster runs what holds for several nodes on one PostgreSQL.
func TestCluster(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for name, test := range map[string]func(*testing.T, string){
		"overspending": overspending, "cycles": cycles, "one account": oneAccount, "purchased": purchased,
		"past hours": pastHours, "reservations": reservations, "restart": restart, "recall": recall,
		"moved anchor": movedAnchor,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, server.NewDatabase(t))
		})
	}
}

// overspending: three nodes that spend one account's credits at random charge
// no more than there are and what the others can admit in two looks. Nodes
// that do not look charge them three times, which this test sees.
func overspending(t *testing.T, url string) {
	const credits, perMinute = 1500, 200 // ten calls a second in all
	const bound = 6                      // calls in two looks
	for _, follow := range []bool{true, false} {
		c := newCluster(t, url, 3, toksta.Plan{IncludedCredits: credits, PerMinute: perMinute})
		for _, n := range c.nodes {
			n.round(true)
		}
		for refused, calls := 0, 1; refused < 100; calls++ {
			c.now = c.now.Add(100 * time.Millisecond)
			if c.nodes[rand.IntN(3)].call(1) {
				refused = 0
			} else {
				refused++
			}
			// Each node looks every 250 ms, at a moment of its own.
			for i, n := range c.nodes {
				if tick := calls*2 + i; follow && tick%5 < 2 {
					n.round(tick/5%20 == 0)
				}
			}
		}
		got := c.ever()
		if got != c.paid {
			t.Errorf("the database has %+v, answered were %+v", got, c.paid)
		}
		t.Logf("following %v: %d of %d credits were charged", follow, got.Credits, credits)
		if kept := got.Credits >= credits && got.Credits <= credits+bound; kept != follow {
			t.Errorf("following %v: %d of %d credits were charged, the bound is %d more", follow, got.Credits, credits, bound)
		}
	}
}
