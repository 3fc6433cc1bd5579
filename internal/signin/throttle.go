package signin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// Scope is a kind of attempts that a Throttle counts.
type Scope string

// The scopes, with the names whose attempts they count.
const (
	ScopeAddress     Scope = "address"      // guesses at a secret, by e-mail address; see text.FoldAddress
	ScopeNetwork     Scope = "network"      // guesses at any secret, by network; see Origin.Network
	ScopeBrowser     Scope = "browser"      // guesses at a password in a known browser of the member; see Service.guessNames
	ScopeBrowserCode Scope = "browser_code" // the same, at the code of a second factor
	ScopeMember      Scope = "member"       // guesses at the password of a signed-in member, by member
	ScopeCode        Scope = "code"         // guesses at the code of a second factor, by member
	ScopeChallenge   Scope = "challenge"    // challenges for passkeys before the sign-in, by network
	ScopeProvider    Scope = "provider"     // begun sign-ins by a provider, by network
	ScopeSignUp      Scope = "signup"       // sign-ups, by network
	ScopeMail        Scope = "mail"         // requests of a mail with a link, by e-mail address
	ScopeMailNetwork Scope = "mail_network" // the same, by network
	ScopeInvitation  Scope = "invitation"   // mails with an invitation, by the e-mail address that gets them
)

// policies are the limits of the scopes. The delay of an address is shorter than that of a
// network, so that the owner can sign in while an attacker guesses. Of a million codes of an app,
// three are right at any time: the limit of ScopeCode allows 24 guesses a day.
var policies = map[Scope]backoff{
	ScopeAddress:     {free: 5, limit: time.Minute, expiry: time.Hour},
	ScopeNetwork:     {free: 20, limit: 15 * time.Minute, expiry: time.Hour, shared: true},
	ScopeBrowser:     {free: 5, limit: time.Minute, expiry: time.Hour},
	ScopeMember:      {free: 5, limit: time.Minute, expiry: time.Hour},
	ScopeCode:        {free: 5, limit: time.Hour, expiry: maxExpiry},
	ScopeBrowserCode: {free: 5, limit: time.Hour, expiry: maxExpiry},
	ScopeChallenge:   {free: 200, limit: time.Minute, expiry: 10 * time.Minute},
	ScopeProvider:    {free: 500, limit: 10 * time.Second, expiry: 10 * time.Minute},
	ScopeSignUp:      {free: 10, limit: 15 * time.Minute, expiry: time.Hour},
	ScopeMail:        {free: 3, first: time.Minute, limit: 5 * time.Minute, expiry: time.Hour},
	ScopeMailNetwork: {free: 20, limit: 15 * time.Minute, expiry: time.Hour},
	ScopeInvitation:  {free: 5, first: 5 * time.Minute, limit: time.Hour, expiry: maxExpiry},
}

// maxExpiry is the longest expiry of all scopes, after which the database forgets a counter.
const maxExpiry = 24 * time.Hour

// backoff is the policy of a throttle: a number of failures without a delay, then
// a delay that doubles up to a limit. Failures expire after a time without a further
// failure.
type backoff struct {
	free   int
	first  time.Duration // the first delay; 0: a second
	limit  time.Duration
	expiry time.Duration // longer than limit
	shared bool          // several people share a name, so the success of one must not reset it
}

// delay returns the time to wait before the next attempt after a number of failures.
func (b backoff) delay(failures int) time.Duration {
	if failures <= b.free {
		return 0
	}
	return min(cmp.Or(b.first, time.Second)<<min(failures-b.free-1, 24), b.limit)
}

// Name is the subject of attempts, such as an address in ScopeAddress. Value is never a secret.
type Name struct {
	Scope Scope
	Value string
}

// Throttle limits attempts: guesses at a secret, and actions that a client must not repeat in
// large numbers. After a number of free attempts each further one is delayed. The counts are in
// the database, so they are those of all nodes and survive a restart. Its methods are safe for
// concurrent use.
type Throttle struct {
	store store.Attempts
	now   func() time.Time

	added   atomic.Int64 // counters that this process stored
	mu      sync.Mutex
	claimed []Name // with an attempt of this process that is not counted yet
}

// NewThrottle returns a throttle that counts in a store.
func NewThrottle(s store.Attempts, now func() time.Time) *Throttle {
	return &Throttle{store: s, now: now}
}

