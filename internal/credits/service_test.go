package credits_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the last credit is spent once. Of fifty concurrent jobs on four
// nodes, ten are paid by ten credits, and the others are rejected with the
// number of credits left.
func lastCreditOnce(t *testing.T, open opener) {
	b := open(t, 4)
	for _, plan := range []toksta.PlanID{"PAYG", "BUILD", "SCALE"} {
		e := map[toksta.PlanID]toksta.Entitlements{"PAYG": {}, "SCALE": {OverageCapMicros: 500}}[plan]
		id := b.account(t, plan, e)
		want := int64(10)
		switch plan {
		case "PAYG":
			_, err := b.node(0).TopUp(t.Context(), operator, credits.PurchaseRequest{Account: id, Credits: 10, IdempotencyKey: "order"})
			ok(t, err)
		case "SCALE":
			want = 15 // the cap pays for five more
		}
		var paid, rejected atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				_, err := b.node(i).Reserve(t.Context(), operator, b.reserving(id, 1))
				e, _ := errors.AsType[*toksta.Error](err)
				switch {
				case err == nil:
					paid.Add(1)
				case e != nil && e.Code == toksta.CodeInsufficientCredits && e.Details["remaining"] == int64(0):
					rejected.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if paid.Load() != want || rejected.Load() != 50-want {
			t.Errorf("%s: %d jobs were paid and %d rejected, want %d paid", plan, paid.Load(), rejected.Load(), want)
		}
	}
	b.sound(t)
}

// Guarantee: a worker that repeats its request after a crash, on another node or
// concurrently, moves credits once and gets the first outcome. The same key with
// another request moves none.
func repeatedRequests(t *testing.T, open opener) {
	b := open(t, 4)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	request := b.reserving(id, 6)
	// together sends one request to all nodes concurrently.
	together := func(request func(*credits.Service) (credits.Outcome, error)) credits.Outcome {
		t.Helper()
		var outcomes [8]credits.Outcome
		var all sync.WaitGroup
		for i := range outcomes {
			all.Go(func() {
				var err error
				if outcomes[i], err = request(b.node(i)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, o := range outcomes[1:] {
			if diff := cmp.Diff(outcomes[0], o); diff != "" {
				t.Fatalf("two outcomes of one request:\n%s", diff)
			}
		}
		return outcomes[0]
	}
	reserve := func(s *credits.Service) (credits.Outcome, error) { return s.Reserve(t.Context(), operator, request) }
	reserved := together(reserve)
	settling, refunding := b.closing(reserved.Reservation, 4), b.closing(reserved.Reservation, 1)
	settle := func(s *credits.Service) (credits.Outcome, error) { return s.Settle(t.Context(), operator, settling) }
	refund := func(s *credits.Service) (credits.Outcome, error) { return s.Refund(t.Context(), operator, refunding) }
	settled, refunded := together(settle), together(refund)
	_, err := b.node(0).Refund(t.Context(), operator, b.closing(reserved.Reservation, 0))
	ok(t, err)

	// After the last request, each repeat still has its first outcome. That of the
	// reservation states that it is closed.
	if reserved.IsClosed {
		t.Error("the first reservation is closed")
	}
	reserved.IsClosed = true
	for i, again := range []credits.Outcome{together(reserve), together(settle), together(refund)} {
		if diff := cmp.Diff([]credits.Outcome{reserved, settled, refunded}[i], again); diff != "" {
			t.Errorf("the repeat has another outcome (-first +repeat)\n%s", diff)
		}
	}
	if reserved.Reservation.State != store.ReservationOpen || settled.Reservation.Charged.Credits != 4 || refunded.Reservation.Charged.Credits != 3 {
		t.Errorf("outcomes %v, %v, %v", reserved, settled, refunded)
	}

	request.Credits++
	_, err = reserve(b.node(0))
	conflict(t, err, toksta.ReasonIdempotencyKeyReused)
	settling.IdempotencyKey = request.IdempotencyKey
	_, err = settle(b.node(0))
	conflict(t, err, toksta.ReasonIdempotencyKeyReused)
	b.sound(t)
}

func conflict(t *testing.T, err error, reason toksta.Reason) {
	t.Helper()
	if !errors.Is(err, &toksta.Error{Code: toksta.CodeConflict, Reason: reason}) {
		t.Errorf("got %v, want a conflict, %s", err, reason)
	}
}

// Guarantee: a job is paid in the order of payment. Credits that it did not cost
// go back to their part, and a refund is made in the opposite order.
func whereCreditsGo(t *testing.T, open opener) {
	b := open(t, 1)
	id := b.account(t, "SCALE", toksta.Entitlements{OverageCapMicros: 1000})
	_, err := b.node(0).TopUp(t.Context(), operator, credits.PurchaseRequest{Account: id, Credits: 5, IdempotencyKey: "order"})
	ok(t, err)
	reserved, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 18))
	ok(t, err)
	settled, err := b.node(0).Settle(t.Context(), operator, b.closing(reserved.Reservation, 16))
	ok(t, err)
	part, err := b.node(0).Refund(t.Context(), operator, b.closing(reserved.Reservation, 3))
	ok(t, err)
	for _, step := range []struct {
		got, want toksta.Charge
	}{
		{reserved.Reservation.Split, toksta.Charge{Credits: 18, Purchased: 5, Overage: 3, OverageMicros: 300}},
		{settled.Entry.Delta, toksta.Charge{Credits: 2, Overage: 2, OverageMicros: 200}},
		{settled.Reservation.Charged, toksta.Charge{Credits: 16, Purchased: 5, Overage: 1, OverageMicros: 100}},
		{part.Entry.Delta, toksta.Charge{Credits: 3, Purchased: 2, Overage: 1, OverageMicros: 100}},
		{part.Reservation.Charged, toksta.Charge{Credits: 13, Purchased: 3}},
	} {
		if diff := cmp.Diff(step.want, step.got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	_, err = b.node(0).Settle(t.Context(), operator, b.closing(reserved.Reservation, 1))
	conflict(t, err, toksta.ReasonReservationClosed)
	_, err = b.node(0).Refund(t.Context(), operator, b.closing(reserved.Reservation, 14))
	if toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("more was refunded than charged: %v", err)
	}
	other := b.closing(reserved.Reservation, 0)
	other.Account = b.account(t, "SCALE", toksta.Entitlements{})
	if _, err = b.node(0).Refund(t.Context(), operator, other); toksta.ErrorCode(err) != toksta.CodeNotFound {
		t.Errorf("another account's reservation: %v", err)
	}
	b.sound(t)
}

// Guarantee: an overdue reservation expires with the next request and without
// one. Then it cannot be charged, even if the clock is set back.
func expiry(t *testing.T, open opener) {
	b := open(t, 2)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	overdue, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 10))
	ok(t, err)
	b.now(start.Add(credits.DefaultLifetime - time.Minute))
	if _, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 1)); err == nil {
		t.Error("reserved credits were given to another job too early")
	}
	b.now(start.Add(credits.DefaultLifetime))
	_, err = b.node(1).Settle(t.Context(), operator, b.closing(overdue.Reservation, 1))
	conflict(t, err, toksta.ReasonReservationClosed)
	second, err := b.node(1).Reserve(t.Context(), operator, b.reserving(id, 10))
	ok(t, err)
	b.now(start)
	_, err = b.node(0).Settle(t.Context(), operator, b.closing(overdue.Reservation, 1))
	conflict(t, err, toksta.ReasonReservationClosed)

	b.now(start.Add(3 * credits.DefaultLifetime))
	n, err := b.node(0).Expire(t.Context())
	if err != nil || n != 1 {
		t.Errorf("%d expired, %v", n, err)
	}
	steps, err := b.node(1).ListEntries(t.Context(), store.EntryQuery{Account: id, Reservation: second.Reservation.ID})
	ok(t, err)
	if len(steps) != 2 || steps[0].Kind != store.CreditExpire || steps[0].Delta.Credits != 10 {
		t.Errorf("the entries of the second: %v", steps)
	}
	b.sound(t)
}

