package signin

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// codeAt returns the code of an authenticator app, computed apart from package totp.
func codeAt(secret toksta.Hidden, at time.Time) toksta.Hidden {
	key, _ := base32.StdEncoding.DecodeString(secret.Reveal())
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, uint64(at.Unix()/30))
	sum := mac.Sum(nil)
	from := sum[19] & 15
	return toksta.Hide(fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:from+4])<<1>>1%1_000_000))
}

// nextStep moves the time to the next time step, whose code was not used.
func (w *world) nextStep() { w.now = w.now.Add(30 * time.Second) }

// withApp signs up a member with an authenticator app. It returns the session, the secret of the
// app and the recovery codes.
func (w *world) withApp(tb testing.TB, email string) (NewFactor, toksta.Hidden) {
	tb.Helper()
	in := w.signUp(tb, email)
	set, err := w.SetUpApp(tb.Context(), in.Identity)
	if err != nil {
		tb.Fatal(err)
	}
	added, err := w.ConfirmApp(tb.Context(), home, in.Identity, codeAt(set.Secret, w.now))
	if err != nil {
		tb.Fatal(err)
	}
	w.nextStep()
	return added, set.Secret
}

// firstProof signs in by password and requires a pending sign-in without a session.
func (w *world) firstProof(tb testing.TB, email string) toksta.Hidden {
	tb.Helper()
	a, err := w.SignIn(tb.Context(), home, email, toksta.Hide(testPassword))
	if err != nil {
		tb.Fatal(err)
	}
	if !a.IsPending() || a.Cookie.Reveal() != "" || w.isSignedIn(tb, a.Pending) {
		tb.Fatal("the password alone signs in")
	}
	return a.Pending
}

// With an authenticator app, neither the password nor any other first proof starts a session: the
// code does, with a session id that was not known before.
func TestSecondFactorAtSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	up, secret := w.withApp(t, "ada@example.com")
	pending := w.firstProof(t, "ada@example.com")
	in, err := w.CompleteWithCode(t.Context(), home, pending, codeAt(secret, w.now))
	if err != nil || in.Member.ID != up.Member.ID || !w.isSignedIn(t, in.Cookie) || in.Cookie.Reveal() == pending.Reveal() {
		t.Fatalf("%+v, %v", in, err)
	}
	if !in.Session.FactorAt.Equal(w.now) {
		t.Errorf("the factor was proved at %v", in.Session.FactorAt)
	}
	_, err = w.CompleteWithCode(t.Context(), home, pending, up.Codes[0])
	wantError(t, err, toksta.CodeUnauthorized, "expired")
	for _, method := range []Method{MethodPassword, MethodLink, MethodProvider} {
		a, err := w.admit(t.Context(), home, proof{Member: up.Member, Method: method, Provider: "sso", ProviderSession: "s"})
		if err != nil || !a.IsPending() {
			t.Fatalf("%s: %+v, %v", method, a, err)
		}
		w.nextStep()
		in, err := w.CompleteWithCode(t.Context(), home, a.Pending, codeAt(secret, w.now))
		if err != nil || in.Session.Method != method || in.Session.providerSession != "s" {
			t.Errorf("%s: %+v, %v", method, in.Session, err)
		}
	}
	changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Account: up.Account.ID})
	if err != nil || changes[0].Detail["factor"] != "totp" || changes[0].Detail["method"] != "provider" {
		t.Errorf("the change log has %+v, %v", changes[0], err)
	}
	for _, c := range changes {
		if text := fmt.Sprint(c.Detail); strings.Contains(text, secret.Reveal()) {
			t.Errorf("the change log has the secret: %s", text)
		}
	}
}

