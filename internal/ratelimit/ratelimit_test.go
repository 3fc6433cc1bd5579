package ratelimit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/sdk/toksta"
)

var minute = time.Unix(1_800_000_000, 0) // the first second of a window

// Guarantee: concurrent calls are admitted exactly up to the limit. One more would exceed the plan;
// one less would reject a paid call. The limit of a key applies within the limit of the account.
func TestExactlyTheLimitIsAdmitted(t *testing.T) {
	t.Parallel()
	const limit, keyLimit, callers, each = 1000, 70, 100, 40
	l := New()
	var all, narrow atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range each {
				w := Window{Account: "acct_1", AccountLimit: limit, Key: "key_wide"}
				count := &all
				if i%2 == 0 {
					w.Key, w.KeyLimit = "key_narrow", keyLimit
					count = &narrow
				}
				if _, ok := l.Take(w, minute.Add(time.Duration(i)*time.Millisecond)); ok {
					count.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := narrow.Load(); n != keyLimit {
		t.Errorf("the narrow key was admitted %d calls, want %d", n, keyLimit)
	}
	if n := all.Load() + narrow.Load(); n != limit {
		t.Errorf("the account was admitted %d calls, want %d", n, limit)
	}
}

// Guarantee: the header fields show the window with fewer calls left, and a rejected call uses no
// call of the other window.
func TestTwoWindows(t *testing.T) {
	t.Parallel()
	l, end := New(), minute.Unix()+60
	take := func(account, key int) toksta.RateState {
		s, ok := l.Take(Window{Account: "acct_1", AccountLimit: account, Key: "key_1", KeyLimit: key}, minute.Add(59*time.Second))
		if !ok {
			s.Limit = -s.Limit // marks a rejection
		}
		return s.RateState
	}
	for i, step := range []struct {
		account, key int
		want         toksta.RateState
	}{
		{5, 0, toksta.RateState{Limit: 5, Remaining: 4, Reset: end}},
		{5, 3, toksta.RateState{Limit: 3, Remaining: 1, Reset: end, Key: true}}, // a new limit includes earlier calls
		{5, 3, toksta.RateState{Limit: 3, Remaining: 0, Reset: end, Key: true}},
		{5, 3, toksta.RateState{Limit: -3, Remaining: 0, Reset: end, Key: true}},
		{5, 9, toksta.RateState{Limit: 5, Remaining: 1, Reset: end}}, // the rejection used no call
		{5, 9, toksta.RateState{Limit: 5, Remaining: 0, Reset: end}},
		{5, 9, toksta.RateState{Limit: -5, Remaining: 0, Reset: end}},
		{7, 6, toksta.RateState{Limit: 6, Remaining: 0, Reset: end, Key: true}}, // a raised limit applies at once; of equal windows the lower limit
		{3, 0, toksta.RateState{Limit: -3, Remaining: 0, Reset: end}},
		{0, 0, toksta.RateState{Limit: 0, Remaining: 0, Reset: end}},
	} {
		if diff := cmp.Diff(step.want, take(step.account, step.key)); diff != "" {
			t.Errorf("call %d (-want +got):\n%s", i, diff)
		}
	}
}

// Guarantee: a clock that is set back gives no second window, and blocks no caller until it catches
// up.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	l := New()
	take := func(now time.Time) bool {
		_, ok := l.Take(Window{Account: "acct_1", AccountLimit: 1}, now)
		return ok
	}
	for _, step := range []struct {
		name string
		now  time.Time
		want bool
	}{
		{"first", minute, true},
		{"again", minute.Add(59 * time.Second), false},
		{"time just before the minute", minute.Add(-time.Millisecond), false},
		{"an hour back", minute.Add(-time.Hour), false},
		{"the minute after that", minute.Add(-time.Hour + time.Minute), true},
		{"back in the old minute", minute, true},
		{"the next", minute.Add(time.Minute), true},
	} {
		if got := take(step.now); got != step.want {
			t.Errorf("%s: admitted %v, want %v", step.name, got, step.want)
		}
	}
}

// Guarantee: for any mix of accounts, keys, limits, weights and times, Take agrees with a plain list
// of admitted calls: a call is admitted if every window has room for it, and a rejected call uses
// no window.
func TestTakeAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, now := New(), minute
		var m model
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, 0, 0, 0, time.Second, time.Minute, 20 * time.Minute, 7 * time.Hour}).Draw(t, "later"))
			owner := rapid.IntRange(0, 2).Draw(t, "owner")
			w := Window{
				Account: toksta.AccountID(fmt.Sprintf("acct_%d", owner)), AccountLimit: rapid.IntRange(1, 6).Draw(t, "limit"),
				Key:       toksta.KeyID(fmt.Sprintf("key_%d%d", owner, rapid.IntRange(0, 1).Draw(t, "key"))),
				KeyLimit:  rapid.IntRange(0, 3).Draw(t, "key limit"),
				HourLimit: 9, DayLimit: 14 * owner, Weight: rapid.SampledFrom([]int{0, 1, 1, 2, 5}).Draw(t, "weight"),
			}
			want, ok := m.take(w, now)
			got, admitted := l.Take(w, now)
			if diff := cmp.Diff(want, got); diff != "" || admitted != ok {
				t.Fatalf("%+v at %s: admitted %v, want %v (-want +got):\n%s", w, now, admitted, ok, diff)
			}
		}
	})
}

