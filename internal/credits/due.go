package credits

import (
	"math/bits"

	"github.com/toksta/toksta/sdk/toksta"
)

// urgency says how soon the charges of others on an account must be read.
type urgency uint8

const (
	idle   urgency = iota // not due: it spent nothing since the last takeDue
	active                // due in the next round
	urgent                // due now
)

// setReach sets the number of minutes of an account's calls that all other
// nodes together may admit between two rounds. It is 1 before the first call.
func (b *Balances) setReach(minutes int) { b.reach.Store(uint64(minutes)) }

// takeDue returns the accounts whose charges by others must be read, and marks
// them as idle. With all it begins a round and returns every account that spent
// or tried to spend since it was last returned. Without all it returns the
// urgent ones of those: near a limit, or idle in the last round.
func (b *Balances) takeDue(all bool) []syncState {
	var out []syncState
	for i := range b.shards {
		out = b.shards[i].takeDue(all, out)
	}
	return out
}

func (s *shard) takeDue(all bool, out []syncState) []syncState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all {
		s.round++
	}
	for p := &s.due; *p != nil; {
		a := *p
		if !all && a.urgency != urgent {
			p = &a.next
			continue
		}
		*p, a.next = a.next, nil
		a.urgency, a.round = idle, s.round
		out = append(out, a.syncState())
	}
	return out
}

// requeue makes an account urgent again, for example after a failed read.
func (b *Balances) requeue(id toksta.AccountID) {
	s, a := b.lock(id)
	defer s.mu.Unlock()
	s.raise(a, urgent)
}

// spending is an attempt to spend credits, and the funds before it.
type spending struct {
	st      *toksta.Standing
	funds   funds
	credits int64
}

// markDue marks an account that spends credits as due. It is urgent if it was
// idle in the last round, or is near a limit.
func (b *Balances) markDue(s *shard, a *account, by spending) {
	switch {
	case a.urgency == urgent:
	case a.round != s.round || b.nearLimit(a, by):
		s.raise(a, urgent)
	case a.urgency == idle:
		s.raise(a, active)
	}
}

// nearLimit reports whether the other nodes may spend the rest of the included
// or purchased credits, or of the cap, before the round ends. An account with
// no credits left is not near: it cannot be overspent.
func (b *Balances) nearLimit(a *account, by spending) bool {
	left := by.funds.untilLimit()
	if left == 0 {
		return false
	}
	over, reach := bits.Mul64(uint64(max(by.credits, 0)), uint64(by.st.PerMinute)*max(b.reach.Load(), 1))
	return over > 0 || uint64(max(left-a.held, 0)) < reach
}

// raise sets the urgency and adds the account to the list if it was idle.
func (s *shard) raise(a *account, to urgency) {
	if a.urgency == idle {
		a.next, s.due = s.due, a
	}
	a.urgency = to
}
