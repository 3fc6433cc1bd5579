package signin

import (
	"sync"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// maxTracked bounds the members in each of the two maps of signIns.
const maxTracked = 1 << 15

// signIns limits the successful sign-ins of each member, because each adds a record to the
// change log. It counts in the memory of the process: the number of nodes does not matter for a
// limit on records.
type signIns struct {
	backoff
	mu sync.Mutex
	// New counts go into recent. If recent is full, it becomes old, and the counts of
	// old are dropped.
	recent, old map[toksta.MemberID]signInCount
}

type signInCount struct {
	number int
	last   time.Time
}

// attempt returns the remaining delay of a member. If no delay remains, it counts a
// sign-in and returns 0.
func (s *signIns) attempt(member toksta.MemberID, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.recent[member]
	if !known {
		c = s.old[member]
	}
	if now.Sub(c.last) > s.expiry {
		c = signInCount{}
	}
	if wait := c.last.Add(s.delay(c.number)).Sub(now); c.number > 0 && wait > 0 {
		return wait
	}
	if !known && len(s.recent) >= maxTracked {
		s.recent, s.old = nil, s.recent
	}
	if s.recent == nil {
		s.recent = map[toksta.MemberID]signInCount{}
	}
	s.recent[member] = signInCount{number: c.number + 1, last: now}
	return 0
}
