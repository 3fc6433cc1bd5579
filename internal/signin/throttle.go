package signin

import (
	"sync"
	"time"
)

// backoff is the policy of a throttle: a number of failures without a delay, then
// a delay that doubles from one second up to a limit. Failures expire after a time
// without a further failure.
type backoff struct {
	free   int
	limit  time.Duration
	expiry time.Duration
}

// delay returns the delay after a number of failures.
func (b backoff) delay(failures int) time.Duration {
	if failures <= b.free {
		return 0
	}
	return min(time.Second<<min(failures-b.free-1, 30), b.limit)
}

// maxTracked bounds the names in each of the two maps of a throttle.
const maxTracked = 1 << 15

// throttle counts failures by name: an e-mail address, a network or the id of a
// member. It keeps the counts in memory only, so a restart resets them.
type throttle struct {
	backoff
	mu sync.Mutex
	// New records go into recent. If recent is full, it becomes old, and the
	// records of old are dropped. An attacker who wants to drop a record must
	// make more attempts than the record would have delayed.
	recent, old map[string]record
}

// record counts the consecutive failures of a name.
type record struct {
	failures int
	last     time.Time // of the newest failure
}

func newThrottle(b backoff) *throttle {
	return &throttle{backoff: b, recent: map[string]record{}}
}

// attempt returns the remaining delay of name. If no delay remains, it counts the
// attempt as a failure and returns 0. It counts before the caller verifies the
// password, so that simultaneous attempts cannot exceed the limit together. After
// a success the caller removes the failure by reset or undo.
func (t *throttle) attempt(name string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.get(name)
	if now.Sub(r.last) > t.expiry {
		r = record{}
	}
	if wait := r.last.Add(t.delay(r.failures)).Sub(now); r.failures > 0 && wait > 0 {
		return wait
	}
	t.put(name, record{failures: r.failures + 1, last: now})
	return 0
}

// reset deletes the failures of name and returns their number.
func (t *throttle) reset(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	failures := t.get(name).failures
	delete(t.recent, name)
	delete(t.old, name)
	return failures
}

// undo removes one failure of name.
func (t *throttle) undo(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.get(name); r.failures > 0 {
		r.failures--
		t.put(name, r)
	}
}

// get returns the record of name from recent or old, the zero value if there is
// none. The caller holds mu.
func (t *throttle) get(name string) record {
	if r, ok := t.recent[name]; ok {
		return r
	}
	return t.old[name]
}

// put stores a record in recent. The caller holds mu.
func (t *throttle) put(name string, r record) {
	if _, known := t.recent[name]; !known && len(t.recent) >= maxTracked {
		t.recent, t.old = map[string]record{}, t.recent
	}
	t.recent[name] = r
}
