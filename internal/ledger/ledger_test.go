package ledger_test

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

	"github.com/toksta/toksta/internal/ledger"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// The last credit is spent once: of fifty jobs at once, over four nodes, ten
// are paid by ten credits, and each other one is told what is left.
func lastCreditOnce(t *testing.T, open opener) {
	b := open(t, 4)
	for _, plan := range []toksta.PlanID{"PAYG", "BUILD", "SCALE"} {
		e := map[toksta.PlanID]toksta.Entitlements{"PAYG": {}, "SCALE": {OverageCapMicros: 500}}[plan]
		id := b.account(t, plan, e)
		want := int64(10)
		switch plan {
		case "PAYG":
			_, err := b.node(0).TopUp(t.Context(), operator, ledger.PurchaseRequest{Account: id, Credits: 10, IdempotencyKey: "order"})
			ok(t, err)
		case "SCALE":
			want = 15 // the cap pays for five more
		}
		var paid, refused atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				_, err := b.node(i).Reserve(t.Context(), operator, b.reserving(id, 1))
				e, _ := errors.AsType[*toksta.Error](err)
				switch {
				case err == nil:
					paid.Add(1)
				case e != nil && e.Code == toksta.CodeInsufficientCredits && e.Details["remaining"] == int64(0):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if paid.Load() != want || refused.Load() != 50-want {
			t.Errorf("%s: %d jobs were paid and %d refused, want %d paid", plan, paid.Load(), refused.Load(), want)
		}
	}
	b.sound(t)
}

// A worker that repeats its request after a crash, on another node and at the
// same time as others, moves credits once and is told the same; a key that is
// used for something else moves nothing.
func repeatedRequests(t *testing.T, open opener) {
	b := open(t, 4)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	request := b.reserving(id, 6)
	// together sends one request by all nodes at once.
	together := func(request func(*ledger.Service) (ledger.Outcome, error)) ledger.Outcome {
		t.Helper()
		var outcomes [8]ledger.Outcome
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
	reserve := func(s *ledger.Service) (ledger.Outcome, error) { return s.Reserve(t.Context(), operator, request) }
	reserved := together(reserve)
	settling, refunding := b.closing(reserved.Reservation, 4), b.closing(reserved.Reservation, 1)
	settle := func(s *ledger.Service) (ledger.Outcome, error) { return s.Settle(t.Context(), operator, settling) }
	refund := func(s *ledger.Service) (ledger.Outcome, error) { return s.Refund(t.Context(), operator, refunding) }
	settled, refunded := together(settle), together(refund)
	_, err := b.node(0).Refund(t.Context(), operator, b.closing(reserved.Reservation, 0))
	ok(t, err)

	// After the last step, each repeat still has its first answer.
	for i, again := range []ledger.Outcome{together(reserve), together(settle), together(refund)} {
		if diff := cmp.Diff([]ledger.Outcome{reserved, settled, refunded}[i], again); diff != "" {
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

// A customer pays a job from what the contract says comes first, gets back
// what it did not cost to where it came from, and a refund in the opposite
// order.
func whereCreditsGo(t *testing.T, open opener) {
	b := open(t, 1)
	id := b.account(t, "SCALE", toksta.Entitlements{OverageCapMicros: 1000})
	_, err := b.node(0).TopUp(t.Context(), operator, ledger.PurchaseRequest{Account: id, Credits: 5, IdempotencyKey: "order"})
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

// Forgotten credits come back at their time, for whoever asks next and without
// anybody asking, and what has come back cannot be charged any more, even when
// the clock is set back.
func forgotten(t *testing.T, open opener) {
	b := open(t, 2)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	forgotten, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 10))
	ok(t, err)
	b.now(start.Add(ledger.DefaultLifetime - time.Minute))
	if _, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 1)); err == nil {
		t.Error("what is reserved was given away before its time")
	}
	b.now(start.Add(ledger.DefaultLifetime))
	_, err = b.node(1).Settle(t.Context(), operator, b.closing(forgotten.Reservation, 1))
	conflict(t, err, toksta.ReasonReservationClosed)
	second, err := b.node(1).Reserve(t.Context(), operator, b.reserving(id, 10))
	ok(t, err)
	b.now(start)
	_, err = b.node(0).Settle(t.Context(), operator, b.closing(forgotten.Reservation, 1))
	conflict(t, err, toksta.ReasonReservationClosed)

	b.now(start.Add(3 * ledger.DefaultLifetime))
	n, err := b.node(0).Expire(t.Context())
	if err != nil || n != 1 {
		t.Errorf("%d expired, %v", n, err)
	}
	steps, err := b.node(1).ListEntries(t.Context(), store.EntryQuery{Account: id, Reservation: second.Reservation.ID})
	ok(t, err)
	if len(steps) != 2 || steps[0].Kind != store.CreditExpire || steps[0].Delta.Credits != 10 {
		t.Errorf("the steps of the second: %v", steps)
	}
	b.sound(t)
}

// Included credits come once in a cycle, on the last day of months without the
// day and on leap day; a job that ends after the turn takes nothing of the new
// cycle; a clock that is set back over the turn brings nothing twice.
func cycleTurns(t *testing.T, open opener) {
	b := open(t, 1)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	_, err := b.node(0).TopUp(t.Context(), operator, ledger.PurchaseRequest{Account: id, Credits: 1, IdempotencyKey: "order"})
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
			t.Errorf("set back before %s %d are left: the cycle's credits were given twice", turn, n)
		}
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

// What was bought is what the account says, corrections have a reason, and
// none takes away what was used or is promised.
func purchases(t *testing.T, open opener) {
	b := open(t, 4)
	id := b.account(t, "PAYG", toksta.Entitlements{})
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			r := ledger.PurchaseRequest{Account: id, Credits: 10, Reason: "order", IdempotencyKey: fmt.Sprint("order ", i%5)}
			if _, err := b.node(i).TopUp(t.Context(), operator, r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, err := b.node(0).Reserve(t.Context(), operator, b.reserving(id, 30))
	ok(t, err)
	adjust := ledger.PurchaseRequest{Account: id, Credits: -21, Reason: "returned", IdempotencyKey: "back"}
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

// requests: a fault in a request is said before any credit moves, and for
// every field.
func requests(t *testing.T, open opener) {
	b := open(t, 1)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	for field, fault := range map[string]func(*ledger.ReserveRequest){
		"credits":            func(r *ledger.ReserveRequest) { r.Credits = 0 },
		"family":             func(r *ledger.ReserveRequest) { r.Family = "moon" },
		"cost_key":           func(r *ledger.ReserveRequest) { r.CostKey = "Not a name" },
		"expires_in_seconds": func(r *ledger.ReserveRequest) { r.Lifetime = ledger.MaxLifetime + time.Second },
		"idempotency_key":    func(r *ledger.ReserveRequest) { r.IdempotencyKey = " " },
		"reason":             func(r *ledger.ReserveRequest) { r.Reason = "\x00" },
	} {
		r := b.reserving(id, 1)
		fault(&r)
		_, err := b.node(0).Reserve(t.Context(), operator, r)
		e, _ := errors.AsType[*toksta.Error](err)
		if e == nil || e.Code != toksta.CodeValidation || e.Details["field"] != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	unknown, stray := b.reserving("acct_nobody", 1), b.reserving(id, 1)
	stray.Key = "key_of_nobody"
	for _, r := range []ledger.ReserveRequest{unknown, stray} {
		if _, err := b.node(0).Reserve(t.Context(), operator, r); toksta.ErrorCode(err) != toksta.CodeNotFound {
			t.Errorf("%v: %v", r, err)
		}
	}
	if open, err := b.node(0).ListReservations(t.Context(), store.ReservationQuery{}); err != nil || len(open) > 0 {
		t.Errorf("%v, %v", open, err)
	}
}

// faulty cannot decide about the first account that it is asked for.
type faulty struct {
	ledger.Store
	asked int
}

func (f *faulty) CommitCredits(ctx context.Context, q store.CreditQuery, d store.DecideCredits) ([]store.CreditEntry, error) {
	if f.asked++; f.asked == 1 {
		return nil, errors.New("damaged")
	}
	return f.Store.CommitCredits(ctx, q, d)
}

// One account that cannot be decided about does not keep what others have
// forgotten from coming back to them, and is named.
func oneIsFaulty(t *testing.T, open opener) {
	b := open(t, 1)
	for range 2 {
		_, err := b.node(0).Reserve(t.Context(), operator, b.reserving(b.account(t, "BUILD", toksta.Entitlements{}), 10))
		ok(t, err)
	}
	b.now(start.Add(ledger.DefaultLifetime))
	node := *b.node(0)
	node.Store = &faulty{Store: node.Store}
	n, err := node.Expire(t.Context())
	if n != 1 || err == nil || !strings.Contains(err.Error(), "acct_") {
		t.Errorf("%d expired, %v", n, err)
	}
	b.sound(t)
}

// What an admitted call could not be paid from is never dropped: the books name
// it as owed, also of an account that has bought nothing yet, and the next
// purchase pays it.
func debts(t *testing.T, open opener) {
	b := open(t, 1)
	id := b.account(t, "BUILD", toksta.Entitlements{})
	slot := store.UsageSlot{AccountID: id, Family: "data", CostKey: "call", Hour: start.Unix() / 3600}
	owed := store.UsageTotal{UsageSlot: slot, Calls: 1, Charge: toksta.Charge{Credits: 10, Purchased: 7}}
	ok(t, b.stores[0].Flush(t.Context(), store.UsageBatch{Epoch: "node", Totals: []store.UsageTotal{owed}}))
	v, err := b.node(0).Verify(t.Context())
	ok(t, err)
	want := []ledger.Difference{{Account: id, Text: "7 purchased credits were used of 0 bought"}}
	if diff := cmp.Diff(want, v.Overspent); diff != "" || len(v.Differences) > 0 {
		t.Errorf("owed (-want +got):\n%s%v", diff, v.Differences)
	}
	bought, err := b.node(0).TopUp(t.Context(), operator, ledger.PurchaseRequest{Account: id, Credits: 20, IdempotencyKey: "order"})
	ok(t, err)
	if bought.Left != 13 {
		t.Errorf("%d left of 20, want 13", bought.Left)
	}
}