// model is a list of admitted calls.
type model []admittedCall

// admittedCall is one call in the model.
type admittedCall struct {
	account toksta.AccountID
	key     toksta.KeyID
	at      int64
	weight  int
}

// take is the specification of Limiter.Take.
func (m *model) take(w Window, now time.Time) (Result, bool) {
	weight, at, admitted := max(w.Weight, 1), now.Unix(), true
	var r Result
	for i, c := range []struct {
		limit   int
		seconds int64
		window  toksta.RateWindow
	}{{w.AccountLimit, 60, toksta.WindowMinute}, {w.KeyLimit, 60, toksta.WindowMinute}, {w.HourLimit, 3600, toksta.WindowHour}, {w.DayLimit, 86400, toksta.WindowDay}} {
		if c.limit == 0 {
			continue
		}
		left := c.limit
		for _, call := range *m {
			if call.account == w.Account && call.at/c.seconds == at/c.seconds && (i != 1 || call.key == w.Key) {
				left -= call.weight
			}
		}
		left = max(left, 0)
		admitted = admitted && left >= weight
		r.States[i] = toksta.RateState{Limit: c.limit, Remaining: left, Reset: at - at%c.seconds + c.seconds, Key: i == 1, Window: c.window}
	}
	if admitted {
		*m = append(*m, admittedCall{w.Account, w.Key, at, weight})
	}
	for i, s := range r.States {
		switch {
		case s.Limit == 0:
			continue
		case admitted:
			r.States[i].Remaining -= weight
			s = r.States[i]
		case s.Remaining >= weight:
			continue
		}
		// The latest end of the windows that reject, otherwise the fewest calls left.
		best := r.RateState
		later, fewer := s.Reset > best.Reset, s.Remaining < best.Remaining
		tie := s.Remaining == best.Remaining && (later || s.Reset == best.Reset && s.Limit < best.Limit)
		if best.Limit == 0 || admitted && (fewer || tie) || !admitted && (later || s.Reset == best.Reset && (fewer || tie)) {
			r.RateState = s
		}
	}
	return r, admitted
}

