package signin

import (
	"context"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// newVerifyingWorld returns a world with mail whose new members must prove their addresses.
func newVerifyingWorld(tb testing.TB, v Verification) (*world, *postbox) {
	tb.Helper()
	w, box := newMailWorld(tb)
	w.Verification = v
	w.Log = members.Log{Log: sqlitetest.DirectLog{Mutator: w.store}, RequireVerified: true}
	return w, box
}

// signUpCode requests a link to sign up and returns its code.
func (w *world) signUpCode(tb testing.TB, box *postbox, email string) toksta.Hidden {
	tb.Helper()
	if err := w.RequestSignUp(tb.Context(), home, SignUpStart{Email: email}); err != nil {
		tb.Fatal(err)
	}
	path, code := box.code(email)
	if path != SignUpLinkPath {
		tb.Errorf("the link leads to %s", path)
	}
	return code
}

// Guarantee: with verification before the sign-in, a sign-up stores no member and no account until
// the link is used. The member then has the address to which the link was mailed, not that
// of the form, and the link works once.
func TestSignUpByLink(t *testing.T) {
	t.Parallel()
	w, box := newVerifyingWorld(t, VerifyBeforeSignIn)
	form := SignUpRequest{Name: "Ada", AccountName: "Acme", Email: "victim@example.com", Password: toksta.Hide(testPassword)}
	_, err := w.SignUp(t.Context(), home, form)
	wantError(t, err, toksta.CodeForbidden, "Open the link")
	code := w.signUpCode(t, box, "ada@example.com")
	if changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{}); err != nil || len(changes) > 0 {
		t.Errorf("%d changes before the link was used, %v", len(changes), err)
	}
	short := form
	short.Password = toksta.Hide("short")
	_, err = w.SignUpByLink(t.Context(), home, code, short)
	wantError(t, err, toksta.CodeValidation, "at least 12")
	if email, err := w.SignUpAddress(t.Context(), code); err != nil || email != "ada@example.com" {
		t.Errorf("an invalid form used the link: %q, %v", email, err)
	}
	in, err := w.SignUpByLink(t.Context(), home, code, form)
	if err != nil || in.Member.Email != "ada@example.com" || !in.Member.VerifiedAt.Equal(w.now) || in.Account.Name != "Acme" {
		t.Fatalf("%+v, %v", in.Identity, err)
	}
	_, err = w.SignUpByLink(t.Context(), home, code, form)
	wantError(t, err, toksta.CodeForbidden, "used before")
}

// Guarantee: the mail to a known address says that there is an account, and that to an unknown
// one has the link. Both requests have the same result. The mail has nothing that a stranger
// wrote, except the address.
func TestSignUpMails(t *testing.T) {
	t.Parallel()
	w, box := newVerifyingWorld(t, VerifyBeforeSignIn)
	if _, err := w.SignUpByLink(t.Context(), home, w.signUpCode(t, box, "ada@example.com"), SignUpRequest{Name: "Ada", Password: toksta.Hide(testPassword)}); err != nil {
		t.Fatal(err)
	}
	if err := w.RequestSignUp(t.Context(), from(2), SignUpStart{Email: "ADA@example.com"}); err != nil {
		t.Fatal(err)
	}
	last := box.mails[len(box.mails)-1]
	if last.To != "ada@example.com" || linkPattern.MatchString(last.Text) || last.Subject != "Skies: you have an account already" {
		t.Errorf("the mail to a member: %+v", last)
	}
	for _, email := range []string{"a@", "", "ada@example.com\nBcc: eve@example.com", "Eve <eve@example.com>"} {
		wantError(t, w.RequestSignUp(t.Context(), from(3), SignUpStart{Email: email}), toksta.CodeValidation, "Give an e-mail address")
	}
	wantError(t, w.RequestSignUp(t.Context(), from(3), SignUpStart{Email: "x@example.com", Invitation: toksta.Hide("wrong")}), toksta.CodeForbidden, "invitation")
	w.Policy = Closed
	wantError(t, w.RequestSignUp(t.Context(), from(3), SignUpStart{Email: "x@example.com"}), toksta.CodeForbidden, "closed")
}

