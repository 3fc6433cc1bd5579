package credits_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// oracle computes an account by the contract in the simplest way: one credit at a
// time.
type oracle struct {
	now     time.Time
	cap     int64
	bought  int64
	jobs    []*store.Reservation
	charges []store.UsageTotal // of ordinary calls
}

// sums returns the charged and held credits of the current cycle.
func (o *oracle) sums() (use store.CreditUse) {
	cycle, _ := toksta.Cycle(time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), o.now)
	put := func(sum *toksta.Charge, hour int64, c toksta.Charge) {
		if hour < cycle.Unix()/3600 {
			c = toksta.Charge{Credits: c.Purchased, Purchased: c.Purchased}
		}
		*sum = sum.Plus(c)
	}
	var charged toksta.Charge
	for _, r := range o.jobs {
		put(&charged, r.Slot.Hour, r.Charged)
		if r.State == store.ReservationOpen && r.ExpiresAt.After(o.now) {
			put(&use.Reserved, r.Slot.Hour, r.Split)
		}
	}
	for _, c := range o.charges {
		put(&charged, c.Hour, c.Charge)
	}
	use.PurchasedEver = charged.Purchased
	for _, r := range o.jobs {
		if r.Slot.Hour < cycle.Unix()/3600 {
			charged = charged.Minus(toksta.Charge{Credits: r.Charged.Purchased, Purchased: r.Charged.Purchased})
		}
	}
	for _, c := range o.charges {
		if c.Hour < cycle.Unix()/3600 {
			charged = charged.Minus(toksta.Charge{Credits: c.Charge.Purchased, Purchased: c.Charge.Purchased})
		}
	}
	use.Cycle = charged
	return use
}

// pay returns the charge of n credits, and false if too few are left.
func (o *oracle) pay(n int64) (c toksta.Charge, enough bool) {
	use := o.sums()
	for range n {
		used := use.Cycle.Plus(use.Reserved).Plus(c)
		switch {
		case used.Included() < 10:
		case use.PurchasedEver+use.Reserved.Purchased+c.Purchased < o.bought:
			c.Purchased++
		case used.OverageMicros+100 <= o.cap:
			c.Overage, c.OverageMicros = c.Overage+1, c.OverageMicros+100
		default:
			return c, false
		}
		c.Credits++
	}
	return c, true
}

// wrote expires the overdue reservations, as every committed decision does.
func (o *oracle) wrote() {
	for _, r := range o.jobs {
		if r.State == store.ReservationOpen && !r.ExpiresAt.After(o.now) {
			r.State = store.ReservationExpired
		}
	}
}

// Guarantee: after any sequence of requests, on any node, with turns of the cycle
// and a clock that steps back, every balance follows the contract credit by
// credit, and Verify finds no difference.
func anyOrder(t *testing.T, open opener) {
	b := open(t, 3)
	rapid.Check(t, func(t *rapid.T) {
		o := &oracle{now: start, cap: 500, bought: 5}
		b.now(start)
		id := b.account(t, "SCALE", toksta.Entitlements{OverageCapMicros: o.cap})
		w := &run{books: b, oracle: o, id: id}
		w.bought(t, 5)
		t.Repeat(map[string]func(*rapid.T){
			"": w.compare, "reserve": w.reserve, "settle": w.settle, "refund": w.refund, "expire": w.expire,
			"wait": w.wait, "reset": w.reset, "clock back": w.back, "top up": w.topUp, "adjust": w.adjust, "call": w.call, "repeat": w.repeat,
		})
	})
	b.sound(t)
}

// run is one run of the property: the books beside the oracle.
type run struct {
	*books
	*oracle
	id      toksta.AccountID
	repeats []func(t *rapid.T) // all requests so far
}

func (w *run) any(t *rapid.T) *credits.Service {
	return w.node(rapid.IntRange(0, len(w.nodes)-1).Draw(t, "node"))
}

func (w *run) job(t *rapid.T) *store.Reservation {
	if len(w.jobs) == 0 {
		t.Skip("no jobs")
	}
	newest := len(w.jobs) - 1
	return w.jobs[rapid.IntRange(max(newest-2, 0), newest).Draw(t, "job")]
}

