package credits

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// cluster is some nodes with one database and a clock of their own.
type cluster struct {
	t     testing.TB
	db    store.Store
	now   time.Time
	st    *toksta.Standing // of the one account
	nodes []*node
	paid  toksta.Charge // by all calls
}

// node is the part of a server between a decision and the database.
type node struct {
	*cluster
	dir     string
	skew    time.Duration // of its clock
	offline bool          // without the database
	meter   *meter.Meter
	service *Service
	watch   func(...toksta.AccountID)
}

// newCluster starts nodes with one account that has a plan.
func newCluster(t testing.TB, url string, nodes int, p toksta.Plan) *cluster {
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

// start starts a new process in the node's directory.
func (n *node) start() {
	n.t.Helper()
	var err error
	n.meter, err = meter.Open(meter.Config{Dir: n.dir, Sink: n, Now: n.clock})
	n.ok(err)
	n.service = New(Config{
		Balances: NewBalances(), Meter: n.meter, Store: n.db, Index: n, Watch: n,
		Interval: 5 * time.Second, Now: n.clock, Logger: slog.New(slog.DiscardHandler),
	})
	n.ok(n.service.Load(n.t.Context()))
}

// Standing is the index of the node.
func (n *node) Standing(toksta.AccountID) *toksta.Standing { return n.st }

// Enqueue is the watch of the node.
func (n *node) Enqueue(accounts ...toksta.AccountID) {
	if n.watch != nil {
		n.watch(accounts...)
	}
}

// Flush is the sink of the node's meter.
func (n *node) Flush(ctx context.Context, b store.UsageBatch) error {
	if n.offline {
		return errors.New("the database is unavailable")
	}
	return n.db.Flush(ctx, b)
}

func (n *node) restart() {
	n.t.Helper()
	n.ok(n.meter.Close())
	n.start()
}

// call makes a call of some credits and reports whether it was admitted.
func (n *node) call(cost int64) bool {
	n.t.Helper()
	if !n.service.Balances.Hold(n.st, cost, n.clock()) {
		return false
	}
	n.charge(cost, n.clock())
	return true
}

// charge charges a held call and counts it.
func (n *node) charge(cost int64, held time.Time) {
	n.t.Helper()
	charge, _, at := n.service.Balances.Charge(n.st, cost, cost, held)
	n.paid = n.paid.Plus(charge)
	n.ok(n.meter.Count(meter.Increment{
		AccountID: n.st.Account.ID, KeyID: "key_1", Family: "data", CostKey: "search", Calls: 1, Charge: charge, Now: at,
	}))
}

// exchange makes one exchange of the accounts that are due.
func (n *node) exchange(all bool) {
	n.t.Helper()
	n.ok(n.service.exchangeDue(n.t.Context(), all))
}

// read reads the charges of the others without a flush of the node's own.
func (n *node) read() {
	n.t.Helper()
	n.service.mu.Lock()
	defer n.service.mu.Unlock()
	n.ok(n.service.readOthers(n.t.Context(), []syncState{n.service.Balances.currentState(n.st, n.clock())}))
}

// charged flushes every node and returns the charges of the hours [from, to) in
// the database.
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

// ever returns the charges of all times.
func (c *cluster) ever() toksta.Charge {
	c.t.Helper()
	return c.charged(time.Unix(0, 0), c.now.AddDate(10, 0, 0))
}

// TestCluster runs the guarantees for several nodes on one PostgreSQL.
func TestCluster(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for name, test := range map[string]func(*testing.T, string){
		"overspending": overspending, "cycles": cycles, "one account": oneAccount, "purchased": purchased,
		"past hours": pastHours, "reservations": reservations, "restart": restart, "accounts after a crash": accountsAfterCrash,
		"moved anchor": movedAnchor,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, server.NewDatabase(t))
		})
	}
}

// Guarantee: three nodes that spend the credits of one account at random
// overspend at most the calls that the others admit in two intervals. Nodes
// that do not exchange charges spend the credits three times.
func overspending(t *testing.T, url string) {
	const credits, perMinute = 1500, 200 // ten calls a second in all
	const bound = 6                      // calls in two intervals
	for _, exchange := range []bool{true, false} {
		c := newCluster(t, url, 3, toksta.Plan{IncludedCredits: credits, PerMinute: perMinute})
		for _, n := range c.nodes {
			n.exchange(true)
		}
		for rejected, calls := 0, 1; rejected < 100; calls++ {
			c.now = c.now.Add(100 * time.Millisecond)
			if c.nodes[rand.IntN(3)].call(1) {
				rejected = 0
			} else {
				rejected++
			}
			// Each node exchanges every 250 ms, each at another moment.
			for i, n := range c.nodes {
				if tick := calls*2 + i; exchange && tick%5 < 2 {
					n.exchange(tick/5%20 == 0)
				}
			}
		}
		got := c.ever()
		if got != c.paid {
			t.Errorf("%+v in the database, %+v charged", got, c.paid)
		}
		t.Logf("exchanging %v: %d of %d credits were charged", exchange, got.Credits, credits)
		if inBound := got.Credits >= credits && got.Credits <= credits+bound; inBound != exchange {
			t.Errorf("exchanging %v: %d of %d credits were charged, the bound is %d more", exchange, got.Credits, credits, bound)
		}
	}
}
