package signin

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// isSignedIn reports whether the cookie authenticates.
func (w *world) isSignedIn(tb testing.TB, c toksta.Hidden) bool {
	tb.Helper()
	_, err := w.Authenticate(tb.Context(), c)
	if err != nil && toksta.ErrorCode(err) != toksta.CodeUnauthorized {
		tb.Fatal(err)
	}
	return err == nil
}

// A session ends after a week without use, and after thirty days in any case.
func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	idle, used := w.signUp(t, "ada@example.com"), w.signUp(t, "bob@example.com")
	start := w.now
	for w.now.Before(start.Add(30 * 24 * time.Hour)) {
		if !w.isSignedIn(t, used.Cookie) {
			t.Fatalf("a session in use ended after %v", w.now.Sub(start))
		}
		w.now = w.now.Add(6 * 24 * time.Hour)
	}
	if w.isSignedIn(t, used.Cookie) {
		t.Error("a session continues for more than thirty days")
	}
	w.now = start.Add(7*24*time.Hour - time.Millisecond)
	again := w.isSignedIn(t, idle.Cookie)
	w.now = start.Add(7 * 24 * time.Hour)
	if !again || !w.isSignedIn(t, idle.Cookie) { // the check a millisecond ago was a use
		t.Error("a session ended within a week of its last use")
	}
	w.now = w.now.Add(7 * 24 * time.Hour)
	if w.isSignedIn(t, idle.Cookie) {
		t.Error("a session continues after a week without use")
	}
}

// With a short idle time, too, a used session continues and an unused one ends.
func TestShortIdleTime(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{time.Minute, 5 * time.Minute, 6 * time.Minute, time.Hour} {
		w := newWorld(t, Open)
		w.Idle = idle
		in := w.signUp(t, "ada@example.com")
		for range 30 {
			for _, step := range []time.Duration{idle / 50, idle * 9 / 10} {
				w.now = w.now.Add(step)
				if !w.isSignedIn(t, in.Cookie) {
					t.Fatalf("idle %v: a session in use ended", idle)
				}
			}
		}
		if w.now = w.now.Add(idle); w.isSignedIn(t, in.Cookie) {
			t.Errorf("idle %v: an unused session continues", idle)
		}
	}
}

// Use at one node counts at every node, and so do idle time, maximum age and end of a session.
func TestSessionsOverNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in, ended := w.signUp(t, "ada@example.com"), w.signUp(t, "bob@example.com")
	other := w.node(w.store)
	live := func(n *world, c toksta.Hidden, at time.Time) bool {
		n.now = at
		return n.isSignedIn(t, c)
	}
	start, day := w.now, 24*time.Hour
	for i, n := range []*world{w, other, w, other, w} { // each node alone sees a longer pause
		if at := start.Add(time.Duration(6*i) * day); !live(n, in.Cookie, at) {
			t.Fatalf("a session that is used at another node ended after %v", at.Sub(start))
		}
	}
	if live(other, in.Cookie, start.Add(30*day)) {
		t.Error("a session continues at another node for more than thirty days")
	}
	if live(other, ended.Cookie, start.Add(7*day)) {
		t.Error("a session continues at another node after a week without use")
	}
	w.now, other.now = start, start
	if err := other.SignOut(t.Context(), ended.Cookie); err != nil || w.isSignedIn(t, ended.Cookie) {
		t.Errorf("a session that was ended at one node is live at another, %v", err)
	}
}

// Only the exact cookie authenticates.
func TestOtherCookiesAreRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in := w.signUp(t, "ada@example.com")
	cookie := in.Cookie.Reveal()
	for _, other := range []string{
		"", "x", cookie + "A", cookie[:42], strings.ToUpper(cookie),
		in.Session.id.String(), base64.RawURLEncoding.EncodeToString(in.Session.id[:]),
	} {
		if w.isSignedIn(t, toksta.Hide(other)) {
			t.Errorf("%q signs in", other)
		}
	}
}

// interruptedStore calls afterRead after each read of a session.
type interruptedStore struct {
	store.Sessions
	afterRead func()
}

func (i interruptedStore) Session(ctx context.Context, id toksta.Digest) (store.Session, error) {
	s, err := i.Sessions.Session(ctx, id)
	i.afterRead()
	return s, err
}

// A request that runs while its session is ended does not restore the session.
func TestSignOutDuringARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in := w.signUp(t, "ada@example.com")
	sessions := w.Sessions
	w.Sessions = interruptedStore{sessions, func() {
		if err := sessions.EndSessions(t.Context(), store.SessionSet{Member: in.Member.ID}); err != nil {
			t.Error(err)
		}
	}}
	w.now = w.now.Add(time.Hour) // so that the request writes the session back
	if w.isSignedIn(t, in.Cookie) {
		t.Error("the request is signed in")
	}
	w.Sessions = sessions
	if w.isSignedIn(t, in.Cookie) {
		t.Error("the session is live again")
	}
}

