package ratelimit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: never more calls of an account than its limit are in flight, an ended call makes room
// for another, and no account uses the room of another.
func TestConcurrencyAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, flying := NewConcurrency(), map[toksta.AccountID]int{}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			account := toksta.AccountID(fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "account")))
			if flying[account] > 0 && rapid.Bool().Draw(t, "end") {
				c.End(account)
				flying[account]--
				continue
			}
			limit := rapid.IntRange(0, 3).Draw(t, "limit")
			if got := c.Begin(account, limit); got != (flying[account] < limit) {
				t.Fatalf("limit %d with %d in flight: %v", limit, flying[account], got)
			} else if got {
				flying[account]++
			}
			if n := c.Calls(account); n != flying[account] {
				t.Fatalf("%d calls in flight, want %d", n, flying[account])
			}
		}
	})
}

// Guarantee: concurrent callers never exceed the limit, and no entry remains once all calls have
// ended.
func TestConcurrencyIsExact(t *testing.T) {
	t.Parallel()
	const limit = 7
	c := NewConcurrency()
	var flying, begun atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 500 {
				if !c.Begin("acct_1", limit) {
					continue
				}
				begun.Add(1)
				if n := flying.Add(1); n > limit {
					t.Errorf("%d calls in flight, want at most %d", n, limit)
				}
				flying.Add(-1)
				c.End("acct_1")
			}
		})
	}
	wg.Wait()
	for i := range c.shards {
		if n := len(c.shards[i].calls); n != 0 {
			t.Errorf("shard %d has %d entries without calls", i, n)
		}
	}
	if begun.Load() == 0 {
		t.Error("no call began")
	}
}
