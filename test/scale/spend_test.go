package scale

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: over three nodes, calls overspend purchased credits by at most the bound of
// docs/credits.md and are then rejected on every node. Reservations overspend nothing. The
// next top-up pays the overspent credits.
func TestCreditsOverNodes(t *testing.T) {
	t.Parallel()
	s := newSpender(t)
	within := func(bound int64) {
		t.Helper()
		over := -s.left.Load()
		t.Logf("%d credits were overspent; the bound is %d", over, bound)
		if over <= -cost || over > bound {
			t.Errorf("%d credits were overspent, the bound is %d", over, bound)
		}
	}
	s.topUp(500*cost + 1)
	calls := s.spend(1300, func() {})
	within(calls.others)
	s.waitForRejection()

	most := s.topUp(3000)
	var jobs atomic.Int64
	calls = s.spend(500, func() { jobs.Add(s.reserve(20)) })
	within(calls.others + calls.all)
	if jobs.Load() > most {
		t.Errorf("%d of %d credits were reserved", jobs.Load(), most)
	}
	s.waitForRejection()

	most = s.topUp(2000)
	jobs.Store(0)
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() { jobs.Add(s.reserve(50)) })
	}
	all.Wait()
	if want := most - most%50; jobs.Load() != want {
		t.Errorf("%d of %d credits were reserved, want %d", jobs.Load(), most, want)
	}
	s.waitForRejection()
	s.topUp(1000)
	books, err := s.operator().VerifyCredits(t.Context())
	if err != nil || len(books.Differences) > 0 {
		t.Errorf("verification: %+v, %v", books.Differences, err)
	}
}

// paid is a call with a price, cost is its price.
const (
	paid = "POST /v1/creators/content-match"
	cost = 3
)

// spender is an account without included credits that is used on three nodes.
type spender struct {
	t     *testing.T
	nodes []*apptest.Node
	ref   client.AccountRef
	key   string
	job   atomic.Int64
	left  atomic.Int64 // according to the responses; negative if overspent
}

func newSpender(t *testing.T) *spender {
	s := &spender{t: t, nodes: apptest.StartCluster(t, pgtest.Start(t).NewDatabase(t))}
	s.ref.Account = apptest.NewAccount(t, s.operator(), "Spender")
	if _, err := s.operator().SetPlan(t.Context(), client.SetPlanRequest{AccountRef: s.ref, Plan: "API_PAYG"}); err != nil {
		t.Fatal(err)
	}
	s.key = apptest.NewKey(t, s.operator(), s.ref.Account, "Spender").Secret
	return s
}

// operator returns the operator API of a random node.
func (s *spender) operator() *client.Client {
	return s.nodes[rand.IntN(len(s.nodes))].Operator()
}

// topUp buys credits after every node has flushed its charges, and returns the number of
// credits left.
func (s *spender) topUp(credits int64) int64 {
	s.t.Helper()
	for _, n := range s.nodes {
		var document any
		apptest.Usage(s.t, n.Operator(), s.ref.Account, &document)
	}
	bought, err := s.operator().TopUpCredits(s.t.Context(), client.PurchaseRequest{
		AccountRef: s.ref, Credits: credits, IdempotencyKey: fmt.Sprint("top-up ", s.job.Add(1)),
	})
	if want := s.left.Add(credits); err != nil || bought.Left != want {
		s.t.Fatalf("%d credits are left after a top-up, want %d: %v", bought.Left, want, err)
	}
	return bought.Left
}

// reserve reserves credits on a random node, and returns their number or 0. On a busy
// machine, a reservation can wait for the others for longer than a database call may
// take. As the documentation requires, it is repeated with the same idempotency key.
func (s *spender) reserve(credits int64) int64 {
	request := client.ReserveRequest{
		AccountRef: s.ref, Family: "data", CostKey: "job", Credits: credits, IdempotencyKey: fmt.Sprint("job ", s.job.Add(1)),
	}
	_, err := s.operator().ReserveCredits(s.t.Context(), request)
	for tries := 1; toksta.ErrorCode(err) == toksta.CodeUnavailable && tries < 5; tries++ {
		_, err = s.operator().ReserveCredits(s.t.Context(), request)
	}
	switch toksta.ErrorCode(err) {
	case "":
		s.left.Add(-credits)
		return credits
	case toksta.CodeInsufficientCredits:
	default:
		s.t.Errorf("reserve: %v", err)
	}
	return 0
}

// waitForRejection waits until every node rejects calls with 402.
func (s *spender) waitForRejection() {
	s.t.Helper()
	for _, n := range s.nodes {
		apptest.Eventually(s.t, "calls are admitted though no credit is left", func() bool {
			got := apptest.Send(s.t, n.URL, paid, s.key)
			s.left.Add(-apptest.Charged(got.Header))
			return got.Status == http.StatusPaymentRequired
		})
	}
}

// overspend bounds the credits that calls can overspend: those that all nodes, or all but
// one, can charge before they receive the charges of the others.
type overspend struct{ all, others int64 }

// spend makes calls at a constant rate, and calls beside with every fifth one.
func (s *spender) spend(tries int, beside func()) overspend {
	s.t.Helper()
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	b := burst{nodes: s.nodes, call: paid, tries: tries}
	b.key = func(int) string { return s.key }
	b.before = func(i int) {
		if <-pace.C; i%5 == 0 {
			beside()
		}
	}
	var out overspend
	var longest time.Duration
	admitted := make([][]time.Time, len(s.nodes))
	for _, got := range b.run(s.t) {
		longest = max(longest, got.to.Sub(got.from))
		switch {
		case got.status/100 == 2:
			s.left.Add(-apptest.Charged(got.header))
			admitted[got.node] = append(admitted[got.node], got.from)
		case got.status != http.StatusPaymentRequired:
			s.t.Errorf("a call got %d", got.status)
		}
	}
	const exchange = 500 * time.Millisecond // of a database as slow as that
	delay := longest + 2*(250*time.Millisecond+exchange)
	for _, times := range admitted {
		out.others = max(out.others, int64(len(s.nodes)-1)*cost*mostWithin(delay, times))
	}
	out.all = cost * mostWithin(delay, slices.Concat(admitted...))
	return out
}

// mostWithin returns the largest number of times within any interval of length span.
func mostWithin(span time.Duration, times []time.Time) (most int64) {
	slices.SortFunc(times, time.Time.Compare)
	for first, last := 0, 0; last < len(times); last++ {
		for times[last].Sub(times[first]) > span {
			first++
		}
		most = max(most, int64(last-first+1))
	}
	return most
}
