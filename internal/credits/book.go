// Package credits keeps what each account can still spend: included credits
// first, then purchased ones, then overage where the plan sells it.
//
// It stands on the request path as the last check of a decision, and once
// more before the answer's first byte, when the held credits are charged. It
// works in memory on what this node knows; it never does I/O and never
// decides more than "enough" or "not enough". Money is in micro-dollars.
package credits

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/toksta/toksta"
)

// Book holds the balances of all accounts that ever used a credit. Its
// methods are safe for concurrent use; those with a standing charge by the
// plan and entitlements in it.
type Book struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu       sync.Mutex
	accounts map[toksta.AccountID]*ledger
}

// Balance is an account's credits now.
type Balance struct {
	Included         int64 // per cycle
	IncludedUsed     int64
	Purchased        int64 // left
	PurchasedUsed    int64 // ever
	Held             int64 // set aside for calls under way, not yet charged
	Overage          int64 // credits beyond both, this cycle
	OverageMicros    int64
	OverageCapMicros int64     // 0: no cap
	ResetsAt         time.Time // end of the cycle
}

// Remaining returns the credits that cost nothing more: included and
// purchased, less what is held.
func (b Balance) Remaining() int64 {
	return max(max(b.Included-b.IncludedUsed, 0)+b.Purchased-b.Held, 0)
}

// New returns a book in which nothing was used.
func New() *Book {
	b := &Book{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].accounts = make(map[toksta.AccountID]*ledger)
	}
	return b
}

// Load sets what an account had used before this process: in the cycle that
// began at start, and of its purchased credits ever. It is for a start, before
// the first Hold.
func (b *Book) Load(id toksta.AccountID, cycle toksta.Charge, start time.Time, purchasedEver int64) {
	s := b.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger(id)
	l.cycle, l.start, l.purchasedEver = cycle, start.Unix(), purchasedEver
}

// Hold sets credits aside for a call, or reports that they cannot be paid.
// What is held can be spent by no other call until Settle.
func (b *Book) Hold(st *toksta.Standing, credits int64, now time.Time) bool {
	if credits == 0 {
		return true
	}
	s := b.shard(st.Account.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger(st.Account.ID)
	l.turn(st, now)
	if credits < 0 || credits > l.funds(st).total()-l.held {
		return false
	}
	l.held += credits
	return true
}

// Settle releases what was held for a call and charges what it cost, which
// may be less or more. What was held is there to be charged; beyond it a call
// takes no more than is left and held by no other, so no balance goes below
// zero. The returned charge is what was taken.
func (b *Book) Settle(st *toksta.Standing, held, charged int64, now time.Time) toksta.Charge {
	if held == 0 && charged == 0 {
		return toksta.Charge{}
	}
	s := b.shard(st.Account.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger(st.Account.ID)
	l.turn(st, now)
	l.held = max(l.held-held, 0)
	f := l.funds(st)
	most := max(f.total()-l.held, min(held, f.total()))
	c := f.split(min(max(charged, 0), most), st.Plan.OverageMicros)
	l.cycle.Credits += c.Credits
	l.cycle.Purchased += c.Purchased
	l.cycle.Overage += c.Overage
	l.cycle.OverageMicros += c.OverageMicros
	l.purchasedEver += c.Purchased
	return c
}

// Balance returns the account's credits now.
func (b *Book) Balance(st *toksta.Standing, now time.Time) Balance {
	s := b.shard(st.Account.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := ledger{}
	if known := s.accounts[st.Account.ID]; known != nil {
		known.turn(st, now)
		l = *known
	} else {
		l.turn(st, now)
	}
	return Balance{
		Included:         st.Plan.IncludedCredits,
		IncludedUsed:     l.includedUsed(),
		Purchased:        l.funds(st).purchased,
		PurchasedUsed:    l.purchasedEver,
		Held:             l.held,
		Overage:          l.cycle.Overage,
		OverageMicros:    l.cycle.OverageMicros,
		OverageCapMicros: st.Account.Entitlements.OverageCapMicros,
		ResetsAt:         time.Unix(l.end, 0).UTC(),
	}
}

func (b *Book) shard(id toksta.AccountID) *shard {
	return &b.shards[maphash.String(b.seed, string(id))%uint64(len(b.shards))]
}

// ledger returns the ledger of an account, made on its first use of a credit.
func (s *shard) ledger(id toksta.AccountID) *ledger {
	l := s.accounts[id]
	if l == nil {
		l = &ledger{}
		s.accounts[id] = l
	}
	return l
}
