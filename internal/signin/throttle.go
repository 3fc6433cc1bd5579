package signin

import (
	"sync"
	"time"
)

// pace is how failures turn into waiting: free ones, then a delay that
// doubles from a second up to a limit. Failures are forgotten after a time
// without any.
type pace struct {
	free   int
	limit  time.Duration
	forget time.Duration
}

// delay is how long to wait after a number of failures.
func (p pace) delay(failures int) time.Duration {
	if failures <= p.free {
		return 0
	}
	return min(time.Second<<min(failures-p.free-1, 30), p.limit)
}

// maxTracked bounds the memory of a throttle, to two maps of this many names.
const maxTracked = 1 << 15

// throttle counts failures by name, in memory: a restart forgets them.
type throttle struct {
	pace
	mu sync.Mutex
	// Names that were tried move to recent; when it is full it becomes old
	// and what was old is dropped. Filling both costs an attacker more
	// attempts than any name is worth.
	recent, old map[string]record
}

// record is a name's failures in a row and when the last one was.
type record struct {
	failures int
	last     time.Time
}

func newThrottle(p pace) *throttle {
	return &throttle{pace: p, recent: map[string]record{}}
}

// attempt returns how long name has to wait, or 0 after counting the attempt
// as a failure: counted before the work, so that many at once do not slip by.
// forget or pardon takes it back.
func (t *throttle) attempt(name string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.get(name)
	if now.Sub(r.last) > t.forget {
		r = record{}
	}
	if wait := r.last.Add(t.delay(r.failures)).Sub(now); r.failures > 0 && wait > 0 {
		return wait
	}
	t.put(name, record{failures: r.failures + 1, last: now})
	return 0
}

// clear forgets the failures of name and returns how many there were.
func (t *throttle) clear(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	failures := t.get(name).failures
	delete(t.recent, name)
	delete(t.old, name)
	return failures
}

// pardon takes one failure of name back.
func (t *throttle) pardon(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.get(name); r.failures > 0 {
		r.failures--
		t.put(name, r)
	}
}

// get finds a name in either map. The caller holds mu.
func (t *throttle) get(name string) record {
	if r, ok := t.recent[name]; ok {
		return r
	}
	return t.old[name]
}

// put keeps a record among the recent ones. The caller holds mu.
func (t *throttle) put(name string, r record) {
	if _, known := t.recent[name]; !known && len(t.recent) >= maxTracked {
		t.recent, t.old = map[string]record{}, t.recent
	}
	t.recent[name] = r
}