// A pending sign-in ends after 10 minutes, at a change of the password, when the member is disabled
// and when the member signs out everywhere. It is not the cookie of a session, nor the reverse.
func TestPendingSignInEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	for name, end := range map[string]func(NewFactor) error{
		"expired": func(NewFactor) error { w.now = w.now.Add(PendingLifetime); return nil },
		"reset": func(in NewFactor) error {
			return w.ResetPassword(t.Context(), operator, in.Member.ID, toksta.Hide("another battery staple"))
		},
		// A pending sign-in that a change of the password did not find, since it was stored later.
		"new password": func(in NewFactor) error {
			m := in.Member
			m.PasswordHash = "another"
			_, err := w.store.Commit(t.Context(), operator, decided(store.Mutation{Kind: toksta.ChangeMemberPasswordSet, Members: []toksta.Member{m}}))
			return err
		},
		"sign-out": func(in NewFactor) error { return w.SignOutEverywhere(t.Context(), in.Identity, false) },
		"disabled": func(in NewFactor) error {
			m := in.Member
			m.DisabledAt = w.now
			_, err := w.store.Commit(t.Context(), operator, decided(store.Mutation{Kind: toksta.ChangeMemberDisabled, Members: []toksta.Member{m}}))
			return err
		},
		"factors reset": func(in NewFactor) error { return w.ResetFactors(t.Context(), operator, in.Member.ID) },
	} {
		in, secret := w.withApp(t, strings.ReplaceAll(name, " ", "-")+"@example.com")
		pending := w.firstProof(t, in.Member.Email)
		if err := end(in); err != nil {
			t.Fatal(err)
		}
		_, err := w.CompleteWithCode(t.Context(), home, pending, codeAt(secret, w.now))
		wantError(t, err, toksta.CodeUnauthorized, "expired")
		w.now = w.now.Add(time.Minute)
	}
	in := w.signUp(t, "session@example.com")
	for _, cookie := range []toksta.Hidden{in.Cookie, {}, toksta.Hide("x")} {
		_, err := w.CompleteWithCode(t.Context(), home, cookie, toksta.Hide("123456"))
		wantError(t, err, toksta.CodeUnauthorized, "expired")
	}
}

// A code of another member does not complete a sign-in: the code belongs to the person of the
// first proof, in the browser of the first proof.
func TestFactorOfAnotherMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	w.withApp(t, "ada@example.com")
	eve, secret := w.withApp(t, "eve@example.com")
	pending := w.firstProof(t, "ada@example.com")
	for _, code := range []toksta.Hidden{codeAt(secret, w.now), eve.Codes[0]} {
		_, err := w.CompleteWithCode(t.Context(), home, pending, code)
		wantError(t, err, toksta.CodeValidation, "")
	}
}

// A code of the app is accepted once, also by two nodes at the same moment, and after a restart.
func TestCodeReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in, secret := w.withApp(t, "ada@example.com")
	other := New(w.Config) // another node
	code := codeAt(secret, w.now)
	var done sync.WaitGroup
	results, confirmed := make([]error, 8), make([]SignedIn, 8)
	for i := range results {
		node := []*Service{w.Service, other}[i%2]
		done.Go(func() { confirmed[i], results[i] = node.ConfirmWithCode(t.Context(), home, in.Identity, code) })
	}
	done.Wait()
	accepted := 0
	for i, err := range results {
		if err == nil {
			accepted++
			in.SignedIn = confirmed[i]
		}
	}
	if accepted != 1 {
		t.Errorf("one code was accepted %d times: %v", accepted, results)
	}
	w.now = w.now.Add(time.Second)
	w.Service = New(w.Config) // a restart forgets no time step
	if err := w.store.TrimAttempts(t.Context(), w.now.Add(time.Hour), 1); err != nil {
		t.Fatal(err)
	}
	_, err := w.ConfirmWithCode(t.Context(), home, in.Identity, code)
	wantError(t, err, toksta.CodeValidation, "used already")
	_, err = w.ConfirmWithCode(t.Context(), home, in.Identity, codeAt(secret, w.now.Add(-30*time.Second)))
	wantError(t, err, toksta.CodeValidation, "used already")
	w.nextStep()
	if _, err := w.ConfirmWithCode(t.Context(), home, in.Identity, codeAt(secret, w.now)); err != nil {
		t.Error(err)
	}
}

