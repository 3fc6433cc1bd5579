package signin

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// Scope is a kind of attempts that a Throttle counts.
type Scope string

// The scopes, with the names whose attempts they count.
const (
	ScopeAddress     Scope = "address"      // guesses at a secret, by e-mail address; see text.FoldAddress
	ScopeNetwork     Scope = "network"      // guesses at any secret, by network; see Origin.Network
	ScopeMember      Scope = "member"       // guesses at the password of a signed-in member, by member
	ScopeCode        Scope = "code"         // guesses at the code of a second factor, by member
	ScopeSignUp      Scope = "signup"       // sign-ups, by network
	ScopeMail        Scope = "mail"         // requests of a mail with a link, by e-mail address
	ScopeMailNetwork Scope = "mail_network" // the same, by network
	ScopeInvitation  Scope = "invitation"   // invitations, by account
	scopeSignIn      Scope = "signin"       // successful sign-ins, by member: limits their records
)

// policies are the limits of the scopes. The delay of an address is shorter than that of a
// network, so that the owner can sign in while an attacker guesses. Of a million codes of an app, three are right at any
// time: the limit of ScopeCode allows 24 guesses a day.
var policies = map[Scope]backoff{
	ScopeAddress:     {free: 5, limit: time.Minute, expiry: time.Hour},
	ScopeNetwork:     {free: 20, limit: 15 * time.Minute, expiry: time.Hour, shared: true},
	ScopeMember:      {free: 5, limit: time.Minute, expiry: time.Hour},
	ScopeCode:        {free: 5, limit: time.Hour, expiry: 24 * time.Hour},
	ScopeSignUp:      {free: 10, limit: 15 * time.Minute, expiry: time.Hour},
	ScopeMail:        {free: 3, first: time.Minute, limit: 5 * time.Minute, expiry: time.Hour},
	ScopeMailNetwork: {free: 20, limit: 15 * time.Minute, expiry: time.Hour},
	ScopeInvitation:  {free: 50, limit: 15 * time.Minute, expiry: time.Hour},
	scopeSignIn:      {free: 60, limit: time.Minute, expiry: time.Hour},
}

// Name is the subject of attempts, such as an address in ScopeAddress. Value is never a secret.
type Name struct {
	Scope Scope
	Value string
}

// Throttle limits attempts: guesses at a secret, and actions that a client must not repeat in
// large numbers. After a number of free attempts each further one is delayed. Its methods are
// safe for concurrent use.
type Throttle struct {
	now    func() time.Time
	scopes map[Scope]*throttle
}

// NewThrottle returns a throttle without attempts.
func NewThrottle(now func() time.Time) *Throttle {
	t := &Throttle{now: now, scopes: map[Scope]*throttle{}}
	for scope, policy := range policies {
		t.scopes[scope] = newThrottle(policy)
	}
	return t
}

// Try calls verify as one attempt at each of the names, and returns the error of verify. Any
// error is a failure, which counts. A success resets the names, except of ScopeNetwork, where
// it only does not count: otherwise an attacker could reset the network by signing in to an
// own account. failed is the number of failures of the last name before the success.
//
// If a name must wait, Try does not call verify, and the error is RATE_LIMITED with the detail
// retry_after in seconds. Simultaneous attempts cannot exceed the limit together.
func (t *Throttle) Try(ctx context.Context, verify func() error, names ...Name) (failed int, err error) {
	if err := t.Count(ctx, names...); err != nil {
		return 0, err
	}
	if err := verify(); err != nil {
		return 0, err
	}
	for _, n := range names {
		if scope := t.scopes[n.Scope]; scope.shared {
			scope.undo(n.Value)
		} else {
			failed = max(scope.reset(n.Value)-1, 0)
		}
	}
	return failed, nil
}

// Count counts an attempt whose success counts too, such as the request of a mail. If a name
// must wait, the error is RATE_LIMITED, and the names after it are not counted.
func (t *Throttle) Count(_ context.Context, names ...Name) error {
	for _, n := range names {
		if wait := t.scopes[n.Scope].attempt(n.Value, t.now()); wait > 0 {
			return tooManyAttempts(wait)
		}
	}
	return nil
}

// backoff is the policy of a throttle: a number of failures without a delay, then
// a delay that doubles up to a limit. Failures expire after a time without a further
// failure.
type backoff struct {
	free   int
	first  time.Duration // the first delay; 0: a second
	limit  time.Duration
	expiry time.Duration
	shared bool // several people share a name, so the success of one must not reset it
}

// delay returns the delay after a number of failures.
func (b backoff) delay(failures int) time.Duration {
	if failures <= b.free {
		return 0
	}
	return min(cmp.Or(b.first, time.Second)<<min(failures-b.free-1, 24), b.limit)
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
