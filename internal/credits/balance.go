package credits

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Balances holds the balance of every account that used a credit on this node,
// in memory. It does no I/O. Its methods are safe for concurrent use. A method
// with a standing applies its plan and entitlements.
type Balances struct {
	seed   maphash.Seed
	reach  atomic.Uint64 // see setReach
	shards [64]shard
}

// shard holds a part of the accounts under one lock.
type shard struct {
	mu       sync.Mutex
	accounts map[toksta.AccountID]*account
	due      *account // the first of a list, see takeDue
	round    uint64   // number of rounds that takeDue has begun
}

// Balance is the state of an account's credits at one moment.
type Balance struct {
	Included         int64 // per cycle
	IncludedUsed     int64
	Purchased        int64 // left
	PurchasedUsed    int64 // ever
	Held             int64 // for calls and jobs in progress, not yet charged
	Overage          int64 // credits beyond both, this cycle
	OverageMicros    int64
	OverageCapMicros int64     // 0: no cap
	ResetsAt         time.Time // end of the cycle
}

// Remaining returns the credits that the account can spend without overage:
// included and purchased ones, less those that are held.
func (b Balance) Remaining() int64 {
	return max(max(b.Included-b.IncludedUsed, 0)+b.Purchased-b.Held, 0)
}

// NewBalances returns the balances of a node that knows no charges yet.
func NewBalances() *Balances {
	b := &Balances{seed: maphash.MakeSeed()}
	for i := range b.shards {
		b.shards[i].accounts = make(map[toksta.AccountID]*account)
		b.shards[i].round = 1
	}
	return b
}

// Balance returns the balance of the account at now.
func (b *Balances) Balance(st *toksta.Standing, now time.Time) Balance {
	s := b.shard(st.Account.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[st.Account.ID]
	if a == nil {
		a = &account{}
	}
	a.advance(st, now)
	reserved := a.reservedAndClaimed()
	return Balance{
		Included:         st.Plan.IncludedCredits,
		IncludedUsed:     a.cycle.Included(),
		Purchased:        max(st.Account.Entitlements.PurchasedCredits-a.purchasedEver, 0),
		PurchasedUsed:    a.purchasedEver,
		Held:             a.held + reserved.Credits - reserved.Overage,
		Overage:          a.cycle.Overage,
		OverageMicros:    a.cycle.OverageMicros,
		OverageCapMicros: st.Account.Entitlements.OverageCapMicros,
		ResetsAt:         time.Unix(a.end, 0).UTC(),
	}
}

func (b *Balances) shard(id toksta.AccountID) *shard {
	return &b.shards[maphash.String(b.seed, string(id))%uint64(len(b.shards))]
}

// lock locks the shard of an account and returns both. It adds the account if
// the shard does not have it. The caller unlocks the shard.
func (b *Balances) lock(id toksta.AccountID) (*shard, *account) {
	s := b.shard(id)
	s.mu.Lock()
	a := s.accounts[id]
	if a == nil {
		a = &account{id: id}
		s.accounts[id] = a
	}
	return s, a
}