// Guesses at codes are limited over all nodes and restarts, without a limit for recovery codes. A
// right code is rejected during the delay.
func TestGuessesAtCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in, secret := w.withApp(t, "ada@example.com")
	wrong := toksta.Hide("000000")
	if codeAt(secret, w.now).Reveal() == "000000" {
		wrong = toksta.Hide("000001")
	}
	tried := 0
	for range 100 {
		switch _, err := New(w.Config).ConfirmWithCode(t.Context(), home, in.Identity, wrong); toksta.ErrorCode(err) {
		case toksta.CodeValidation:
			tried++
		case toksta.CodeRateLimited:
		default:
			t.Fatal(err)
		}
	}
	if tried != 6 {
		t.Errorf("%d guesses in a moment", tried)
	}
	_, err := w.ConfirmWithCode(t.Context(), home, in.Identity, codeAt(secret, w.now))
	wantError(t, err, toksta.CodeRateLimited, "1 second")
	if in.SignedIn, err = w.ConfirmWithCode(t.Context(), home, in.Identity, in.Codes[3]); err != nil {
		t.Errorf("a recovery code during the delay: %v", err)
	}
	for range 60 { // a minute apart, to the longest delay
		w.now = w.now.Add(time.Minute)
		_, _ = w.ConfirmWithCode(t.Context(), home, in.Identity, wrong)
	}
	w.now = w.now.Add(time.Hour)
	if _, err := w.ConfirmWithCode(t.Context(), home, in.Identity, codeAt(secret, w.now)); err != nil {
		t.Errorf("a right code after an hour: %v", err)
	}
}

// A recovery code works once. New codes end the old ones, and the removal of the last factor ends
// all of them.
func TestRecoveryCodeReuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in, _ := w.withApp(t, "ada@example.com")
	left := func() int {
		t.Helper()
		state, err := w.store.FactorState(t.Context(), in.Member.ID)
		if err != nil {
			t.Fatal(err)
		}
		return state.RecoveryCodes
	}
	session, err := w.CompleteWithCode(t.Context(), home, w.firstProof(t, "ada@example.com"), toksta.Hide(strings.ToLower(in.Codes[0].Reveal())))
	if err != nil || left() != 9 {
		t.Fatalf("%d codes left, %v", left(), err)
	}
	_, err = w.CompleteWithCode(t.Context(), home, w.firstProof(t, "ada@example.com"), in.Codes[0])
	wantError(t, err, toksta.CodeValidation, "unused recovery codes")
	next, err := w.RenewRecoveryCodes(t.Context(), home, session.Identity)
	if err != nil || len(next) != 10 || left() != 10 {
		t.Fatalf("%d codes, %v", left(), err)
	}
	_, err = w.ConfirmWithCode(t.Context(), home, session.Identity, in.Codes[1])
	wantError(t, err, toksta.CodeValidation, "unused recovery codes")
	if err := w.RemoveApp(t.Context(), home, session.Identity); err != nil || left() != 0 {
		t.Fatalf("%d codes after the removal, %v", left(), err)
	}
	if _, err := w.RenewRecoveryCodes(t.Context(), home, session.Identity); toksta.ErrorCode(err) != toksta.CodeConflict {
		t.Errorf("recovery codes without a factor: %v", err)
	}
	a, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
	if err != nil || a.IsPending() {
		t.Errorf("signing in without the removed app: %v", err)
	}
}