func (w *run) compare(t *rapid.T) {
	state, err := w.stores[0].CreditState(context.Background(), store.CreditQuery{Account: w.id})
	ok(t, err)
	if diff := cmp.Diff(w.sums(), state.Use.CreditUse); diff != "" {
		t.Fatalf("-oracle +books\n%s", diff)
	}
	if state.Account.Entitlements.PurchasedCredits != w.oracle.bought {
		t.Fatalf("%d bought, want %d", state.Account.Entitlements.PurchasedCredits, w.oracle.bought)
	}
}

func (w *run) reserve(t *rapid.T) {
	r := w.reserving(w.id, rapid.Int64Range(1, 14).Draw(t, "credits"))
	r.Lifetime = time.Duration(rapid.IntRange(1, 60).Draw(t, "hours")) * time.Hour
	split, enough := w.pay(r.Credits)
	out, err := w.any(t).Reserve(context.Background(), operator, r)
	if !enough {
		if toksta.ErrorCode(err) != toksta.CodeInsufficientCredits {
			t.Fatalf("%d credits of too few: %v", r.Credits, err)
		}
		return
	}
	ok(t, err)
	if diff := cmp.Diff(split, out.Reservation.Split); diff != "" {
		t.Fatalf("-oracle +split\n%s", diff)
	}
	w.wrote()
	job := out.Reservation
	w.jobs = append(w.jobs, &job)
	w.again(out, func(t *rapid.T) (credits.Outcome, error) { return w.any(t).Reserve(context.Background(), operator, r) })
}

// again adds a request that was carried out to the repeats.
func (w *run) again(first credits.Outcome, request func(*rapid.T) (credits.Outcome, error)) {
	w.repeats = append(w.repeats, func(t *rapid.T) {
		out, err := request(t)
		ok(t, err)
		if diff := cmp.Diff(first, out, cmpopts.IgnoreFields(first, "IsClosed")); diff != "" {
			t.Fatalf("-first +repeat\n%s", diff)
		}
	})
}

func (w *run) settle(t *rapid.T) {
	job := w.job(t)
	r := w.closing(*job, rapid.Int64Range(0, job.Split.Credits).Draw(t, "credits"))
	settle := func(t *rapid.T) (credits.Outcome, error) { return w.any(t).Settle(context.Background(), operator, r) }
	out, err := settle(t)
	if job.State != store.ReservationOpen || !job.ExpiresAt.After(w.oracle.now) {
		w.late(t, err)
		return
	}
	ok(t, err)
	job.State, job.Charged = store.ReservationSettled, firstOf(job.Split, r.Credits)
	w.closed(t, job, out)
	w.again(out, settle)
}

func (w *run) refund(t *rapid.T) {
	job := w.job(t)
	r := w.closing(*job, rapid.Int64Range(0, job.Charged.Credits).Draw(t, "credits"))
	refund := func(t *rapid.T) (credits.Outcome, error) { return w.any(t).Refund(context.Background(), operator, r) }
	out, err := refund(t)
	switch {
	case job.State == store.ReservationOpen && job.ExpiresAt.After(w.oracle.now):
		job.State = store.ReservationRefunded
	case job.State == store.ReservationSettled && job.Charged.Credits > 0:
		back := r.Credits
		if back == 0 {
			back = job.Charged.Credits
		}
		if job.Charged = firstOf(job.Charged, job.Charged.Credits-back); job.Charged.Credits == 0 {
			job.State = store.ReservationRefunded
		}
	default:
		w.late(t, err)
		return
	}
	ok(t, err)
	w.closed(t, job, out)
	w.again(out, refund)
}

// firstOf returns the first n credits of c in the order of payment.
func firstOf(c toksta.Charge, n int64) (kept toksta.Charge) {
	for range n {
		kept.Credits++
		switch {
		case kept.Included() <= c.Included():
		case kept.Purchased < c.Purchased:
			kept.Purchased++
		default:
			kept.Overage, kept.OverageMicros = kept.Overage+1, kept.OverageMicros+100
		}
	}
	return kept
}