// Try calls verify as one attempt at each of the names, and returns the error of verify. Any
// error is a failure, which counts, except a *busyError. A success resets the names, except of
// ScopeNetwork, where it only does not count: otherwise an attacker could reset the network by
// signing in to an own account. failed is the number of failures of the last name before the success.
//
// If a name must wait, Try does not call verify and counts nothing. The error is RATE_LIMITED
// with the detail retry_after in seconds.
//
// Simultaneous attempts cannot exceed the limit together: an attempt is counted before verify is
// called. The exception is the first attempt at a name without failures in each process, which is
// counted after verify. So a success without earlier failures writes nothing, and n nodes admit
// at most n-1 more guesses than one.
func (t *Throttle) Try(ctx context.Context, verify func() error, names ...Name) (failed int, err error) {
	uncounted, err := t.begin(ctx, names)
	if err != nil {
		return 0, err
	}
	defer t.release(uncounted)
	err = verify()
	// A client must not avoid being counted by closing the connection.
	ctx = context.WithoutCancel(ctx)
	counted := slices.DeleteFunc(slices.Clone(names), func(n Name) bool { return slices.Contains(uncounted, n) })
	if _, busy := errors.AsType[*busyError](err); busy {
		return 0, cmp.Or(t.withdraw(ctx, counted), err)
	}
	if err != nil {
		if countErr := t.add(ctx, uncounted); countErr != nil {
			return 0, countErr // a result that is not counted is not told
		}
		return 0, err
	}
	err = t.update(ctx, counted, func(counts []store.AttemptCount) error {
		failed = 0
		for i, n := range counted {
			before := max(counts[i].Count-1, 0)
			counts[i].Count = 0
			if policies[n.Scope].shared {
				counts[i].Count = before
			}
			if n == names[len(names)-1] {
				failed = before
			}
		}
		return nil
	})
	return failed, err
}

// Count counts an attempt whose success counts too, such as the request of a mail. If a name
// must wait, it counts nothing, and the error is RATE_LIMITED.
func (t *Throttle) Count(ctx context.Context, names ...Name) error {
	return t.update(ctx, names, func(counts []store.AttemptCount) error {
		_, err := t.admit(counts, attempt{names: names})
		return err
	})
}

// Failures returns the number of failures of a name that have not expired. It counts no attempt.
func (t *Throttle) Failures(ctx context.Context, n Name) (failures int, err error) {
	err = t.update(ctx, []Name{n}, func(counts []store.AttemptCount) error {
		failures = counts[0].Count
		return nil
	})
	return failures, err
}

// attempt is an attempt at names. The first attempt of this process at a name claims it: it is
// counted after its result if the name has no failures.
type attempt struct {
	names, claimed []Name
}

// begin counts an attempt at each of the names, except of those that it returns. They have no
// failures, and no other attempt of this process is uncounted. The caller must release them.
func (t *Throttle) begin(ctx context.Context, names []Name) (uncounted []Name, err error) {
	a := attempt{names: names, claimed: t.claim(names)}
	err = t.update(ctx, names, func(counts []store.AttemptCount) (err error) {
		uncounted, err = t.admit(counts, a)
		return err
	})
	if err != nil {
		uncounted = nil
	}
	t.release(slices.DeleteFunc(a.claimed, func(n Name) bool { return slices.Contains(uncounted, n) }))
	return uncounted, err
}

// admit adds an attempt to the counts, except of the names that it returns. If a name must
// wait, the error is RATE_LIMITED.
func (t *Throttle) admit(counts []store.AttemptCount, a attempt) (uncounted []Name, err error) {
	now := t.time()
	for i, n := range a.names {
		c, failures := &counts[i], counts[i].Count
		if !slices.Contains(a.claimed, n) && t.isClaimed(n) {
			failures++ // an attempt that is not counted yet
		}
		delay := policies[n.Scope].delay(failures)
		// The clock of another node may be ahead.
		if wait := min(c.At.Add(delay).Sub(now), delay); wait > 0 {
			return nil, tooManyAttempts(wait)
		}
		if c.Count == 0 && slices.Contains(a.claimed, n) {
			uncounted = append(uncounted, n)
			continue
		}
		c.Count, c.At = c.Count+1, now
	}
	return uncounted, nil
}

