package signin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/signin/passkey"
	"github.com/toksta/toksta/internal/signin/passkey/passkeytest"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// newPasskeyWorld returns a world with passkeys, and an authenticator.
func newPasskeyWorld(t *testing.T) (*world, *passkeytest.Authenticator) {
	t.Helper()
	w := newWorld(t, Open)
	var err error
	w.Passkeys, err = passkey.New(passkey.Config{Domain: "acme.example", Origin: "https://acme.example", Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	return w, &passkeytest.Authenticator{Origin: "https://acme.example", Domain: "acme.example"}
}

// answer returns the response of an authenticator to a challenge.
func answer(t *testing.T, c PasskeyChallenge, authenticate func([]byte) (string, error)) PasskeyResponse {
	t.Helper()
	response, err := authenticate(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	return PasskeyResponse{Browser: c.Browser, Response: response}
}

// addPasskey adds a passkey in the authenticator to a signed-in member.
func (w *world) addPasskey(t *testing.T, in SignedIn, a *passkeytest.Authenticator) SignedIn {
	t.Helper()
	c, err := w.BeginAddPasskey(t.Context(), in.Identity, toksta.Hidden{})
	if err != nil {
		t.Fatal(err)
	}
	added, err := w.AddPasskey(t.Context(), home, in.Identity, answer(t, c, a.Create))
	if err != nil {
		t.Fatal(err)
	}
	return added.SignedIn
}

// signInChallenge returns a challenge for a sign-in and the response of the authenticator.
func (w *world) signInChallenge(t *testing.T, a *passkeytest.Authenticator) PasskeyResponse {
	t.Helper()
	c, err := w.BeginPasskeySignIn(t.Context(), home, toksta.Hidden{})
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, c, a.Get)
}

// A passkey signs in without a name, also a person with an authenticator app, since it verifies the
// person. Adding it and confirming with it change the id of the session.
func TestPasskeySignIn(t *testing.T) {
	t.Parallel()
	w, a := newPasskeyWorld(t)
	up, _ := w.withApp(t, "ada@example.com")
	added := w.addPasskey(t, up.SignedIn, a)
	if w.isSignedIn(t, up.Cookie) || !w.isSignedIn(t, added.Cookie) {
		t.Error("the session keeps its id when a passkey is added")
	}
	in, err := w.SignInWithPasskey(t.Context(), home, w.signInChallenge(t, a))
	if err != nil || in.IsPending() || in.Member.ID != up.Member.ID || in.Session.Method != MethodPasskey || !in.Session.FactorAt.Equal(w.now) {
		t.Fatalf("%+v, %v", in, err)
	}
	c, err := w.BeginPasskeyConfirm(t.Context(), in.Identity, toksta.Hidden{})
	if err != nil {
		t.Fatal(err)
	}
	confirmed, err := w.ConfirmWithPasskey(t.Context(), home, in.Identity, answer(t, c, a.Get))
	if err != nil || w.isSignedIn(t, in.Cookie) || !w.isSignedIn(t, confirmed.Cookie) {
		t.Errorf("the session keeps its id when it is confirmed: %v", err)
	}
	list, err := w.ListPasskeys(t.Context(), in.Identity)
	if err != nil || len(list) != 1 || list[0].Name != "Firefox" || list[0].SignCount != 2 || !list[0].UsedAt.Equal(w.now) || list[0].Transports != "internal" {
		t.Errorf("%+v, %v", list, err)
	}
	changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Account: up.Account.ID, Limit: 2})
	if err != nil || changes[0].Detail["method"] != "passkey" || changes[1].Kind != toksta.ChangeFactorAdded {
		t.Errorf("%+v, %v", changes, err)
	}
}