func (w *run) late(t *rapid.T, err error) {
	if !errors.Is(err, &toksta.Error{Code: toksta.CodeConflict, Reason: toksta.ReasonReservationClosed}) {
		t.Fatalf("a request about a closed reservation: %v", err)
	}
}

func (w *run) closed(t *rapid.T, job *store.Reservation, out credits.Outcome) {
	w.wrote()
	if diff := cmp.Diff(*job, out.Reservation); diff != "" {
		t.Fatalf("-oracle +reservation\n%s", diff)
	}
}

func (w *run) expire(t *rapid.T) {
	_, err := w.any(t).Expire(context.Background())
	ok(t, err)
	w.wrote()
}

func (w *run) wait(t *rapid.T) {
	w.move(time.Duration(rapid.IntRange(1, 20).Draw(t, "hours")) * time.Hour)
}

// reset moves the clock to the next cycle, or to an hour before it.
func (w *run) reset(t *rapid.T) {
	_, turn := toksta.Cycle(time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), w.oracle.now)
	if turn.Sub(w.oracle.now) > time.Hour && rapid.Bool().Draw(t, "almost") {
		turn = turn.Add(-time.Hour)
	}
	w.move(turn.Sub(w.oracle.now))
}

// back sets the clock back within the cycle: nodes do not return to an earlier
// one.
func (w *run) back(t *rapid.T) {
	anchor := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	start, _ := toksta.Cycle(anchor, w.oracle.now)
	if w.oracle.now.Add(-time.Hour).Before(start) {
		t.Skip("the cycle has just begun")
	}
	w.move(-time.Hour)
}

func (w *run) move(d time.Duration) {
	w.oracle.now = w.oracle.now.Add(d)
	w.books.now(w.oracle.now)
}

func (w *run) topUp(t *rapid.T) { w.bought(t, rapid.Int64Range(1, 9).Draw(t, "credits")) }

func (w *run) bought(t *rapid.T, n int64) {
	r := credits.PurchaseRequest{Account: w.id, Credits: n, IdempotencyKey: fmt.Sprint("order ", w.number.Add(1))}
	first, err := w.node(0).TopUp(context.Background(), operator, r)
	ok(t, err)
	if w.repeats != nil {
		w.oracle.bought += n
	}
	w.repeats = append(w.repeats, func(t *rapid.T) {
		again, err := w.any(t).TopUp(context.Background(), operator, r)
		ok(t, err)
		if diff := cmp.Diff(first, again, cmpopts.IgnoreFields(first, "Purchased", "Left")); diff != "" {
			t.Fatalf("-first +repeat\n%s", diff)
		}
	})
}

func (w *run) adjust(t *rapid.T) {
	n := rapid.Int64Range(1, 9).Draw(t, "credits")
	r := credits.PurchaseRequest{Account: w.id, Credits: -n, Reason: "returned", IdempotencyKey: fmt.Sprint("order ", w.number.Add(1))}
	use, overdue := w.sums(), int64(0)
	for _, job := range w.jobs {
		if job.State == store.ReservationOpen && !job.ExpiresAt.After(w.oracle.now) {
			overdue += job.Split.Purchased
		}
	}
	_, err := w.any(t).Adjust(context.Background(), operator, r)
	if n > w.oracle.bought-use.PurchasedEver-use.Reserved.Purchased-overdue {
		if toksta.ErrorCode(err) != toksta.CodeValidation {
			t.Fatalf("%d credits were taken away: %v", n, err)
		}
		return
	}
	ok(t, err)
	w.oracle.bought -= n
}

// call flushes an ordinary call, as the meter of a node does.
func (w *run) call(t *rapid.T) {
	c, enough := w.pay(rapid.Int64Range(1, 4).Draw(t, "credits"))
	if !enough {
		t.Skip("rejected with 402")
	}
	total := store.UsageTotal{Calls: 1, Charge: c, UsageSlot: store.UsageSlot{
		AccountID: w.id, Family: "data", CostKey: fmt.Sprint("call ", w.number.Add(1)), Hour: w.oracle.now.Unix() / 3600,
	}}
	ok(t, w.stores[0].Flush(context.Background(), store.UsageBatch{Epoch: "node", Totals: []store.UsageTotal{total}}))
	w.charges = append(w.charges, total)
}