// Guarantee: a stranger keeps no access to an account made with another person's address. A person
// without the session and opens the link confirms no stranger's password. A new password
// by mail ends the stranger's sessions, password and second factor. Until the address is confirmed,
// no key, invitation or sign-in provider can be added, which would outlive that.
func TestPreHijacking(t *testing.T) {
	t.Parallel()
	w, box := newVerifyingWorld(t, VerifyBeforeKeys)
	stranger := w.signUp(t, "victim@example.com")
	_, code := box.code("victim@example.com")
	if !stranger.Member.IsProvisional() || !stranger.Member.ExpiresAt.Equal(w.now.Add(24*time.Hour)) {
		t.Errorf("the sign-up ends at %v", stranger.Member.ExpiresAt)
	}
	for kind, allowed := range map[toksta.ChangeKind]bool{
		toksta.ChangeKeyCreated: false, toksta.ChangeKeyRotated: false, toksta.ChangeInvitationCreated: false,
		toksta.ChangeIdentityLinked: false, toksta.ChangeMemberRoleSet: false, toksta.ChangeKeyRevoked: true, toksta.ChangeAccountRenamed: true,
	} {
		_, err := w.Log.Commit(t.Context(), stranger.Actor(home), func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{Kind: kind, AccountID: stranger.Account.ID, MemberID: stranger.Member.ID}, nil
		})
		if (err == nil) != allowed {
			t.Errorf("%s before the address is confirmed: %v", kind, err)
		}
	}
	app, err := w.SetUpApp(t.Context(), stranger.Identity)
	if err != nil {
		t.Fatal(err)
	}
	setUp, err := w.ConfirmApp(t.Context(), home, stranger.Identity, codeAt(app.Secret, w.now))
	if err != nil {
		t.Fatal(err)
	}
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeFactorAdded, MemberID: stranger.Member.ID,
		Passkeys: []store.Passkey{{ID: "pass_s", MemberID: stranger.Member.ID, Name: "Stranger's phone", Credential: []byte("c"), PublicKey: []byte("k"), CreatedAt: w.now}},
	})
	provisional := setUp.Member
	change, err := w.proveAddress(t.Context(), w.Store, &provisional)
	if err != nil || len(change.Passkeys) != 1 || change.Passkeys[0].RemovedAt.IsZero() || change.Passkeys[0].Name != "" || len(change.TOTPs) != 1 {
		t.Errorf("the stranger's factors become %+v, %v", change, err)
	}
	other := w.signUp(t, "other@example.com")
	wantError(t, w.VerifyByLink(t.Context(), home, other.Identity, code), toksta.CodeForbidden, "used before")

	if err := w.reset(t, w.resetCode(t, box, "victim@example.com")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Authenticate(t.Context(), setUp.Cookie); toksta.ErrorCode(err) != toksta.CodeUnauthorized {
		t.Errorf("the stranger's session: %v", err)
	}
	if _, err := w.SignIn(t.Context(), home, "victim@example.com", toksta.Hide(testPassword)); err == nil {
		t.Error("the stranger's password works")
	}
	in, err := w.SignIn(t.Context(), from(4), "victim@example.com", toksta.Hide(nextPassword))
	if err != nil || in.IsPending() || in.Member.IsProvisional() {
		t.Fatalf("the owner of the address: %+v, %v", in, err)
	}
	if state, err := w.Store.FactorState(t.Context(), in.Member.ID); err != nil || state.HasFactor() {
		t.Errorf("factors of the stranger: %+v, %v", state, err)
	}
	if codes, err := w.Store.ListRecoveryCodes(t.Context(), in.Member.ID); err != nil || len(codes) > 0 {
		t.Errorf("%d recovery codes of the stranger, %v", len(codes), err)
	}
}

