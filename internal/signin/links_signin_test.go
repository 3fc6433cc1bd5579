package signin

import (
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

// newLinkWorld returns a world with links to sign in.
func newLinkWorld(tb testing.TB) (*world, *postbox) {
	tb.Helper()
	w, box := newMailWorld(tb)
	w.Links = true
	return w, box
}

// signInLink asks for a link to sign in and returns the cookies of the browser that opened it.
func (w *world) signInLink(tb testing.TB, box *postbox, binding toksta.Hidden, email string) LinkCookies {
	tb.Helper()
	binding, err := w.RequestSignInLink(tb.Context(), home, LinkRequest{Email: email, Next: "/account/profile", Binding: binding})
	if err != nil {
		tb.Fatal(err)
	}
	path, code := box.code(email)
	if path != SignInLinkPath {
		tb.Errorf("the link leads to %s", path)
	}
	return LinkCookies{Code: code, Binding: binding}
}

// Guarantee: a link signs the member in once, in the browser that asked for it, with a session of its
// own. Several links that one browser asked for work.
func TestSignInByLink(t *testing.T) {
	t.Parallel()
	w, box := newLinkWorld(t)
	w.signUp(t, "ada@example.com")
	if err := w.reset(t, w.resetCode(t, box, "ada@example.com")); err != nil { // verifies the address
		t.Fatal(err)
	}
	first := w.signInLink(t, box, toksta.Hidden{}, "ada@example.com")
	second := w.signInLink(t, box, first.Binding, "ada@example.com")
	stranger := w.signInLink(t, box, toksta.Hidden{}, "ada@example.com")
	for _, c := range []LinkCookies{{Code: first.Code}, {first.Code, stranger.Binding}, {first.Code, toksta.Hide("x")}} {
		_, err := w.SignInAddress(t.Context(), c)
		wantError(t, err, toksta.CodeForbidden, "in the browser in which you asked")
		_, _, err = w.SignInByLink(t.Context(), home, c)
		wantError(t, err, toksta.CodeForbidden, "in the browser in which you asked")
	}
	if email, err := w.SignInAddress(t.Context(), first); err != nil || email != "ada@example.com" {
		t.Errorf("%q, %v", email, err)
	}
	for _, c := range []LinkCookies{first, second} {
		in, next, err := w.SignInByLink(t.Context(), home, c)
		if err != nil || in.IsPending() || next != "/account/profile" || in.Session.Method != MethodLink || !w.isSignedIn(t, in.Cookie) {
			t.Fatalf("%+v to %s, %v", in, next, err)
		}
		_, _, err = w.SignInByLink(t.Context(), home, c)
		wantError(t, err, toksta.CodeForbidden, "used before")
	}
	if _, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(nextPassword)); err != nil {
		t.Errorf("the password of a verified member: %v", err)
	}
	w.now = w.now.Add(LinkLifetime)
	_, err := w.SignInAddress(t.Context(), stranger)
	wantError(t, err, toksta.CodeForbidden, "expired")
}

// Guarantee: a link does not replace the second factor.
func TestLinkNeedsSecondFactor(t *testing.T) {
	t.Parallel()
	w, box := newLinkWorld(t)
	_, secret := w.withApp(t, "ada@example.com")
	a, _, err := w.SignInByLink(t.Context(), home, w.signInLink(t, box, toksta.Hidden{}, "ada@example.com"))
	if err != nil || !a.IsPending() || a.Cookie.Reveal() != "" {
		t.Fatalf("the link alone signs in: %v", err)
	}
	if in, err := w.CompleteWithCode(t.Context(), home, a.Pending, codeAt(secret, w.now)); err != nil || !w.isSignedIn(t, in.Cookie) {
		t.Errorf("with the code: %v", err)
	}
}

// Guarantee: a link that is the first proof of an address removes the password, the sessions and, of a
// sign-up that is not confirmed, the second factors, which a stranger can have set.
func TestLinkTakesOver(t *testing.T) {
	t.Parallel()
	w, box := newLinkWorld(t)
	w.Verification = VerifyBeforeKeys
	stranger, _ := w.withApp(t, "victim@example.com")
	a, _, err := w.SignInByLink(t.Context(), home, w.signInLink(t, box, toksta.Hidden{}, "victim@example.com"))
	if err != nil || a.IsPending() || !w.isSignedIn(t, a.Cookie) || a.Member.IsProvisional() {
		t.Fatalf("%+v, %v", a, err)
	}
	if w.isSignedIn(t, stranger.Cookie) {
		t.Error("the stranger's session continues")
	}
	if _, err := w.SignIn(t.Context(), from(7), "victim@example.com", toksta.Hide(testPassword)); err == nil {
		t.Error("the stranger's password works")
	}
}

// Guarantee: requests of strangers, also from the member's own network, do not delay the member in a
// browser that is known. Without the setting, no link is sent.
func TestLinkRequestsDoNotLockOut(t *testing.T) {
	t.Parallel()
	w, box := newLinkWorld(t)
	up := w.signUp(t, "ada@example.com")
	limited := false
	for i := range 100 {
		_, err := w.RequestSignInLink(t.Context(), from(i), LinkRequest{Email: "ada@example.com"})
		limited = limited || toksta.ErrorCode(err) == toksta.CodeRateLimited
	}
	if !limited || len(box.mails) > 10 {
		t.Errorf("%d mails at once", len(box.mails))
	}
	own := home
	own.Browser = up.Browser
	if _, err := w.RequestSignInLink(t.Context(), own, LinkRequest{Email: "ada@example.com"}); err != nil {
		t.Errorf("in the member's browser: %v", err)
	}
	if err := w.RequestReset(t.Context(), home, ResetRequest{Email: "ada@example.com"}); err != nil {
		t.Errorf("a new password: %v", err)
	}
	w.Links = false
	_, err := w.RequestSignInLink(t.Context(), own, LinkRequest{Email: "ada@example.com"})
	wantError(t, err, toksta.CodeForbidden, "not offered")
}
