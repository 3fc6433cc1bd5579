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
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Book holds the balances of all accounts that ever used a credit. Its
// methods are safe for concurrent use; those with a standing charge by the
// plan and entitlements in it.
type Book struct {
	seed   maphash.Seed
	reach  atomic.Uint64 // see Watch
	shards [64]shard
}

type shard struct {
	mu       sync.Mutex
	accounts map[toksta.AccountID]*ledger
	watched  *ledger // a list
	round    uint64  // counts what Take emptied
}

// Balance is an account's credits now.
type Balance struct {
	Included         int64 // per cycle
	IncludedUsed     int64
	Purchased        int64 // left
	PurchasedUsed    int64 // ever
	Held             int64 // set aside for calls and jobs under way, not yet charged
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
		b.shards[i].round = 1
	}
	return b
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
	f := l.funds(st)
	b.mark(s, l, spending{st, f, credits})
	if credits < 0 || credits > f.total()-l.held {
		return false
	}
	l.held += credits
	return true
}

// Settle releases what was held for a call and charges what it cost, which
// may be less or more. What was held is charged in full; beyond it a call takes
// no more than is left and held by no other. Credits that were held and are gone
// since, because another node spent them or the account lost them, are charged
// as purchased ones that the account has yet to buy: its next purchase pays
// them. Settle returns what was taken, and when it is to be counted: now, or
// when the cycle or the book's own charges of it began, if the clock says earlier.
func (b *Book) Settle(st *toksta.Standing, held, charged int64, now time.Time) (toksta.Charge, time.Time) {
	if held == 0 && charged == 0 {
		return toksta.Charge{}, now
	}
	s := b.shard(st.Account.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger(st.Account.ID)
	l.turn(st, now)
	l.held = max(l.held-held, 0)
	f := l.funds(st)
	due := min(max(charged, 0), max(f.total()-l.held, held))
	c := f.split(min(due, f.total()), st.Plan.OverageMicros)
	owed := due - c.Credits
	c = c.Plus(toksta.Charge{Credits: owed, Purchased: owed})
	if c.Credits > 0 {
		l.charge(c)
		b.mark(s, l, spending{st, f, c.Credits})
	}
	if from := max(l.start, l.ownFrom); now.Unix() < from {
		now = time.Unix(from, 0)
	}
	return c, now
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
	aside := l.aside()
	return Balance{
		Included:         st.Plan.IncludedCredits,
		IncludedUsed:     l.cycle.Included(),
		Purchased:        max(st.Account.Entitlements.PurchasedCredits-l.purchasedEver, 0),
		PurchasedUsed:    l.purchasedEver,
		Held:             l.held + aside.Credits - aside.Overage,
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
		l = &ledger{id: id}
		s.accounts[id] = l
	}
	return l
}
