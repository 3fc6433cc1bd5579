package credits

import (
	"math/bits"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// watch says how soon an account's charges by others are to be asked about.
type watch uint8

const (
	idle   watch = iota // spent nothing since it was last asked about
	active              // at leisure: others cannot have brought it to an edge
	urgent              // may be near one, or was not asked about for long
)

// Spender is an account that spent, or tried to, in the cycle that began at
// Start. The book has this process's charges from Own on, and its ledger up to so
// many entries.
type Spender struct {
	ID         toksta.AccountID
	Start, Own time.Time
	Entries    int64
}

// Watch says how many minutes' calls of an account all nodes together may
// admit between two rounds of Take(true). A new book watches every account
// as if it were one.
func (b *Book) Watch(minutes int) { b.reach.Store(uint64(minutes)) }

// Take returns the accounts that spent or tried to since they were last
// taken: all of them once a round, in between those near the end of their
// included or purchased credits, or of their cap, and those that were idle
// in the last round. Whoever takes them learns what the others charged.
func (b *Book) Take(all bool) []Spender {
	var out []Spender
	for i := range b.shards {
		out = b.shards[i].take(all, out)
	}
	return out
}

func (s *shard) take(all bool, out []Spender) []Spender {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all {
		s.round++
	}
	for p := &s.watched; *p != nil; {
		l := *p
		if !all && l.watch != urgent {
			p = &l.next
			continue
		}
		*p, l.next = l.next, nil
		l.watch, l.round = idle, s.round
		out = append(out, l.spender())
	}
	return out
}

// Use is what others than this process charged an account, earlier processes of
// this node included: in a cycle, and of its purchased credits ever. Before
// Spender.Own this process is another as well. Held is set aside for jobs by a ledger of so many
// entries.
type Use struct {
	Cycle         toksta.Charge
	PurchasedEver int64
	Held          toksta.Charge
	Entries       int64
}

// Learn replaces what was learned of an account before. by is the account as it
// was before u was read. Learn changes nothing if the account is in another
// cycle by now; the next call makes it urgent then. It changes nothing either if
// u lacks an entry that the book has learned of since: u is the older state. A
// read that began later and lacks an entry is believed: the database lost it.
func (b *Book) Learn(by Spender, u Use) {
	s := b.shard(by.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger(by.ID)
	if u.Entries < l.entries && by.Entries < l.entries {
		return
	}
	l.learn(by.Start.Unix(), u)
}

// Spender returns the account with its cycle at now.
func (b *Book) Spender(st *toksta.Standing, now time.Time) Spender {
	s := b.shard(st.Account.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger(st.Account.ID)
	l.turn(st, now)
	return l.spender()
}

func (l *ledger) spender() Spender {
	return Spender{l.id, time.Unix(l.start, 0).UTC(), time.Unix(l.ownFrom, 0).UTC(), l.entries}
}

// Return makes the next Take return an account again: nothing was learned.
func (b *Book) Return(by Spender) {
	s := b.shard(by.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raise(s.ledger(by.ID), urgent)
}

// spending is what an account is about to spend, and could.
type spending struct {
	st      *toksta.Standing
	funds   funds
	credits int64
}

// mark notes that an account spends. An account that others may bring to its
// next edge before the round is over is urgent; one that has nothing left is
// not, since it cannot be overspent.
func (b *Book) mark(s *shard, l *ledger, by spending) {
	switch {
	case l.watch == urgent:
	case l.round != s.round || b.near(l, by):
		s.raise(l, urgent)
	case l.watch == idle:
		s.raise(l, active)
	}
}

func (b *Book) near(l *ledger, by spending) bool {
	left := by.funds.next()
	if left == 0 {
		return false
	}
	over, reach := bits.Mul64(uint64(max(by.credits, 0)), uint64(by.st.PerMinute)*max(b.reach.Load(), 1))
	return over > 0 || uint64(max(left-l.held, 0)) < reach
}

// raise puts the account on the list, if it is not there.
func (s *shard) raise(l *ledger, to watch) {
	if l.watch == idle {
		l.next, s.watched = s.watched, l
	}
	l.watch = to
}