// Signing out ends the selected sessions and no others.
func TestSignOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	other := w.signUp(t, "bob@example.com")
	var mine []SignedIn
	mine = append(mine, w.signUp(t, "ada@example.com"))
	for range 3 {
		w.now = w.now.Add(time.Minute)
		in, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
		if err != nil {
			t.Fatal(err)
		}
		mine = append(mine, in.SignedIn)
	}
	signedIn := func() (out []bool) {
		for _, in := range mine {
			out = append(out, w.isSignedIn(t, in.Cookie))
		}
		return out
	}
	list, err := w.ListSessions(t.Context(), mine[2].Identity)
	if err != nil || len(list) != 4 || !list[1].Current || list[0].Current || list[0].Address != "203.0.113.7" {
		t.Errorf("list %+v, %v", list, err)
	}
	if err := w.SignOut(t.Context(), mine[0].Cookie); err != nil {
		t.Fatal(err)
	}
	if got := signedIn(); got[0] || !got[1] || !got[2] || !got[3] {
		t.Errorf("after signing out one: %v", got)
	}
	if err := w.SignOutEverywhere(t.Context(), mine[2].Identity, true); err != nil {
		t.Fatal(err)
	}
	if got := signedIn(); got[1] || !got[2] || got[3] {
		t.Errorf("after signing out the others: %v", got)
	}
	if err := w.SignOutEverywhere(t.Context(), mine[2].Identity, false); err != nil {
		t.Fatal(err)
	}
	if got := signedIn(); got[2] || !w.isSignedIn(t, other.Cookie) {
		t.Errorf("after signing out everywhere: %v, another member %v", got, w.isSignedIn(t, other.Cookie))
	}
}

// A change of the password requires the current one, ends all other sessions and replaces the own one.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	mine := w.signUp(t, "ada@example.com")
	thief, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	change := func(current, next string) error {
		in, err := w.ChangePassword(t.Context(), home, mine.Identity, PasswordRequest{Current: toksta.Hide(current), Next: toksta.Hide(next)})
		if err == nil {
			mine = in
		}
		return err
	}
	wantError(t, change("wrong", "a much better one"), toksta.CodeValidation, "current password")
	wantError(t, change(testPassword, "short"), toksta.CodeValidation, "at least 12")
	if !w.isSignedIn(t, thief.Cookie) {
		t.Error("a rejected change ended sessions")
	}
	old := mine.Cookie
	if err := change(testPassword, "a much better one"); err != nil {
		t.Fatal(err)
	}
	if !w.isSignedIn(t, mine.Cookie) || w.isSignedIn(t, old) || w.isSignedIn(t, thief.Cookie) {
		t.Errorf("own session %v, with the old cookie %v, other %v", w.isSignedIn(t, mine.Cookie), w.isSignedIn(t, old), w.isSignedIn(t, thief.Cookie))
	}
	_, err = w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
	wantError(t, err, toksta.CodeUnauthorized, "wrong")
	if _, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide("a much better one")); err != nil {
		t.Error(err)
	}
}

// If the password is changed, or the member disabled, during a sign-in with the old state, the sign-in
// fails and leaves no session.
func TestChangeDuringSignIn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world, toksta.Member) error{
		"another password": func(w *world, m toksta.Member) error {
			return w.ResetPassword(t.Context(), operator, m.ID, toksta.Hide("a much better one"))
		},
		"disabled": func(w *world, m toksta.Member) error {
			m.DisabledAt = w.now
			w.commit(t, store.Mutation{Kind: toksta.ChangeMemberDisabled, MemberID: m.ID, Members: []toksta.Member{m}})
			return w.endSessions(t.Context(), store.SessionSet{Member: m.ID})
		},
	} {
		w := newWorld(t, Open)
		m := w.signUp(t, "ada@example.com").Member
		hash := w.strangers.key
		var isChanged atomic.Bool
		w.strangers.key = func(password, salt []byte, a, b uint32, c uint8, n uint32) []byte {
			if isChanged.CompareAndSwap(false, true) {
				if err := change(w, m); err != nil {
					t.Error(err)
				}
			}
			return hash(password, salt, a, b, c, n)
		}
		_, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
		wantError(t, err, toksta.CodeUnauthorized, "wrong")
		if left, err := w.Sessions.ListSessions(t.Context(), m.ID, w.now); err != nil || len(left) != 0 {
			t.Errorf("%s: %d sessions are left, %v", name, len(left), err)
		}
	}
}