// Guarantee: included credits are granted once in a cycle, also in short months
// and on leap day. A job that ends after the turn takes none of the new cycle. A
// clock that is set back over the turn grants none twice.
func cycleTurns(t *testing.T, open opener) {
	b := open(t, 1)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	_, err := b.node(0).TopUp(t.Context(), operator, credits.PurchaseRequest{Account: id, Credits: 1, IdempotencyKey: "order"})
	ok(t, err)
	left := func() int64 {
		t.Helper()
		_, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 1000))
		e, _ := errors.AsType[*toksta.Error](err)
		if e == nil {
			t.Fatal(err)
		}
		return e.Details["remaining"].(int64)
	}
	for _, turn := range []time.Time{
		day(2027, 11, 30), day(2027, 12, 31), day(2028, 1, 31), day(2028, 2, 29), day(2028, 3, 31), day(2028, 4, 30),
		day(2029, 2, 28), day(2029, 3, 31), // a whole year later
	} {
		b.now(turn.Add(-time.Minute))
		request := b.reserving(id, 7)
		request.Lifetime = time.Hour
		job, err := b.node(0).Reserve(t.Context(), operator, request)
		ok(t, err)
		if n := left(); n != 4 {
			t.Errorf("before %s %d are left, want 4", turn, n)
		}
		b.now(turn)
		if n := left(); n != 11 {
			t.Errorf("at %s %d are left, want 11: the job before the turn holds the new cycle's", turn, n)
		}
		after, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 8))
		ok(t, err)
		b.now(turn.Add(-time.Minute))
		if n := left(); n > 3 { // the node stays in the new cycle, and so would a job
			t.Errorf("set back before %s %d are left: the cycle's credits were granted twice", turn, n)
		}
		back, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 1))
		ok(t, err)
		if back.Reservation.Slot.Hour < turn.Unix()/3600 {
			t.Errorf("set back before %s a job is charged in the old cycle", turn)
		}
		_, err = b.node(0).Refund(t.Context(), operator, b.closing(back.Reservation, 0))
		ok(t, err)
		b.now(turn.Add(time.Minute))
		_, err = b.node(0).Settle(t.Context(), operator, b.closing(job.Reservation, 5))
		ok(t, err)
		_, err = b.node(0).Refund(t.Context(), operator, b.closing(job.Reservation, 0))
		ok(t, err)
		if n := left(); n != 3 {
			t.Errorf("after %s %d are left, want 3: the old cycle's refund is spent in the new one", turn, n)
		}
		_, err = b.node(0).Settle(t.Context(), operator, b.closing(after.Reservation, 0))
		ok(t, err)
	}
	b.sound(t)
}

