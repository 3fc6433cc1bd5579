package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// rollAll rolls up all closed hours before a time, a few rows at a time.
func rollAll(ctx context.Context, s store.Store, before time.Time) (moved int64, err error) {
	for {
		n, err := s.RollUp(ctx, before, 3)
		if moved += n; err != nil || n == 0 {
			return moved, err
		}
	}
}

// rollUp: a billed month must not change when its hours are rolled up, and an hour that a
// node may still flush must not be rolled up.
func rollUp(t *suite) {
	open, closed, young := slot("key_a", 1), slot("key_a", 2), slot("key_a", 24)
	refused := slot("key_a", 3)
	refused.Reason = toksta.ReasonRateLimited
	t.flush("e1", total(open, 1))
	t.ok(t.s.Flush(t.Context(), store.UsageBatch{Epoch: "e2", Close: true, Totals: []store.UsageTotal{
		total(closed, 2), total(slot("key_a", 5), 4), total(refused, 8), total(young, 16),
	}}))
	for range 2 {
		n, err := rollAll(t.Context(), t.s, today.Add(24*time.Hour))
		t.ok(err)
		if n != 3 && n != 0 {
			t.Fatalf("%d rows were rolled up, want three, once", n)
		}
	}
	for epoch, want := range map[string]bool{"e1": false, "e2": true, "never seen": false} {
		got, err := t.s.EpochClosed(t.Context(), epoch)
		t.ok(err)
		is(t, got, want)
	}
	day := store.UsageQuery{From: today, To: today.Add(48 * time.Hour)}
	is(t, t.usage(day), []store.UsageRow{
		total(slot("key_a", 0), 2+4), total(at(refused, 0), 8), total(open, 1), total(young, 16),
	})
	// The late node flushes, closes its epoch, and repeats that.
	last := store.UsageBatch{Epoch: "e1", Close: true, Totals: []store.UsageTotal{total(open, 32)}}
	for range 2 {
		t.ok(t.s.Flush(t.Context(), last))
		_, err := rollAll(t.Context(), t.s, today.Add(24*time.Hour))
		t.ok(err)
	}
	is(t, t.usage(day), []store.UsageRow{total(slot("key_a", 0), 2+4+32), total(at(refused, 0), 8), total(young, 16)})
}

// rollUpWaits: the export is by hours, so an hour must not be rolled up before it is
// staged.
func rollUpWaits(t *suite) {
	refused := slot("key_a", 3)
	refused.Reason = toksta.ReasonRateLimited
	t.ok(t.s.Flush(t.Context(), store.UsageBatch{Epoch: "e1", Close: true, Totals: []store.UsageTotal{
		total(slot("key_a", 1), 1), total(slot("key_a", 2), 2), total(slot("key_a", 3), 4), total(refused, 8),
	}}))
	t.exportFrom(today.Add(2 * time.Hour))
	roll := func(want int64) {
		t.Helper()
		n, err := rollAll(t.Context(), t.s, today.Add(24*time.Hour))
		t.ok(err)
		is(t, n, want)
	}
	roll(2) // the hour before the export, and rows that are never exported
	t.staged(today.Add(3 * time.Hour))
	roll(1)
	t.ok(t.s.SetExport(t.Context(), nil))
	roll(1)
	t.exportFrom(today)
	t.equalEvents(t.staged(today.Add(24*time.Hour)), total(slot("key_a", 2), 2)) // of before, no days
}

// drop: deleted days must disappear from reports, but used purchased credits must stay
// used.
func drop(t *suite) {
	t.ok(t.s.Flush(t.Context(), store.UsageBatch{Epoch: "e1", Close: true, Totals: []store.UsageTotal{
		total(slot("key_a", 1), 1), total(slot("key_b", 2), 2), total(slot("key_a", 25), 4),
	}}))
	t.flush("reservations", total(slot("key_a", 3), 8))
	_, err := rollAll(t.Context(), t.s, today.Add(48*time.Hour))
	t.ok(err)
	for _, want := range []int64{2, 0} {
		n, err := t.s.Drop(t.Context(), today.Add(24*time.Hour), 100)
		t.ok(err)
		is(t, n, want)
	}
	is(t, t.usage(store.UsageQuery{From: today, To: today.Add(48 * time.Hour)}), []store.UsageRow{
		total(slot("key_a", 3), 8), total(slot("key_a", 24), 4),
	})
	is(t, balance{t.s, "acct_a", today}.read(t), store.CreditUse{Cycle: total(slot("", 0), 8+4).Charge, PurchasedEver: 1 + 2 + 8 + 4})
}