// Guarantee: the person who signed up confirms the address with a link in the session, once, and
// the sign-up no longer ends.
func TestVerifyByLink(t *testing.T) {
	t.Parallel()
	w, box := newVerifyingWorld(t, VerifyBeforeKeys)
	in := w.signUp(t, "ada@example.com")
	path, code := box.code("ada@example.com")
	if path != VerifyPath {
		t.Errorf("the link leads to %s", path)
	}
	if err := w.RequestVerification(t.Context(), home, in.Identity); err != nil || len(box.mails) != 2 {
		t.Errorf("a further mail: %v", err)
	}
	if err := w.VerifyByLink(t.Context(), home, in.Identity, code); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.VerifyByLink(t.Context(), home, in.Identity, code), toksta.CodeForbidden, "used before")
	id, err := w.Authenticate(t.Context(), in.Cookie)
	if err != nil || !id.Member.VerifiedAt.Equal(w.now) || !id.Member.ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", id.Member, err)
	}
	wantError(t, w.RequestVerification(t.Context(), home, id), toksta.CodeConflict, "confirmed already")
	w.now = w.now.Add(48 * time.Hour)
	if err := w.expireSignUps(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Authenticate(t.Context(), in.Cookie); err != nil {
		t.Errorf("a verified member expired: %v", err)
	}
}

// Guarantee: a sign-up whose address is not confirmed ends: the address is free for another
// sign-up, also before the sweep, the sessions end and the account is closed. It stays if
// the account has keys, which were made while no confirmation was needed.
func TestSignUpsExpire(t *testing.T) {
	t.Parallel()
	w, box := newVerifyingWorld(t, VerifyBeforeKeys)
	first := w.signUp(t, "ada@example.com")
	_, code := box.code("ada@example.com")
	keeper := w.signUp(t, "keeper@example.com")
	_, err := w.Log.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeKeyCreated, AccountID: keeper.Account.ID, Keys: []toksta.Key{{ID: "key_a", AccountID: keeper.Account.ID, Name: "a"}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(24*time.Hour - time.Millisecond)
	if err := w.expireSignUps(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Authenticate(t.Context(), first.Cookie); err != nil {
		t.Errorf("the sign-up ended early: %v", err)
	}
	w.now = w.now.Add(time.Millisecond)
	second := w.signUp(t, "ada@example.com")
	if second.Member.ID == first.Member.ID || second.Account.ID == first.Account.ID {
		t.Error("the sign-up was continued")
	}
	wantError(t, w.VerifyByLink(t.Context(), home, first.Identity, code), toksta.CodeForbidden, "used before")
	w.now = w.now.Add(time.Second)
	for range 2 {
		if err := w.expireSignUps(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Authenticate(t.Context(), first.Cookie); toksta.ErrorCode(err) != toksta.CodeUnauthorized {
		t.Errorf("a session of the ended sign-up: %v", err)
	}
	for id, closed := range map[toksta.AccountID]bool{first.Account.ID: true, second.Account.ID: false, keeper.Account.ID: false} {
		if a, err := w.Store.Account(t.Context(), id); err != nil || a.ClosedAt.IsZero() == closed {
			t.Errorf("account %s is closed at %v, %v; want closed %v", id, a.ClosedAt, err, closed)
		}
	}
	m, err := w.Store.Member(t.Context(), first.Member.ID)
	if err != nil || m.Email+m.Name+m.PasswordHash != "" || m.DisabledAt.IsZero() {
		t.Errorf("the ended member: %+v, %v", m, err)
	}
	if m, err := w.Store.MemberByEmail(t.Context(), "keeper@example.com"); err != nil || !m.IsProvisional() {
		t.Errorf("the member of an account with keys: %+v, %v", m, err)
	}
}