func day(year int, month time.Month, n int) time.Time {
	return time.Date(year, month, n, 0, 0, 0, 0, time.UTC)
}

// Guarantee: the account has the sum of its purchases. A correction needs a
// reason, and takes away no used or reserved credits.
func purchases(t *testing.T, open opener) {
	b := open(t, 4)
	id := b.account(t, "PAYG", toksta.Entitlements{})
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			r := credits.PurchaseRequest{Account: id, Credits: 10, Reason: "order", IdempotencyKey: fmt.Sprint("order ", i%5)}
			if _, err := b.node(i).TopUp(t.Context(), operator, r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 30))
	ok(t, err)
	adjust := credits.PurchaseRequest{Account: id, Credits: -21, Reason: "returned", IdempotencyKey: "back"}
	if _, err := b.node(1).Adjust(t.Context(), operator, adjust); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("reserved credits were taken away: %v", err)
	}
	adjust.Credits = -20
	first, err := b.node(1).Adjust(t.Context(), operator, adjust)
	ok(t, err)
	again, err := b.node(2).Adjust(t.Context(), operator, adjust)
	ok(t, err)
	if diff := cmp.Diff(first, again); diff != "" || first.Purchased != 30 || first.Left != 0 {
		t.Errorf("%+v, then\n%s", first, diff)
	}
	adjust.Credits = 1
	_, err = b.node(3).Adjust(t.Context(), operator, adjust)
	conflict(t, err, toksta.ReasonIdempotencyKeyReused)
	adjust.Reason, adjust.IdempotencyKey = "", "new"
	if _, err := b.node(3).Adjust(t.Context(), operator, adjust); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("a correction without a reason: %v", err)
	}
	b.sound(t)
}

