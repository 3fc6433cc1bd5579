package signin

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// While more strangers sign in than passwords can be hashed, each of them waits for at most
// strangerWait and is asked to try again, which counts no failure. People in a known browser or with a session do
// not wait for strangers.
func TestFloodOfSignIns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	owner := w.signUp(t, "ada@example.com")
	w.strangers = newHasher(1, time.Millisecond)
	w.strangers.slots <- struct{}{} // the hash of another stranger
	for range 10 {
		_, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
		wantError(t, err, toksta.CodeRateLimited, "Too many people")
	}
	_, err := w.SignUp(t.Context(), home, SignUpRequest{Name: "Eve", Email: "eve@example.com", Password: toksta.Hide(testPassword)})
	wantError(t, err, toksta.CodeRateLimited, "Too many people")
	if _, err := w.SignIn(t.Context(), known(owner, 1), "ada@example.com", toksta.Hide(testPassword)); err != nil {
		t.Errorf("a person in a known browser: %v", err)
	}
	if _, err := w.Confirm(t.Context(), home, owner.Identity, toksta.Hide(testPassword)); err != nil {
		t.Errorf("a person with a session: %v", err)
	}
	for _, name := range []Name{{ScopeAddress, "ada@example.com"}, {ScopeNetwork, home.Network()}} {
		if n, err := w.Throttle.Failures(t.Context(), name); err != nil || n != 0 {
			t.Errorf("%s: %d failures are counted, %v", name.Scope, n, err)
		}
	}
	// An attempt at a name with failures is counted before the hash, and withdrawn.
	<-w.strangers.slots
	_, err = w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide("wrong"))
	wantError(t, err, toksta.CodeUnauthorized, "wrong")
	w.strangers.slots <- struct{}{}
	for range 10 {
		_, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
		wantError(t, err, toksta.CodeRateLimited, "Too many people")
	}
	if n, err := w.Throttle.Failures(t.Context(), Name{ScopeAddress, "ada@example.com"}); err != nil || n != 1 {
		t.Errorf("%d failures are counted, want 1, %v", n, err)
	}
}

// A hash that finds no slot within the wait of its hasher is not computed.
func TestHashesWaitForALimitedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(1, strangerWait)
		h.key = func([]byte, []byte, uint32, uint32, uint8, uint32) []byte {
			<-time.After(time.Second)
			return make([]byte, tagLen)
		}
		var served atomic.Int64
		var wg sync.WaitGroup
		start := time.Now()
		for range 200 {
			wg.Go(func() {
				if _, err := h.of("").hash(t.Context(), toksta.Hide(testPassword)); err == nil {
					served.Add(1)
				}
			})
		}
		wg.Wait()
		if n, took := served.Load(), time.Since(start); n < 5 || n > 6 || took > strangerWait+time.Second {
			t.Errorf("%d hashes were computed in %s", n, took)
		}
	})
}

// One client with many requests at a time, also with the right password, leaves the hashes to others.
func TestOneSourceDoesNotTakeAllHashes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(1, 0)
		h.key = func([]byte, []byte, uint32, uint32, uint8, uint32) []byte {
			<-time.After(time.Second)
			return make([]byte, tagLen)
		}
		var rejected atomic.Int64
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if _, err := h.of("203.0.113.0/24").hash(t.Context(), toksta.Hide(testPassword)); toksta.ErrorCode(err) == toksta.CodeRateLimited {
					rejected.Add(1)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		if _, err := h.of("198.51.100.0/24").hash(t.Context(), toksta.Hide(testPassword)); err != nil || time.Since(start) > maxPending*time.Second+time.Second {
			t.Errorf("another source waited for %s: %v", time.Since(start), err)
		}
		wg.Wait()
		if n := rejected.Load(); n != 200-maxPending || len(h.pending) != 0 {
			t.Errorf("%d hashes of one source were rejected; %d sources are counted after the last one", n, len(h.pending))
		}
	})
}