func (w *run) repeat(t *rapid.T) {
	w.repeats[rapid.IntRange(0, len(w.repeats)-1).Draw(t, "request")](t)
}

// Guarantee: with concurrent requests on every node about one account, no entry
// takes more credits than there are, each idempotency key is used once, and
// Verify finds no difference.
func allAtOnce(t *testing.T, open opener) {
	b := open(t, 4)
	id := b.account(t, "SCALE", toksta.Entitlements{OverageCapMicros: 500})
	var mu sync.Mutex
	var jobs []store.Reservation
	at := start
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range 60 {
				mu.Lock()
				var job store.Reservation
				if len(jobs) > 0 {
					job = jobs[random.IntN(len(jobs))]
				}
				mu.Unlock()
				node, key := b.node(i), fmt.Sprint("key ", random.IntN(200))
				closing := credits.CloseRequest{Account: id, Reservation: job.ID, Credits: random.Int64N(4), IdempotencyKey: key}
				var out credits.Outcome
				var err error
				switch random.IntN(12) {
				case 0:
					_, err = node.TopUp(t.Context(), operator, credits.PurchaseRequest{Account: id, Credits: 3, IdempotencyKey: key})
				case 1:
					_, err = node.Adjust(t.Context(), operator, credits.PurchaseRequest{Account: id, Credits: -2, Reason: "back", IdempotencyKey: key})
				case 2:
					_, err = node.Expire(t.Context())
				case 3:
					mu.Lock()
					at = at.Add(time.Duration(random.IntN(30)-2) * time.Hour)
					b.now(at)
					mu.Unlock()
				case 4, 5, 6:
					out, err = node.Settle(t.Context(), operator, closing)
				case 7, 8:
					out, err = node.Refund(t.Context(), operator, closing)
				default:
					r := b.reserving(id, 1+random.Int64N(6))
					r.IdempotencyKey, r.Lifetime = key, time.Duration(1+random.IntN(40))*time.Hour
					out, err = node.Reserve(t.Context(), operator, r)
				}
				if code := toksta.ErrorCode(err); code == toksta.CodeInternal {
					t.Error(err)
				}
				if err == nil && out.Entry.Kind == store.CreditReserve {
					mu.Lock()
					jobs = append(jobs, out.Reservation)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	b.sound(t)
	b.everEnough(t, id)
}

// everEnough fails if the credits of a cycle, or the purchased ones, are below
// zero after an entry.
func (b *books) everEnough(t *testing.T, id toksta.AccountID) {
	t.Helper()
	var book store.CreditBook
	ok(t, b.stores[0].CreditBooks(t.Context(), func(found store.CreditBook) {
		if found.AccountID == id {
			book = found
		}
	}))
	cycle := map[toksta.ReservationID]time.Time{}
	for _, r := range book.Reservations {
		cycle[r.ID], _ = toksta.Cycle(time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), time.Unix(r.Slot.Hour*3600, 0))
	}
	keys, kinds := map[string]bool{}, map[store.CreditKind]int{}
	spent, left := map[time.Time]toksta.Charge{}, int64(0)
	for _, e := range book.Entries {
		kinds[e.Kind]++
		if e.IdempotencyKey != "" && keys[e.IdempotencyKey] {
			t.Errorf("the key %q was used twice", e.IdempotencyKey)
		}
		keys[e.IdempotencyKey] = true
		left += e.Delta.Purchased
		if e.ReservationID == "" {
			continue
		}
		c := spent[cycle[e.ReservationID]].Minus(e.Delta)
		spent[cycle[e.ReservationID]] = c
		if left < 0 || c.Included() < 0 || c.Included() > 10 || c.Overage < 0 || c.OverageMicros > 500 {
			t.Errorf("after entry %d: %d purchased left, %+v taken of the cycle %s", e.Number, left, c, cycle[e.ReservationID])
		}
	}
	for _, kind := range []store.CreditKind{store.CreditPurchase, store.CreditReserve, store.CreditSettle, store.CreditRefund, store.CreditExpire} {
		if kinds[kind] == 0 {
			t.Errorf("no entry of kind %s: nothing was tested", kind)
		}
	}
}
