package credits

import (
	"math/bits"

	"github.com/toksta/toksta/sdk/toksta"
)

// urgency says how soon the charges of others on an account must be read.
type urgency uint8

const (
	idle   urgency = iota // not due: it spent nothing since takeDue last returned it
	active                // due when the next round begins
	urgent                // due now
)

// setReach sets for how many minutes of calls at an account's rate limit the
// other nodes together can admit before this node next reads their charges. It
// is 1 until the first call of setReach.
func (b *Balances) setReach(minutes int) { b.reach.Store(uint64(minutes)) }

// takeDue returns the accounts for which the charges of others must be read,
// and marks them as idle. If all is true, it begins a round and returns every
// account that has spent or tried to spend credits since it was last returned.
// Otherwise it returns only the urgent ones of them: those that are near a
// limit, or that were idle in the last round.
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

// markDue marks an account as due after an attempt to spend credits: as urgent
// if the account was idle in the last round, or is near a limit.
func (b *Balances) markDue(s *shard, a *account, attempt spending) {
	switch {
	case a.urgency == urgent:
	case a.round != s.round || b.nearLimit(a, attempt):
		s.raise(a, urgent)
	case a.urgency == idle:
		s.raise(a, active)
	}
}

// nearLimit reports whether the other nodes could use up what is left before
// this node next reads their charges, if each of their calls costs as much as
// this attempt. What is left is the part that pays next (included, purchased or
// overage credits), less the holds of this node. If an account has no credits
// left, the result is false, because it cannot be overspent.
func (b *Balances) nearLimit(a *account, attempt spending) bool {
	left := attempt.funds.untilLimit()
	if left == 0 {
		return false
	}
	over, reach := bits.Mul64(uint64(max(attempt.credits, 0)), uint64(attempt.st.PerMinute)*max(b.reach.Load(), 1))
	return over > 0 || uint64(max(left-a.held, 0)) < reach
}

// raise sets the urgency of an account. If it was idle, it joins the shard's
// list of due accounts.
func (s *shard) raise(a *account, to urgency) {
	if a.urgency == idle {
		a.next, s.due = s.due, a
	}
	a.urgency = to
}