// fataler has the method that a test and a property test share.
type fataler interface{ Fatal(args ...any) }

// balance reads the credit use of an account.
type balance struct {
	s       store.Store
	account toksta.AccountID
	cycle   time.Time
}

func (b balance) read(t fataler) (use store.CreditUse) {
	err := b.s.CreditUse(context.Background(), b.cycle, func(toksta.AccountID) time.Time { return b.cycle }, func(a toksta.AccountID, u store.CreditUse) {
		if a == b.account {
			use = u
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return use
}

// rollUpProperty: the kept days and the balances equal the counted calls for every order of
// flushes, repeats, late flushes and flushes of adopted journals, with hours rolled up and
// days dropped in between.
func rollUpProperty(t *suite) {
	run := 0
	rapid.Check(t.T, func(rt *rapid.T) {
		run++
		h := history{T: rt, s: t.s, name: fmt.Sprintf("%04d", run), epochs: map[string]*epoch{}, stored: map[string]map[store.UsageSlot]int64{}}
		rt.Repeat(map[string]func(*rapid.T){
			"count": h.count, "flush": h.flush, "repeat": h.repeat, "close": h.closeEpoch, "roll up": h.rollUp, "drop": h.drop, "": h.check,
		})
	})
}

// history is the usage of one account while it is flushed.
type history struct {
	*rapid.T
	s       store.Store
	name    string
	epochs  map[string]*epoch
	sent    []store.UsageBatch                   // for repeats
	stored  map[string]map[store.UsageSlot]int64 // flushed totals, by epoch
	dropped int64                                // first day that is kept
}

// epoch is the life of a node's journal.
type epoch struct {
	totals map[store.UsageSlot]int64
	sealed bool // no more totals
}

// owner returns the epoch prefix of one of two processes.
func (h *history) owner(n int) string {
	return fmt.Sprintf("%0*s", store.EpochOwnerLen, h.name+fmt.Sprint(n))
}

func (h *history) count(t *rapid.T) {
	name := h.owner(rapid.IntRange(0, 1).Draw(t, "owner")) + rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "epoch")
	if h.epochs[name] == nil {
		h.epochs[name] = &epoch{totals: map[store.UsageSlot]int64{}}
	}
	if h.epochs[name].sealed {
		t.Skip("sealed")
	}
	s := slot(rapid.SampledFrom([]toksta.KeyID{"key_a", "key_b"}).Draw(t, "key"), rapid.Int64Range(0, 4*24-1).Draw(t, "hour"))
	s.AccountID = toksta.AccountID("acct_" + h.name)
	h.epochs[name].totals[s] += rapid.Int64Range(1, 9).Draw(t, "calls")
}

// batch returns a batch with some or all totals of an epoch.
func (h *history) batch(t *rapid.T, all bool) store.UsageBatch {
	names := slices.Sorted(maps.Keys(h.epochs))
	if len(names) == 0 {
		t.Skip("nothing counted")
	}
	b := store.UsageBatch{Epoch: rapid.SampledFrom(names).Draw(t, "epoch")}
	for s, n := range h.epochs[b.Epoch].totals {
		if all || (s.Hour+n)%2 == 0 {
			b.Totals = append(b.Totals, total(s, n))
		}
	}
	return b
}

func (h *history) deliver(b store.UsageBatch) {
	if err := h.s.Flush(context.Background(), b); err != nil {
		h.Fatal(err)
	}
	if h.stored[b.Epoch] == nil {
		h.stored[b.Epoch] = map[store.UsageSlot]int64{}
	}
	for _, total := range b.Totals {
		h.stored[b.Epoch][total.UsageSlot] = max(h.stored[b.Epoch][total.UsageSlot], total.Calls)
	}
}

func (h *history) flush(t *rapid.T) {
	b := h.batch(t, false)
	h.sent = append(h.sent, b)
	h.deliver(b)
}

func (h *history) repeat(t *rapid.T) {
	if len(h.sent) == 0 {
		t.Skip("nothing sent")
	}
	h.deliver(rapid.SampledFrom(h.sent).Draw(t, "batch"))
}

// closeEpoch closes an epoch: by the last flush of its node, or by a process that adopted
// its journal, possibly after that last flush.
func (h *history) closeEpoch(t *rapid.T) {
	b := h.batch(t, true)
	h.epochs[b.Epoch].sealed = true
	h.sent = append(h.sent, b)
	h.deliver(b)
	h.deliver(store.UsageBatch{Epoch: b.Epoch, Close: true})
}

func (h *history) rollUp(t *rapid.T) {
	day := rapid.IntRange(0, 4).Draw(t, "days")
	if _, err := h.s.RollUp(context.Background(), today.AddDate(0, 0, day), rapid.IntRange(1, 9).Draw(t, "rows")); err != nil {
		t.Fatal(err)
	}
}

func (h *history) drop(t *rapid.T) {
	day := rapid.Int64Range(0, 4).Draw(t, "days")
	h.dropped = max(h.dropped, midnight+24*day)
	if _, err := h.s.Drop(context.Background(), today.AddDate(0, 0, int(day)), rapid.IntRange(1, 9).Draw(t, "rows")); err != nil {
		t.Fatal(err)
	}
}

func (h *history) check(t *rapid.T) {
	want := map[store.UsageSlot]int64{}
	ever, account := int64(0), toksta.AccountID("acct_"+h.name)
	kept, others := int64(0), store.CreditUse{}
	for epoch, totals := range h.stored {
		for s, n := range totals {
			ever += n
			current := s.Hour >= h.dropped
			if !current || !strings.HasPrefix(epoch, h.owner(0)) {
				others.PurchasedEver += n
				if current {
					others.Cycle = others.Cycle.Plus(total(s, n).Charge)
				}
			}
			if s.Hour >= h.dropped {
				s.Hour -= s.Hour % 24
				want[s] += n
				kept += n
			}
		}
	}
	from := time.Unix(3600*max(h.dropped, midnight), 0)
	rows, err := h.s.ListUsage(context.Background(), store.UsageQuery{Account: account, From: from, To: today.AddDate(0, 0, 5), GroupDay: true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[store.UsageSlot]int64{}
	for _, row := range rows {
		if row.Charge != total(row.UsageSlot, row.Calls).Charge {
			t.Fatalf("%+v: the parts of a charge fell apart", row)
		}
		got[row.UsageSlot] = row.Calls
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("days -want +got\n%s", d)
	}
	use := store.CreditUse{Cycle: total(store.UsageSlot{}, kept).Charge, PurchasedEver: ever}
	if d := cmp.Diff(use, balance{h.s, account, from}.read(t)); d != "" {
		t.Fatalf("credits -want +got\n%s", d)
	}
	by, err := h.s.ChargesBy(context.Background(), h.owner(0), []store.ChargeSpan{{Account: account, Cycle: from, From: time.Unix(0, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]store.Charged{{CreditUse: others}}, by); d != "" {
		t.Fatalf("charges of others -want +got\n%s", d)
	}
}

// rollUpRaces: nodes flush, close and repeat while two others roll up.
func rollUpRaces(t *suite) {
	const epochs, hours = 20, 30
	var want int64
	for e := range epochs {
		for h := range hours {
			want += int64(1 + (e+h)%5)
		}
	}
	concurrently(3*epochs, func(i int) {
		e := i % epochs
		for h := range hours {
			b := store.UsageBatch{Epoch: numbered("e", e), Totals: []store.UsageTotal{total(slot("key_a", int64(h)), int64(1+(e+h)%5))}, Close: h == hours-1 && i < epochs}
			if i < epochs {
				b.Totals = append(b.Totals, total(slot("key_b", int64(h)), 1))
			}
			if err := t.s.Flush(t.Context(), b); err != nil {
				t.Error(err)
			}
			if i%(2*epochs) == 0 {
				// Of two concurrent roll-ups one can fail.
				_, _ = t.s.RollUp(t.Context(), today.AddDate(0, 0, 2), 50)
			}
		}
	})
	_, err := rollAll(t.Context(), t.s, today.AddDate(0, 0, 2))
	t.ok(err)
	rows := t.usage(store.UsageQuery{From: today, To: today.AddDate(0, 0, 2)})
	for _, r := range rows {
		if r.KeyID == "key_a" {
			want -= r.Calls
		}
	}
	if want != 0 || len(rows) != 4 { // two keys, two days
		t.Errorf("%d calls are missing, in %d rows", want, len(rows))
	}
}

// workClaims: two nodes must not do the same work continually, and the claim of a killed
// node must end.
func workClaims(t *suite) {
	claim := func(holder string, d time.Duration) bool {
		at, err := t.s.Claim(t.Context(), store.Claim{Name: "work", Holder: holder, For: d})
		t.ok(err)
		if skew := time.Since(at).Abs(); !at.IsZero() && skew > time.Minute {
			t.Errorf("claimed at %s", at)
		}
		return !at.IsZero()
	}
	is(t, []bool{claim("a", time.Hour), claim("b", time.Hour), claim("a", 0), claim("b", time.Hour), claim("a", time.Hour)},
		[]bool{true, false, true, true, false})
}