// An app counts only after a code of it, in the hour after its secret was shown, and its secret is
// not shown afterwards.
func TestAppSetUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in := w.signUp(t, "ada@example.com")
	first, err := w.SetUpApp(t.Context(), in.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.SetUpApp(t.Context(), in.Identity); err != nil || again.Secret.Reveal() != first.Secret.Reveal() {
		t.Errorf("a reload shows another secret, %v", err)
	}
	if a, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword)); err != nil || a.IsPending() {
		t.Errorf("an app that was not confirmed counts: %v", err)
	}
	_, err = w.ConfirmWithCode(t.Context(), home, in.Identity, codeAt(first.Secret, w.now))
	wantError(t, err, toksta.CodeValidation, "wrong")
	w.now = w.now.Add(setUpLifetime)
	_, err = w.ConfirmApp(t.Context(), home, in.Identity, codeAt(first.Secret, w.now))
	wantError(t, err, toksta.CodeValidation, "Scan the new code")
	second, err := w.SetUpApp(t.Context(), in.Identity)
	if err != nil || second.Secret.Reveal() == first.Secret.Reveal() {
		t.Fatalf("an old secret is used again, %v", err)
	}
	_, err = w.ConfirmApp(t.Context(), home, in.Identity, codeAt(first.Secret, w.now))
	wantError(t, err, toksta.CodeValidation, "wrong")
	added, err := w.ConfirmApp(t.Context(), home, in.Identity, codeAt(second.Secret, w.now))
	if err != nil || len(added.Codes) != 10 || w.isSignedIn(t, in.Cookie) || !w.isSignedIn(t, added.Cookie) {
		t.Fatalf("the session keeps its id: %v", err)
	}
	_, err = w.SetUpApp(t.Context(), added.Identity)
	wantError(t, err, toksta.CodeConflict, "Remove it")
	_, err = w.ConfirmApp(t.Context(), home, added.Identity, codeAt(second.Secret, w.now))
	wantError(t, err, toksta.CodeConflict, "Remove it")
	// The code that confirmed the app signs in to nothing.
	_, err = w.ConfirmWithCode(t.Context(), home, added.Identity, codeAt(second.Secret, w.now))
	wantError(t, err, toksta.CodeValidation, "used already")
}

// Guarantee: if a second factor is required, a person in a session that the vendor's back end began must
// have one, but proves it to the vendor. In another session without a proof, it is asked for.
func TestRequiredFactorInBoundSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	withApp, _ := w.withApp(t, "ada@example.com")
	without := w.signUp(t, "bob@example.com")
	w.RequireFactor = true
	for member, want := range map[toksta.MemberID]Need{withApp.Member.ID: NeedsNothing, without.Member.ID: NeedsFactor} {
		account := map[toksta.MemberID]toksta.AccountID{withApp.Member.ID: withApp.Account.ID, without.Member.ID: without.Account.ID}[member]
		in, err := w.open(t.Context(), w.link(t, VendorRequest{Account: account, Member: member}).Code)
		if err != nil {
			t.Fatal(err)
		}
		if who, err := w.Authenticate(t.Context(), in.Cookie); err != nil || who.Needs != want {
			t.Errorf("a bound session needs %q, want %q, %v", who.Needs, want, err)
		}
	}
	unproved, err := w.startSession(t.Context(), home, proof{Member: withApp.Member, Method: MethodLink})
	if err != nil {
		t.Fatal(err)
	}
	if who, err := w.Authenticate(t.Context(), unproved.Cookie); err != nil || who.Needs != NeedsProof {
		t.Errorf("a session without a proof needs %q, %v", who.Needs, err)
	}
}

// The operator's reset removes all factors and ends all sessions.
func TestResetFactors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	in, _ := w.withApp(t, "ada@example.com")
	for range 2 { // the second one changes nothing
		if err := w.ResetFactors(t.Context(), operator, in.Member.ID); err != nil {
			t.Fatal(err)
		}
	}
	state, err := w.store.FactorState(t.Context(), in.Member.ID)
	if err != nil || state != (store.FactorState{}) || w.isSignedIn(t, in.Cookie) {
		t.Errorf("%+v, %v", state, err)
	}
	changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Account: in.Account.ID, Limit: 2})
	if err != nil || changes[0].Kind != toksta.ChangeFactorRemoved || changes[1].Kind == toksta.ChangeFactorRemoved {
		t.Errorf("%+v, %v", changes, err)
	}
	wantError(t, w.ResetFactors(t.Context(), operator, "mem_x"), toksta.CodeNotFound, "")
	if a, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword)); err != nil || a.IsPending() {
		t.Errorf("the password does not suffice after the reset: %v", err)
	}
}

// decided returns a decision for a fixed mutation.
func decided(m store.Mutation) store.Decide {
	return func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }
}