// A challenge is answered once, in time, by the browser and for the purpose and the person for
// which it was made.
func TestPasskeyChallenges(t *testing.T) {
	t.Parallel()
	w, a := newPasskeyWorld(t)
	ada := w.addPasskey(t, w.signUp(t, "ada@example.com"), a)
	eve := w.addPasskey(t, w.signUp(t, "eve@example.com"), &passkeytest.Authenticator{Origin: a.Origin, Domain: a.Domain})
	used := w.signInChallenge(t, a)
	if _, err := w.SignInWithPasskey(t.Context(), home, used); err != nil {
		t.Fatal(err)
	}
	_, err := w.SignInWithPasskey(t.Context(), home, used)
	wantError(t, err, toksta.CodeValidation, "too long")
	late := w.signInChallenge(t, a)
	w.now = w.now.Add(challengeLifetime)
	other, stolen := w.signInChallenge(t, a), w.signInChallenge(t, a)
	stolen.Browser = other.Browser
	without := w.signInChallenge(t, a)
	without.Browser = toksta.Hidden{}
	confirm, err1 := w.BeginPasskeyConfirm(t.Context(), ada.Identity, toksta.Hidden{})
	forEve, err2 := w.BeginPasskeyConfirm(t.Context(), eve.Identity, toksta.Hidden{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]PasskeyResponse{
		"late": late, "another browser": stolen, "no browser": without, "another purpose": answer(t, confirm, a.Get), "empty": {},
	} {
		if _, err := w.SignInWithPasskey(t.Context(), home, r); toksta.ErrorCode(err) != toksta.CodeValidation || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A response is used up by a rejected use.
	if _, err := w.SignInWithPasskey(t.Context(), home, answer(t, confirm, a.Get)); err == nil {
		t.Error("a rejected response is accepted later")
	}
	_, err = w.ConfirmWithPasskey(t.Context(), home, ada.Identity, answer(t, forEve, a.Get))
	wantError(t, err, toksta.CodeValidation, "too long")
	_, err = w.AddPasskey(t.Context(), home, ada.Identity, w.signInChallenge(t, a))
	wantError(t, err, toksta.CodeValidation, "too long")
	// Two tabs of one browser each have a challenge.
	first, err := w.BeginPasskeySignIn(t.Context(), home, other.Browser)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []PasskeyResponse{other, answer(t, first, a.Get)} {
		if _, err := w.SignInWithPasskey(t.Context(), home, r); err != nil {
			t.Error(err)
		}
	}
}

// A passkey of another person confirms nothing, and completes no sign-in. A response from another
// page, without verification, or of a removed passkey or a disabled person is rejected.
func TestRejectedPasskeys(t *testing.T) {
	t.Parallel()
	w, a := newPasskeyWorld(t)
	up, _ := w.withApp(t, "ada@example.com")
	ada := w.addPasskey(t, up.SignedIn, a)
	foreign := &passkeytest.Authenticator{Origin: a.Origin, Domain: a.Domain}
	eve := w.addPasskey(t, w.signUp(t, "eve@example.com"), foreign)
	confirm, err := w.BeginPasskeyConfirm(t.Context(), ada.Identity, toksta.Hidden{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.ConfirmWithPasskey(t.Context(), home, ada.Identity, answer(t, confirm, foreign.As(string(ada.Member.ID)).Get))
	wantError(t, err, toksta.CodeValidation, "not known")
	pending := w.firstProof(t, "ada@example.com")
	challenge, err := w.BeginPasskeyFactor(t.Context(), pending, toksta.Hidden{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.CompleteWithPasskey(t.Context(), home, pending, answer(t, challenge, foreign.Get))
	wantError(t, err, toksta.CodeValidation, "not known")
	if challenge, err = w.BeginPasskeyConfirm(t.Context(), ada.Identity, challenge.Browser); err != nil {
		t.Fatal(err)
	}
	_, err = w.CompleteWithPasskey(t.Context(), home, pending, answer(t, challenge, a.Get))
	wantError(t, err, toksta.CodeValidation, "too long")
	if challenge, err = w.BeginPasskeyFactor(t.Context(), pending, challenge.Browser); err != nil {
		t.Fatal(err)
	}
	if in, err := w.CompleteWithPasskey(t.Context(), home, pending, answer(t, challenge, a.Get)); err != nil || in.Member.ID != ada.Member.ID {
		t.Errorf("the own passkey as a second factor: %v", err)
	}
	for _, alter := range []func(*passkeytest.Authenticator){
		func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" },
		func(a *passkeytest.Authenticator) { a.Domain = "evil.example" },
		func(a *passkeytest.Authenticator) { a.Unverified = true },
	} {
		altered := a.Use(0)
		alter(altered)
		_, err := w.SignInWithPasskey(t.Context(), home, w.signInChallenge(t, altered))
		wantError(t, err, toksta.CodeValidation, "could not be verified")
		if failed, ok := errors.AsType[*Failure](err); !ok || failed.Member != ada.Member.ID {
			t.Errorf("the error does not name the member: %v", err)
		}
	}
	list, err := w.ListPasskeys(t.Context(), ada.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.RemovePasskey(t.Context(), home, eve.Identity, list[0].ID); toksta.ErrorCode(err) != toksta.CodeNotFound {
		t.Errorf("Eve removes a passkey of Ada: %v", err)
	}
	if err := w.RenamePasskey(t.Context(), home, eve.Identity, store.Passkey{ID: list[0].ID, Name: "Mine"}); toksta.ErrorCode(err) != toksta.CodeNotFound {
		t.Errorf("Eve renames a passkey of Ada: %v", err)
	}
	w.PasswordOff = true
	wantError(t, w.RemovePasskey(t.Context(), home, ada.Identity, list[0].ID), toksta.CodeConflict, "last way to sign in")
	w.PasswordOff = false
	if err := w.RemovePasskey(t.Context(), home, ada.Identity, list[0].ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.SignInWithPasskey(t.Context(), home, w.signInChallenge(t, a))
	wantError(t, err, toksta.CodeValidation, "not known")
	gone := eve.Member
	gone.DisabledAt = w.now
	if _, err := w.store.Commit(t.Context(), operator, decided(store.Mutation{Kind: toksta.ChangeMemberDisabled, Members: []toksta.Member{gone}})); err != nil {
		t.Fatal(err)
	}
	_, err = w.SignInWithPasskey(t.Context(), home, w.signInChallenge(t, foreign))
	wantError(t, err, toksta.CodeValidation, "not known")
}

// A sign count that goes back is rejected once and shown to the owner. The next greater count is
// accepted. An authenticator without a count is never suspect.
func TestSignCountRegression(t *testing.T) {
	t.Parallel()
	w, a := newPasskeyWorld(t)
	in := w.addPasskey(t, w.signUp(t, "ada@example.com"), a)
	try := func(count uint32) error {
		a.Count, a.Fixed = count, true
		w.now = w.now.Add(time.Minute)
		_, err := w.SignInWithPasskey(t.Context(), home, w.signInChallenge(t, a))
		return err
	}
	stored := func() store.Passkey {
		t.Helper()
		list, err := w.ListPasskeys(t.Context(), in.Identity)
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	for range 2 {
		if err := try(0); err != nil {
			t.Errorf("no count: %v", err)
		}
	}
	if err := try(5); err != nil {
		t.Error(err)
	}
	wantError(t, try(5), toksta.CodeValidation, "copy")
	if p := stored(); p.SignCount != 5 || !p.SuspectedAt.Equal(w.now) || !p.UsedAt.Equal(w.now.Add(-time.Minute)) {
		t.Errorf("%+v", p)
	}
	if err := try(6); err != nil {
		t.Error(err)
	}
	if p := stored(); p.SignCount != 6 || p.SuspectedAt.IsZero() {
		t.Errorf("%+v", p)
	}
}

// A passkey has a name that its owner can change; names are checked, and their number is limited.
func TestPasskeyNames(t *testing.T) {
	t.Parallel()
	w, a := newPasskeyWorld(t)
	in := w.addPasskey(t, w.signUp(t, "ada@example.com"), a)
	list, err := w.ListPasskeys(t.Context(), in.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.RenamePasskey(t.Context(), home, in.Identity, store.Passkey{ID: list[0].ID, Name: " Work  phone "}); err != nil {
		t.Fatal(err)
	}
	err = w.RenamePasskey(t.Context(), home, in.Identity, store.Passkey{ID: list[0].ID, Name: strings.Repeat("x", 1000)})
	wantError(t, err, toksta.CodeValidation, "")
	if list, err = w.ListPasskeys(t.Context(), in.Identity); err != nil || list[0].Name != "Work phone" {
		t.Errorf("%+v, %v", list, err)
	}
	for range MaxPasskeys - 1 {
		in = w.addPasskey(t, in, &passkeytest.Authenticator{Origin: a.Origin, Domain: a.Domain})
	}
	_, err = w.BeginAddPasskey(t.Context(), in.Identity, toksta.Hidden{})
	wantError(t, err, toksta.CodeConflict, "20 passkeys")
}

// If a second factor is required, a passkey is one: after the password it is asked for, and with the
// first passkey the person gets recovery codes.
func TestPasskeyAsRequiredFactor(t *testing.T) {
	t.Parallel()
	w, a := newPasskeyWorld(t)
	in := w.addPasskey(t, w.signUp(t, "ada@example.com"), a)
	if next, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword)); err != nil || next.IsPending() {
		t.Errorf("a passkey alone makes the second factor required: %v", err)
	}
	w.RequireFactor = true
	w.firstProof(t, "ada@example.com")
	party := w.Passkeys
	w.Passkeys = nil // the vendor switches passkeys off: the person must set up an app
	if next, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword)); err != nil || next.IsPending() {
		t.Errorf("a passkey is asked for that no page accepts: %v", err)
	} else if who, err := w.Authenticate(t.Context(), next.Cookie); err != nil || who.Needs != NeedsFactor {
		t.Errorf("without passkeys the person needs %q, %v", who.Needs, err)
	}
	w.Passkeys = party
	second := &passkeytest.Authenticator{Origin: a.Origin, Domain: a.Domain}
	for i, want := range []int{10, 0} {
		c, err := w.BeginAddPasskey(t.Context(), in.Identity, toksta.Hidden{})
		if err != nil {
			t.Fatal(err)
		}
		device := []*passkeytest.Authenticator{second, {Origin: a.Origin, Domain: a.Domain}}[i]
		added, err := w.AddPasskey(t.Context(), home, in.Identity, answer(t, c, device.Create))
		if err != nil || len(added.Codes) != want {
			t.Fatalf("%d codes, %v", len(added.Codes), err)
		}
		in = added.SignedIn
	}
}
