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
		s, ok := l.Take(Window{"acct_1", account, "key_1", key}, minute.Add(59*time.Second))
		if !ok {
			s.Limit = -s.Limit // marks a rejection
		}
		return s
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

// Guarantee: for any mix of accounts, keys, limits and minutes, Take agrees with a plain list of
// admitted calls.
func TestTakeAgainstModel(t *testing.T) {
	t.Parallel()
	type call struct {
		account toksta.AccountID
		key     toksta.KeyID
		minute  int
	}
	rapid.Check(t, func(t *rapid.T) {
		l, at := New(), 0
		var admitted []call
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			at += rapid.SampledFrom([]int{0, 0, 0, 0, 1}).Draw(t, "minutes")
			owner := rapid.IntRange(0, 2).Draw(t, "owner")
			w := Window{
				Account: toksta.AccountID(fmt.Sprintf("acct_%d", owner)), AccountLimit: rapid.IntRange(1, 6).Draw(t, "limit"),
				Key: toksta.KeyID(fmt.Sprintf("key_%d%d", owner, rapid.IntRange(0, 1).Draw(t, "key"))), KeyLimit: rapid.IntRange(0, 3).Draw(t, "key limit"),
			}
			byAccount, byKey := 0, 0
			for _, c := range admitted {
				if c.minute == at && c.account == w.Account {
					byAccount++
					if c.key == w.Key {
						byKey++
					}
				}
			}
			want := byAccount < w.AccountLimit && (w.KeyLimit == 0 || byKey < w.KeyLimit)
			s, ok := l.Take(w, minute.Add(time.Duration(at)*time.Minute))
			if ok != want {
				t.Fatalf("%+v after %d and %d calls: admitted %v", w, byAccount, byKey, ok)
			}
			if ok {
				admitted = append(admitted, call{w.Account, w.Key, at})
				left := w.AccountLimit - byAccount - 1
				if w.KeyLimit > 0 {
					left = min(left, w.KeyLimit-byKey-1)
				}
				if s.Remaining != left {
					t.Fatalf("%+v has %d left, want %d", w, s.Remaining, left)
				}
			}
		}
	})
}

// Guarantee: Take allocates no memory, also for the first call of a minute.
func TestTakeAllocatesNothing(t *testing.T) {
	l, now := New(), minute
	w := Window{"acct_1", 1 << 30, "key_1", 1 << 30}
	if n := testing.AllocsPerRun(200, func() {
		l.Take(w, now)
		now = now.Add(20 * time.Second)
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
		if s := &l.shards[i]; s.peak >= minShrink {
			t.Errorf("shard %d keeps memory for %d windows", i, s.peak)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	l := New()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			l.Take(Window{"acct_1", 60, "key_1", 30}, minute)
		}
	})
}