// add counts a failure of each of the names, also if they must wait in the meantime.
func (t *Throttle) add(ctx context.Context, names []Name) error {
	return t.update(ctx, names, func(counts []store.AttemptCount) error {
		for i := range counts {
			counts[i].Count, counts[i].At = counts[i].Count+1, t.time()
		}
		return nil
	})
}

// withdraw removes an attempt that was counted and not made.
func (t *Throttle) withdraw(ctx context.Context, names []Name) error {
	return t.update(ctx, names, func(counts []store.AttemptCount) error {
		for i := range counts {
			counts[i].Count = max(counts[i].Count-1, 0)
		}
		return nil
	})
}

const (
	// maxSwaps bounds the repetitions of an update that other attempts at the same names
	// interrupt. Of all that run at a time, one succeeds, and the delay ends them soon.
	maxSwaps = 32
	// maxCounters bounds the stored counters. An attacker who wants to delete one must make more
	// attempts than it would have delayed.
	maxCounters = 1 << 18
	// trimInterval is the number of counters that a process adds between two deletions.
	trimInterval = 1 << 14
)

// update changes the counters of the names, as one step, to the values that change leaves. It
// can call change several times. Expired counters are 0.
func (t *Throttle) update(ctx context.Context, names []Name, change func([]store.AttemptCount) error) error {
	if len(names) == 0 {
		return nil
	}
	keys := make([]store.AttemptName, len(names))
	for i, n := range names {
		keys[i] = store.AttemptName{Scope: string(n.Scope), Digest: sha256.Sum256([]byte(n.Value))}
	}
	for range maxSwaps {
		old, err := t.store.ListAttempts(ctx, keys)
		if err != nil {
			return fmt.Errorf("read the failed attempts: %w", err)
		}
		next := t.live(names, old)
		if err := change(next); err != nil {
			return err
		}
		if done, err := t.swap(ctx, old, next); err != nil || done {
			return err
		}
	}
	return tooManyAttempts(time.Second)
}

// live returns the counts, in which a count that has expired is 0.
func (t *Throttle) live(names []Name, counts []store.AttemptCount) []store.AttemptCount {
	now, live := t.time(), slices.Clone(counts)
	for i, n := range names {
		if now.Sub(counts[i].At) > policies[n.Scope].expiry {
			live[i] = store.AttemptCount{AttemptName: counts[i].AttemptName}
		}
	}
	return live
}

// swap stores the next counts and reports whether the old ones were still current.
func (t *Throttle) swap(ctx context.Context, old, next []store.AttemptCount) (bool, error) {
	added := 0
	for i := range next {
		switch {
		case next[i].Count > 0 && old[i].Count == 0:
			added++
		case next[i].Count == 0 && next[i].At.IsZero():
			next[i] = old[i] // expired before: no reason to write
		}
	}
	if slices.Equal(old, next) {
		return true, nil
	}
	done, err := t.store.SwapAttempts(ctx, old, next)
	if err != nil {
		return false, fmt.Errorf("count the attempt: %w", err)
	}
	if before := t.added.Add(int64(added)) - int64(added); done && before/trimInterval != (before+int64(added))/trimInterval {
		return true, t.Trim(ctx)
	}
	return done, nil
}

// Trim deletes expired counters, and the oldest ones if there are too many.
func (t *Throttle) Trim(ctx context.Context) error {
	return t.store.TrimAttempts(ctx, t.time().Add(-maxExpiry), maxCounters)
}

// claim marks those of the names that have no uncounted attempt, and returns them.
func (t *Throttle) claim(names []Name) (claimed []Name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range names {
		if !slices.Contains(t.claimed, n) {
			claimed = append(claimed, n)
		}
	}
	t.claimed = append(t.claimed, claimed...)
	return claimed
}

// isClaimed reports whether an attempt at n is not counted yet.
func (t *Throttle) isClaimed(n Name) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.claimed, n)
}

// release ends the claims of names whose attempts are counted now or need no count.
func (t *Throttle) release(names []Name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.claimed = slices.DeleteFunc(t.claimed, func(n Name) bool { return slices.Contains(names, n) })
}

func (t *Throttle) time() time.Time { return t.now().UTC().Truncate(time.Millisecond) }