// Confirm replaces the session by a new one that starts now.
func TestConfirm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in := w.signUp(t, "ada@example.com")
	w.now = w.now.Add(time.Hour)
	_, err := w.Confirm(t.Context(), home, in.Identity, toksta.Hide("wrong"))
	wantError(t, err, toksta.CodeUnauthorized, "wrong")
	again, err := w.Confirm(t.Context(), home, in.Identity, toksta.Hide(testPassword))
	if err != nil || !again.Session.CreatedAt.Equal(w.now) {
		t.Fatalf("%+v, %v", again.Session, err)
	}
	if w.isSignedIn(t, in.Cookie) || !w.isSignedIn(t, again.Cookie) {
		t.Error("the session was not replaced")
	}
}

// Guesses at a member's address must not prevent the signed-in member from confirming
// the password, which is necessary to revoke keys. Guesses with a stolen session are
// throttled too.
func TestConfirmDuringGuesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in := w.signUp(t, "ada@example.com")
	for range 50 {
		_, _ = w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide("wrong"))
	}
	_, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
	wantError(t, err, toksta.CodeRateLimited, "Try again")
	in, err = w.Confirm(t.Context(), home, in.Identity, toksta.Hide(testPassword))
	if err != nil {
		t.Fatalf("the owner cannot confirm: %v", err)
	}
	change := PasswordRequest{Current: toksta.Hide(testPassword), Next: toksta.Hide("another horse battery")}
	if in, err = w.ChangePassword(t.Context(), home, in.Identity, change); err != nil {
		t.Fatalf("the owner cannot change the password: %v", err)
	}
	before := w.hashes.Load()
	for i := range 50 {
		_, err = w.Confirm(t.Context(), from(i), in.Identity, toksta.Hide("wrong"))
	}
	wantError(t, err, toksta.CodeRateLimited, "Try again")
	if n := w.hashes.Load() - before; n != 6 {
		t.Errorf("%d guesses with a session got through", n)
	}
}

// The operator can create members and reset passwords. The sessions of a disabled
// member are rejected immediately.
func TestOperatorManagesMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Closed)
	account := toksta.Account{ID: "acct_1", Name: "Acme", Plan: "FREE"}
	put := func(m store.Mutation) {
		_, err := w.Log.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	put(store.Mutation{Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{account}})
	req := MemberRequest{Account: "acct_1", Name: "Ada", Email: "ada@example.com", Password: toksta.Hide(testPassword)}
	m, err := w.CreateMember(t.Context(), operator, req)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.CreateMember(t.Context(), operator, req)
	wantError(t, err, toksta.CodeConflict, "Invite the person")
	req.Account, req.Email = "acct_none", "bob@example.com"
	_, err = w.CreateMember(t.Context(), operator, req)
	wantError(t, err, toksta.CodeNotFound, "account")

	in, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ResetPassword(t.Context(), operator, m.ID, toksta.Hide("a much better one")); err != nil {
		t.Fatal(err)
	}
	if w.isSignedIn(t, in.Cookie) {
		t.Error("a reset leaves sessions open")
	}
	in, err = w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide("a much better one"))
	if err != nil {
		t.Fatal(err)
	}
	in.Member.DisabledAt = w.now
	put(store.Mutation{Kind: toksta.ChangeMemberDisabled, Members: []toksta.Member{in.Member}})
	if w.isSignedIn(t, in.Cookie) {
		t.Error("a disabled member is signed in")
	}
	wantError(t, w.ResetPassword(t.Context(), operator, "mem_none", toksta.Hide(testPassword)), toksta.CodeNotFound, "member")
}

// There are never more simultaneous hashes than configured, and a cancelled attempt
// computes none.
func TestHashesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(3, 0)
		var running, most atomic.Int64
		h.key = func([]byte, []byte, uint32, uint32, uint8, uint32) []byte {
			most.Store(max(most.Load(), running.Add(1)))
			<-time.After(time.Second)
			running.Add(-1)
			return make([]byte, tagLen)
		}
		var wg sync.WaitGroup
		var served atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		for range 20 {
			wg.Go(func() {
				if _, err := h.of("").hash(ctx, toksta.Hide(testPassword)); err == nil {
					served.Add(1)
				}
			})
		}
		wg.Wait()
		if most.Load() != 3 || served.Load() != 9 {
			t.Errorf("%d at once, %d served", most.Load(), served.Load())
		}
	})
}