// Guarantee: an invalid field of a request is named before any credit moves.
func requests(t *testing.T, open opener) {
	b := open(t, 1)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	for field, invalidate := range map[string]func(*credits.ReserveRequest){
		"credits":            func(r *credits.ReserveRequest) { r.Credits = 0 },
		"family":             func(r *credits.ReserveRequest) { r.Family = "moon" },
		"cost_key":           func(r *credits.ReserveRequest) { r.CostKey = "Not a name" },
		"expires_in_seconds": func(r *credits.ReserveRequest) { r.Lifetime = credits.MaxLifetime + time.Second },
		"idempotency_key":    func(r *credits.ReserveRequest) { r.IdempotencyKey = " " },
		"reason":             func(r *credits.ReserveRequest) { r.Reason = "\x00" },
	} {
		r := b.reserving(id, 1)
		invalidate(&r)
		_, err := b.node(0).Reserve(t.Context(), operator, r)
		e, _ := errors.AsType[*toksta.Error](err)
		if e == nil || e.Code != toksta.CodeValidation || e.Details["field"] != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	unknown, stray := b.reserving("acct_nobody", 1), b.reserving(id, 1)
	stray.Key = "key_of_nobody"
	for _, r := range []credits.ReserveRequest{unknown, stray} {
		if _, err := b.node(0).Reserve(t.Context(), operator, r); toksta.ErrorCode(err) != toksta.CodeNotFound {
			t.Errorf("%v: %v", r, err)
		}
	}
	if open, err := b.node(0).ListReservations(t.Context(), store.ReservationQuery{}); err != nil || len(open) > 0 {
		t.Errorf("%v, %v", open, err)
	}
}

// failing fails the first commit.
type failing struct {
	credits.Store
	commits int
}

func (f *failing) CommitCredits(ctx context.Context, q store.CreditQuery, d store.DecideCredits) ([]store.CreditEntry, error) {
	if f.commits++; f.commits == 1 {
		return nil, errors.New("damaged")
	}
	return f.Store.CommitCredits(ctx, q, d)
}

// Guarantee: if the reservations of one account cannot be expired, those of the
// others are, and the error names the account.
func oneAccountFails(t *testing.T, open opener) {
	b := open(t, 1)
	for range 2 {
		_, err := b.node(0).Reserve(t.Context(), operator, b.reserving(b.account(t, "BUILD", toksta.Entitlements{}), 10))
		ok(t, err)
	}
	b.now(start.Add(credits.DefaultLifetime))
	node := b.node(0).Config
	node.Store = &failing{Store: node.Store}
	n, err := credits.New(node).Expire(t.Context())
	if n != 1 || err == nil || !strings.Contains(err.Error(), "acct_") {
		t.Errorf("%d expired, %v", n, err)
	}
	b.sound(t)
}

// Guarantee: the shortfall of an admitted call is never dropped. Verify names it
// as owed, also for an account without purchases, and the next purchase pays it.
func debts(t *testing.T, open opener) {
	b := open(t, 1)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	slot := store.UsageSlot{AccountID: id, Family: "data", CostKey: "call", Hour: start.Unix() / 3600}
	owed := store.UsageTotal{UsageSlot: slot, Calls: 1, Charge: toksta.Charge{Credits: 10, Purchased: 7}}
	ok(t, b.stores[0].Flush(t.Context(), store.UsageBatch{Epoch: "node", Totals: []store.UsageTotal{owed}}))
	v, err := b.node(0).Verify(t.Context())
	ok(t, err)
	want := []credits.Difference{{Account: id, Text: "7 purchased credits were used of 0 bought"}}
	if diff := cmp.Diff(want, v.Overspent); diff != "" || len(v.Differences) > 0 {
		t.Errorf("owed (-want +got):\n%s%v", diff, v.Differences)
	}
	bought, err := b.node(0).TopUp(t.Context(), operator, credits.PurchaseRequest{Account: id, Credits: 20, IdempotencyKey: "order"})
	ok(t, err)
	if bought.Left != 13 {
		t.Errorf("%d left of 20, want 13", bought.Left)
	}
}

// Guarantee: after a request about a reservation, calls on its node are decided
// on the outcome at once, before the next exchange.
func callsAfterRequests(t *testing.T, open opener) {
	b := open(t, 1)
	node, id := b.node(0), b.account(t, "BUILD", toksta.Entitlements{})
	a, err := b.stores[0].Account(t.Context(), id)
	ok(t, err)
	left := func(want int64) {
		t.Helper()
		if got := node.Balances.Balance(node.Catalog.Standing(a), start).Remaining(); got != want {
			t.Errorf("%d credits left for calls, want %d", got, want)
		}
	}
	reserved, err := node.Reserve(t.Context(), operator, b.reserving(id, 8))
	ok(t, err)
	left(2)
	_, err = node.Settle(t.Context(), operator, b.closing(reserved.Reservation, 3))
	ok(t, err)
	left(7)
	_, err = node.Refund(t.Context(), operator, b.closing(reserved.Reservation, 1))
	ok(t, err)
	left(8)
}

// offlineMeter is a meter that cannot reach the database.
type offlineMeter struct{ credits.Meter }

func (offlineMeter) FlushOf(context.Context, map[toksta.AccountID]bool) error {
	return store.ErrUnavailable
}

// Guarantee: if the charges of this node cannot be flushed, a job is rejected:
// they may have spent its credits.
func unflushedCharges(t *testing.T, open opener) {
	b := open(t, 1)
	node := b.node(0).Config
	node.Meter = offlineMeter{node.Meter}
	_, err := credits.New(node).Reserve(t.Context(), operator, b.reserving(b.account(t, "BUILD", toksta.Entitlements{}), 1))
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("reserved without a flush: %v", err)
	}
}
