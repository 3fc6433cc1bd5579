package ratelimit

import (
	"hash/maphash"
	"sync"

	"github.com/toksta/toksta/sdk/toksta"
)

// Concurrency counts the calls of accounts that are in flight on this node. It keeps an entry only
// for an account with such calls. It is safe for concurrent use.
type Concurrency struct {
	seed   maphash.Seed
	shards [64]inFlight
}

// inFlight has the counts of some accounts.
type inFlight struct {
	mu    sync.Mutex
	calls map[toksta.AccountID]int
}

// NewConcurrency returns a Concurrency without calls.
func NewConcurrency() *Concurrency {
	c := &Concurrency{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].calls = make(map[toksta.AccountID]int)
	}
	return c
}

// Begin counts a call of the account and returns true if fewer calls than limit are in flight. The
// caller must call End when the call has ended. If Begin returns false, the call is not counted.
func (c *Concurrency) Begin(account toksta.AccountID, limit int) bool {
	s := c.shard(account)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.calls[account]
	if n >= limit {
		return false
	}
	s.calls[account] = n + 1
	return true
}

// End ends a call that Begin counted.
func (c *Concurrency) End(account toksta.AccountID) {
	s := c.shard(account)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.calls[account]; n > 1 {
		s.calls[account] = n - 1
		return
	}
	delete(s.calls, account)
}

// Calls returns the number of calls of the account that are in flight.
func (c *Concurrency) Calls(account toksta.AccountID) int {
	s := c.shard(account)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[account]
}

func (c *Concurrency) shard(account toksta.AccountID) *inFlight {
	return &c.shards[maphash.String(c.seed, string(account))%uint64(len(c.shards))]
}