// The memory for successful sign-ins is bounded when many members sign in.
func TestSignInsAreBounded(t *testing.T) {
	t.Parallel()
	s := signIns{backoff: backoff{free: 1, limit: time.Minute, expiry: time.Hour}}
	now := time.Unix(1e9, 0)
	for i := range 5 * maxTracked {
		s.attempt(toksta.MemberID(strconv.Itoa(i)), now)
		if n := len(s.recent) + len(s.old); n > 2*maxTracked {
			t.Fatalf("%d members are kept", n)
		}
	}
}

// A hash is argon2id with the stated parameters and a salt, and matches only its
// password, in whichever way the keyboard writes its characters. Comparing with a malformed hash is an error, not a mismatch.
func TestHash(t *testing.T) {
	t.Parallel()
	h := newHasher(1, 0)
	one, err := h.of("").hash(t.Context(), toksta.Hide(testPassword))
	if err != nil || !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", one, err)
	}
	two, err := h.of("").hash(t.Context(), toksta.Hide(testPassword))
	if err != nil || one == two {
		t.Error("two hashes share a salt")
	}
	for word, want := range map[string]bool{testPassword: true, testPassword + " ": false} {
		if got, err := h.of("").matches(t.Context(), one, toksta.Hide(word)); err != nil || got != want {
			t.Errorf("%q matches %v, %v", word, got, err)
		}
	}
	// "é" as one code point and as two.
	for set, typed := range map[string]string{"caf\u00e9 au lait, please": "cafe\u0301 au lait, please", "cafe\u0301 noir, please": "caf\u00e9 noir, please"} {
		encoded, err := h.of("").hash(t.Context(), toksta.Hide(set))
		if err != nil {
			t.Fatal(err)
		}
		if same, err := h.of("").matches(t.Context(), encoded, toksta.Hide(typed)); err != nil || !same {
			t.Errorf("%+q does not match %+q: %v", typed, set, err)
		}
	}
	p, err := parsePHC(dummyHash)
	if q, _ := parsePHC(one); err != nil || p.memory != q.memory || p.time != q.time || p.threads != q.threads || len(p.salt) != len(q.salt) {
		t.Errorf("an unknown address costs %+v, %v", p, err)
	}
	for _, malformed := range []string{"", "x", strings.Replace(one, "argon2id", "argon2i", 1), one[:len(one)-1], strings.Replace(one, "t=2", "t=0", 1)} {
		if _, err := h.of("").matches(t.Context(), malformed, toksta.Hide(testPassword)); err == nil {
			t.Errorf("the malformed hash %q is accepted", malformed)
		}
	}
}

// Guarantee: a session that a member uses after losing its account, and before the sessions of the account
// are ended, is not valid when the member is enabled again, even if the member has another account.
func TestSessionOfALostAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in, other := w.signUp(t, "ada@example.com"), w.signUp(t, "bob@example.com")
	membership, err := w.store.Membership(t.Context(), in.Account.ID, in.Member.ID)
	if err != nil {
		t.Fatal(err)
	}
	second := membership
	second.AccountID = other.Account.ID
	commit := func(kind toksta.ChangeKind, memberships ...toksta.Membership) {
		t.Helper()
		_, err := w.Log.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{Kind: kind, Memberships: memberships}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	membership.DisabledAt = w.now
	commit(toksta.ChangeMemberDisabled, membership, second)
	if w.isSignedIn(t, in.Cookie) {
		t.Error("the session moved to another account")
	}
	membership.DisabledAt = time.Time{}
	commit(toksta.ChangeMemberEnabled, membership)
	if w.isSignedIn(t, in.Cookie) {
		t.Error("the session is valid again")
	}
}

// Guarantee: a session shows only the accounts of its member, and a disabled member has no session, also
// without an account.
func TestSessionWithoutAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in, other := w.signUp(t, "ada@example.com"), w.signUp(t, "bob@example.com")
	_, err := w.Switch(t.Context(), in.Identity, other.Account.ID)
	wantError(t, err, toksta.CodeNotFound, string(other.Account.ID))
	if !w.isSignedIn(t, in.Cookie) {
		t.Error("the rejected switch ended the session")
	}
	lone := toksta.Member{ID: "mem_lone", Email: "lone@example.com", CreatedAt: w.now}
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, MemberID: lone.ID, Members: []toksta.Member{lone}})
	started, err := w.startSession(t.Context(), home, proof{Member: lone, Method: MethodLink})
	if err != nil || !w.isSignedIn(t, started.Cookie) {
		t.Fatalf("a session without an account: %v", err)
	}
	lone.DisabledAt = w.now
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberDisabled, MemberID: lone.ID, Members: []toksta.Member{lone}})
	if w.isSignedIn(t, started.Cookie) {
		t.Error("the disabled member is signed in")
	}
}