// Guarantee: a call that an hour or a day rejects uses no call of the minute, and the state is that
// of the window for which the caller must wait longest.
func TestLongWindows(t *testing.T) {
	t.Parallel()
	l := New()
	w := Window{Account: "acct_1", AccountLimit: 4, HourLimit: 6, DayLimit: 8}
	day := minute.Unix() - minute.Unix()%86400
	now := time.Unix(day+3600, 0)
	for i, step := range []struct {
		later  time.Duration
		weight int
		want   toksta.RateState
		ok     bool
	}{
		{0, 3, toksta.RateState{Limit: 4, Remaining: 1, Reset: day + 3660}, true},
		{0, 2, toksta.RateState{Limit: 4, Remaining: 1, Reset: day + 3660}, false},
		{0, 1, toksta.RateState{Limit: 4, Remaining: 0, Reset: day + 3660}, true},
		{time.Minute, 3, toksta.RateState{Limit: 6, Remaining: 2, Reset: day + 7200, Window: toksta.WindowHour}, false},
		{0, 2, toksta.RateState{Limit: 6, Remaining: 0, Reset: day + 7200, Window: toksta.WindowHour}, true},
		{0, 2, toksta.RateState{Limit: 6, Remaining: 0, Reset: day + 7200, Window: toksta.WindowHour}, false}, // the minute and the day have room
		{0, 3, toksta.RateState{Limit: 8, Remaining: 2, Reset: day + 86400, Window: toksta.WindowDay}, false}, // all three reject
		{time.Hour, 2, toksta.RateState{Limit: 8, Remaining: 0, Reset: day + 86400, Window: toksta.WindowDay}, true},
		{0, 1, toksta.RateState{Limit: 8, Remaining: 0, Reset: day + 86400, Window: toksta.WindowDay}, false},
		{24 * time.Hour, 4, toksta.RateState{Limit: 4, Remaining: 0, Reset: day + 86400 + 7200 + 60 + 60}, true},
	} {
		now, w.Weight = now.Add(step.later), step.weight
		got, ok := l.Take(w, now)
		if diff := cmp.Diff(step.want, got.RateState); diff != "" || ok != step.ok {
			t.Errorf("call %d: admitted %v, want %v (-want +got):\n%s", i, ok, step.ok, diff)
		}
	}
}

// Guarantee: accounts without a limit by the hour or day take no memory for these windows.
func TestUnlimitedWindowsTakeNoMemory(t *testing.T) {
	t.Parallel()
	l := New()
	l.Take(Window{Account: "acct_1", AccountLimit: 1, Key: "key_1"}, minute)
	l.Take(Window{Account: "acct_2", AccountLimit: 1, Key: "key_2", DayLimit: 1}, minute)
	counted := [3]int{}
	for i := range l.shards {
		for j := range counted {
			counted[j] += len(l.shards[i].lengths[j].calls)
		}
	}
	if counted != [3]int{4, 0, 1} {
		t.Errorf("%v windows are counted by minute, hour and day, want 4, 0 and 1", counted)
	}
}

// Guarantee: Take allocates no memory, also for the first call of a window.
func TestTakeAllocatesNothing(t *testing.T) {
	l, now := New(), minute
	w := Window{Account: "acct_1", AccountLimit: 1 << 30, Key: "key_1", KeyLimit: 1 << 30, HourLimit: 1 << 30, DayLimit: 1 << 30, Weight: 3}
	if n := testing.AllocsPerRun(200, func() {
		l.Take(w, now)
		now = now.Add(20 * time.Minute)
	}); n != 0 {
		t.Errorf("a call makes %v allocations", n)
	}
}

// Guarantee: the memory of a busy minute is freed.
func TestQuietMinutesFreeMemory(t *testing.T) {
	t.Parallel()
	l, now := New(), minute
	for i := range 64 * minShrink * 2 {
		l.Take(Window{Account: toksta.AccountID(fmt.Sprint(i)), AccountLimit: 1}, now)
	}
	for range 2 {
		now = now.Add(time.Minute)
		for i := range 64 * 20 {
			l.Take(Window{Account: toksta.AccountID(fmt.Sprint(i)), AccountLimit: 1}, now)
		}
	}
	for i := range l.shards {
		if s := &l.shards[i].lengths[toksta.WindowMinute]; s.peak >= minShrink {
			t.Errorf("shard %d keeps memory for %d windows", i, s.peak)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	for name, w := range map[string]Window{
		"minute":      {Account: "acct_1", AccountLimit: 60, Key: "key_1", KeyLimit: 30},
		"all windows": {Account: "acct_1", AccountLimit: 60, Key: "key_1", KeyLimit: 30, HourLimit: 1000, DayLimit: 10_000},
	} {
		b.Run(name, func(b *testing.B) {
			l := New()
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					l.Take(w, minute)
				}
			})
		})
	}
}
