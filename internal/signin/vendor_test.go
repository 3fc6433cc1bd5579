package signin

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// commit makes a change of people as the operator.
func (w *world) commit(tb testing.TB, m store.Mutation) {
	tb.Helper()
	_, err := w.Log.Commit(tb.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
	if err != nil {
		tb.Fatal(err)
	}
}

// verify marks the address of a member as verified.
func (w *world) verify(tb testing.TB, m toksta.Member) {
	tb.Helper()
	m.VerifiedAt = w.now
	w.commit(tb, store.Mutation{Kind: toksta.ChangeMemberVerified, MemberID: m.ID, Members: []toksta.Member{m}})
}

// link returns a link of the vendor's back end.
func (w *world) link(tb testing.TB, req VendorRequest) VendorLink {
	tb.Helper()
	link, err := w.CreateVendorLink(tb.Context(), operator, req)
	if err != nil {
		tb.Fatal(err)
	}
	return link
}

// open uses a code as a browser does.
func (w *world) open(ctx context.Context, code toksta.Hidden) (SignedIn, error) {
	offer, err := w.VendorOffer(ctx, code)
	if err != nil {
		return SignedIn{}, err
	}
	return w.OpenVendorLink(ctx, home, offer)
}

// changes returns the number of the newest change.
func (w *world) changes(tb testing.TB) int64 {
	tb.Helper()
	newest, err := w.store.ListChanges(tb.Context(), store.ChangeQuery{Limit: 1})
	if err != nil || len(newest) != 1 {
		tb.Fatalf("%d changes, %v", len(newest), err)
	}
	return newest[0].Seq
}

// wantCode fails tb if err does not have the code.
func wantCode(tb testing.TB, name string, err error, code toksta.Code) {
	tb.Helper()
	if err == nil || toksta.ErrorCode(err) != code {
		tb.Errorf("%s: %v, want %s", name, err, code)
	}
}

// Guarantee: a link makes a new person a verified member with the requested role and without a
// password, and starts a session that is bound to the account and ends after its lifetime. The
// audit trail has the member, the session with the operator, and the sign-in.
func TestVendorLinkStartsBoundSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Closed)
	account := w.signUpOpen(t, "owner@example.com").Account
	link := w.link(t, VendorRequest{Account: account.ID, Email: " lin@example.com ", Name: "Lin", Next: "/account/keys/new", Lifetime: 10 * time.Minute})
	if m := link.Member; m.Email != "lin@example.com" || m.VerifiedAt.IsZero() || m.PasswordHash != "" || link.Role != toksta.MemberDeveloper {
		t.Errorf("the new member is %+v with role %s", m, link.Role)
	}
	offer, err := w.VendorOffer(t.Context(), link.Code)
	if err != nil || offer.Account.ID != account.ID || offer.Next != "/account/keys/new" {
		t.Fatalf("the offer is %+v, %v", offer, err)
	}
	in, err := w.OpenVendorLink(t.Context(), home, offer)
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.Authenticate(t.Context(), in.Cookie)
	if err != nil || !id.Session.Bound || id.Session.Method != MethodVendor || id.Account.ID != account.ID || id.Role != toksta.MemberDeveloper {
		t.Errorf("the session is %+v, %v", id, err)
	}
	_, err = w.AuthenticateEmbedded(t.Context(), in.Cookie)
	wantCode(t, "the cookie in a frame", err, toksta.CodeUnauthorized)
	changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Account: account.ID, Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []toksta.ChangeKind{toksta.ChangeMemberSignedIn, toksta.ChangeSessionCreated, toksta.ChangeMemberCreated} {
		c := changes[i]
		if byMember := c.Actor.Kind == toksta.ActorMember; c.Kind != want || c.MemberID != link.Member.ID || byMember != (i == 0) {
			t.Errorf("change %d is %s by %s about %s", i, c.Kind, c.Actor.Kind, c.MemberID)
		}
	}
	w.now = w.now.Add(10 * time.Minute)
	if w.isSignedIn(t, in.Cookie) {
		t.Error("the session continues after its lifetime")
	}
}

// signUpOpen signs a person up, whatever the policy is.
func (w *world) signUpOpen(tb testing.TB, email string) SignedIn {
	tb.Helper()
	policy := w.Policy
	defer func() { w.Policy = policy }()
	w.Policy = Open
	return w.signUp(tb, email)
}

// Guarantee: a code works once, also for simultaneous requests, within 60 seconds, and only where
// it was made for. The database has its SHA-256 and not the code.
func TestVendorCodeWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	owner := w.signUp(t, "owner@example.com")
	req := VendorRequest{Account: owner.Account.ID, Member: owner.Member.ID}
	code := w.link(t, req).Code
	if file, err := os.ReadFile(w.file); err != nil || bytes.Contains(file, []byte(code.Reveal())) {
		t.Errorf("the database has the code, or %v", err)
	}
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { _, errs[i] = w.open(t.Context(), code) })
	}
	wait.Wait()
	opened := 0
	for _, err := range errs {
		if err == nil {
			opened++
			continue
		}
		wantCode(t, "a repeated code", err, toksta.CodeUnauthorized)
	}
	if opened != 1 {
		t.Errorf("one code started %d sessions", opened)
	}

	late, early := w.link(t, req).Code, w.link(t, req).Code
	w.now = w.now.Add(VendorCodeTime - time.Millisecond)
	if _, err := w.open(t.Context(), early); err != nil {
		t.Errorf("within a minute: %v", err)
	}
	w.now = w.now.Add(time.Millisecond)
	_, err := w.open(t.Context(), late)
	wantCode(t, "after a minute", err, toksta.CodeUnauthorized)

	other, id := newSecret()
	if err := w.Tickets.PutTicket(t.Context(), store.Ticket{ID: id, Purpose: "reset", MemberID: owner.Member.ID, AccountID: owner.Account.ID, Data: "{}", ExpiresAt: w.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	_, err = w.open(t.Context(), other)
	wantCode(t, "a link for another purpose", err, toksta.CodeUnauthorized)

	framed := w.link(t, VendorRequest{Account: owner.Account.ID, Member: owner.Member.ID, Embedded: true}).Code
	in, err := w.open(t.Context(), framed)
	if err != nil || w.isSignedIn(t, in.Cookie) {
		t.Errorf("the session of a frame is valid outside of it, or %v", err)
	}
	if _, err := w.AuthenticateEmbedded(t.Context(), in.Cookie); err != nil {
		t.Errorf("the session of a frame: %v", err)
	}
	_, err = w.AuthenticateEmbedded(t.Context(), owner.Cookie)
	wantCode(t, "an ordinary session in a frame", err, toksta.CodeUnauthorized)
}

// Guarantee: a replaced code does not work any more, and the new one is for a window. Further
// replacements do not extend the time.
func TestVendorCodeIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	owner := w.signUp(t, "owner@example.com")
	code := w.link(t, VendorRequest{Account: owner.Account.ID, Member: owner.Member.ID, Embedded: true}).Code
	offer, err := w.VendorOffer(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	next, err := w.ReissueVendorLink(t.Context(), offer)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.open(t.Context(), code)
	wantCode(t, "the replaced code", err, toksta.CodeUnauthorized)
	_, err = w.ReissueVendorLink(t.Context(), offer)
	wantCode(t, "a second replacement", err, toksta.CodeUnauthorized)
	w.now = w.now.Add(VendorReissueTime - time.Millisecond)
	if offer, err = w.VendorOffer(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if next, err = w.ReissueVendorLink(t.Context(), offer); err != nil {
		t.Fatal(err)
	}
	if offer, err = w.VendorOffer(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if in, err := w.open(t.Context(), next); err != nil || !w.isSignedIn(t, in.Cookie) {
		t.Errorf("the new code: %v", err)
	}
	if left := offer.ticket.ExpiresAt.Sub(w.now); left != time.Millisecond {
		t.Errorf("the second replacement is valid for %v", left)
	}
}

// Guarantee: a link is denied for a person who was removed or disabled, for one who never verified
// the address and is not in the account, for a closed account, and for a member of another
// account. A denial changes nothing.
func TestVendorLinkIsDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	account := w.signUp(t, "owner@example.com").Account
	stranger, disabled := w.signUp(t, "stranger@example.com").Member, w.signUp(t, "disabled@example.com").Member
	closed := w.signUp(t, "closed@example.com")
	disabled.DisabledAt = w.now
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberDisabled, MemberID: disabled.ID, Members: []toksta.Member{disabled}})
	closed.Account.ClosedAt = w.now
	w.commit(t, store.Mutation{Kind: toksta.ChangeAccountClosed, AccountID: closed.Account.ID, Accounts: []toksta.Account{closed.Account}})
	in := func(email string, change func(*toksta.Membership)) toksta.Member {
		m := w.link(t, VendorRequest{Account: account.ID, Email: email, Name: "Lin"}).Member
		place, err := w.Store.Membership(t.Context(), account.ID, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		change(&place)
		w.commit(t, store.Mutation{Kind: toksta.ChangeMemberRemoved, AccountID: account.ID, MemberID: m.ID, Memberships: []toksta.Membership{place}})
		return m
	}
	removed := in("removed@example.com", func(m *toksta.Membership) { m.RemovedAt = w.now })
	paused := in("paused@example.com", func(m *toksta.Membership) { m.DisabledAt = w.now })
	for name, c := range map[string]struct {
		req  VendorRequest
		code toksta.Code
		text string // in the message
	}{
		"an unverified person of another account": {VendorRequest{Email: "stranger@example.com"}, toksta.CodeConflict, "has not verified"},
		"a person who is disabled":                {VendorRequest{Email: "disabled@example.com"}, toksta.CodeConflict, "person is disabled."},
		"a removed member":                        {VendorRequest{Email: removed.Email}, toksta.CodeConflict, "was removed"},
		"a removed member by id":                  {VendorRequest{Member: removed.ID}, toksta.CodeConflict, "was removed"},
		"a disabled member":                       {VendorRequest{Member: paused.ID}, toksta.CodeConflict, "disabled in the account"},
		"a closed account":                        {VendorRequest{Account: closed.Account.ID, Member: closed.Member.ID}, toksta.CodeConflict, "is closed"},
		"a member of another account":             {VendorRequest{Member: stranger.ID}, toksta.CodeNotFound, ""},
		"an unknown member":                       {VendorRequest{Member: "mem_none"}, toksta.CodeNotFound, ""},
		"an unknown account":                      {VendorRequest{Account: "acct_none", Email: "lin@example.com", Name: "Lin"}, toksta.CodeNotFound, ""},
		"a new person without a name":             {VendorRequest{Email: "lin@example.com"}, toksta.CodeValidation, ""},
		"neither id nor address":                  {VendorRequest{Name: "Lin"}, toksta.CodeValidation, ""},
		"id and address":                          {VendorRequest{Member: removed.ID, Email: "lin@example.com"}, toksta.CodeValidation, ""},
		"an unknown role":                         {VendorRequest{Email: "lin@example.com", Name: "Lin", Role: "root"}, toksta.CodeValidation, ""},
		"the vendor's name":                       {VendorRequest{Email: "lin@example.com", Name: "the vendor"}, toksta.CodeValidation, ""},
		"a page of another site":                  {VendorRequest{Email: "lin@example.com", Name: "Lin", Next: "//evil.example/account"}, toksta.CodeValidation, ""},
		"a page of another site, escaped":         {VendorRequest{Email: "lin@example.com", Name: "Lin", Next: `/account\@evil.example`}, toksta.CodeValidation, ""},
		"a page with a backslash":                 {VendorRequest{Email: "lin@example.com", Name: "Lin", Next: `/account/\evil.example`}, toksta.CodeValidation, ""},
		"a page that is not an account page":      {VendorRequest{Email: "lin@example.com", Name: "Lin", Next: "/accounting"}, toksta.CodeValidation, ""},
		"a lifetime over 12 hours":                {VendorRequest{Email: "lin@example.com", Name: "Lin", Lifetime: 12*time.Hour + time.Second}, toksta.CodeValidation, ""},
		"a negative lifetime":                     {VendorRequest{Email: "lin@example.com", Name: "Lin", Lifetime: -time.Hour}, toksta.CodeValidation, ""},
	} {
		if c.req.Account == "" {
			c.req.Account = account.ID
		}
		before := w.changes(t)
		_, err := w.CreateVendorLink(t.Context(), operator, c.req)
		wantCode(t, name, err, c.code)
		if err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want the text %q", name, err, c.text)
		}
		if after := w.changes(t); after != before {
			t.Errorf("%s: made %d changes", name, after-before)
		}
	}
}

// ownLink returns the code of a link for a purpose to the member of a session.
func (w *world) ownLink(tb testing.TB, purpose string, id Identity) toksta.Hidden {
	tb.Helper()
	code, err := w.putTicket(tb.Context(), store.Ticket{
		Purpose: purpose, MemberID: id.Member.ID, ExpiresAt: w.now.Add(time.Hour),
	}, linkData{Email: id.Member.Email, Next: "new@example.com"})
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

// Guarantee: a person who has other accounts gets a session for this account only. The session
// cannot reach another account, and neither shows nor changes how the person signs in. It ends
// when the person is removed from the account.
func TestBoundSessionStaysInItsAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	account := w.signUp(t, "owner@example.com").Account
	person := w.signUp(t, "lin@example.com")
	w.verify(t, person.Member)
	link := w.link(t, VendorRequest{Account: account.ID, Email: "LIN@example.com", Role: toksta.MemberViewer})
	if link.Member.ID != person.Member.ID || link.Role != toksta.MemberViewer {
		t.Fatalf("the link is for %s as %s", link.Member.ID, link.Role)
	}
	in, err := w.open(t.Context(), link.Code)
	if err != nil {
		t.Fatal(err)
	}
	id, ctx := in.Identity, t.Context()
	_, switched := w.Switch(ctx, id, person.Account.ID)
	_, listed := w.ListSessions(ctx, id)
	_, confirmed := w.Confirm(ctx, home, id, toksta.Hide(testPassword))
	_, changed := w.ChangePassword(ctx, home, id, PasswordRequest{toksta.Hide(testPassword), toksta.Hide("another long sentence")})
	_, codeConfirmed := w.ConfirmWithCode(ctx, home, id, toksta.Hide("123456"))
	_, appSetUp := w.SetUpApp(ctx, id)
	_, appConfirmed := w.ConfirmApp(ctx, home, id, toksta.Hide("123456"))
	_, renewed := w.RenewRecoveryCodes(ctx, home, id)
	_, challenged := w.BeginPasskeyConfirm(ctx, id, toksta.Hidden{})
	_, passkeyConfirmed := w.ConfirmWithPasskey(ctx, home, id, PasskeyResponse{})
	_, passkeyBegun := w.BeginAddPasskey(ctx, id, toksta.Hidden{})
	_, passkeyAdded := w.AddPasskey(ctx, home, id, PasskeyResponse{})
	_, passkeysListed := w.ListPasskeys(ctx, id)
	for name, err := range map[string]error{
		"confirm with a code": codeConfirmed, "set up an app": appSetUp, "confirm an app": appConfirmed, "renew recovery codes": renewed,
		"remove an app": w.RemoveApp(ctx, home, id), "confirm with a passkey": passkeyConfirmed, "get a challenge": challenged,
		"begin a passkey": passkeyBegun, "add a passkey": passkeyAdded, "list passkeys": passkeysListed,
		"rename a passkey": w.RenamePasskey(ctx, home, id, store.Passkey{Name: "x"}), "remove a passkey": w.RemovePasskey(ctx, home, id, "pass_x"),
		"switch": switched, "list sessions": listed, "confirm": confirmed,
		"change the password": changed,
		"change the profile":  w.ChangeProfile(ctx, home, id, ProfileRequest{Name: "Eve", Email: "eve@example.com", Current: toksta.Hide(testPassword)}),
		"end other sessions":  w.SignOutEverywhere(ctx, id, true),
		"verify by a link":    w.VerifyByLink(ctx, home, id, w.ownLink(t, purposeVerify, id)),
		"change the address":  w.ChangeAddressByLink(ctx, home, id, w.ownLink(t, purposeAddress, id)),
		"ask for a mail":      w.RequestVerification(ctx, home, id),
		"unlink a provider":   w.Unlink(ctx, home, id, "acme"),
		"link a provider":     w.linkVisitor(ctx, home, id, visitor{Provider: Provider{Name: "acme"}}),
	} {
		if toksta.ErrorCode(err) != toksta.CodeForbidden || !strings.Contains(err.Error(), "for one account only") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !w.isSignedIn(t, person.Cookie) {
		t.Error("the bound session ended the person's own")
	}
	later := w.link(t, VendorRequest{Account: account.ID, Member: person.Member.ID}).Code
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberRemoved, AccountID: account.ID, MemberID: person.Member.ID,
		Memberships: []toksta.Membership{{AccountID: account.ID, MemberID: person.Member.ID, Role: toksta.MemberViewer, CreatedAt: w.now, RemovedAt: w.now}},
	})
	if w.isSignedIn(t, in.Cookie) {
		t.Error("the session continues after the person was removed from its account")
	}
	_, err = w.open(ctx, later)
	wantCode(t, "a link of a removed member", err, toksta.CodeUnauthorized)
	if !w.isSignedIn(t, person.Cookie) {
		t.Error("the removal ended the person's own session in another account")
	}
}

// Guarantee: a sign-up with another person's address, which was not verified so far, neither keeps
// that person out of the account nor gets into it.
func TestVendorLinkEndsUnverifiedSignUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	account := w.signUp(t, "owner@example.com").Account
	squatter := w.signUp(t, "lin@example.com")
	squatter.Member.ExpiresAt = w.now.Add(24 * time.Hour)
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberProfileSet, MemberID: squatter.Member.ID, Members: []toksta.Member{squatter.Member}})
	unnamed := VendorRequest{Account: account.ID, Email: "lin@example.com"}
	_, err := w.CreateVendorLink(t.Context(), operator, unnamed)
	wantCode(t, "without a name", err, toksta.CodeConflict)
	if !w.isSignedIn(t, squatter.Cookie) {
		t.Error("a rejected request ended the sign-up")
	}
	link := w.link(t, VendorRequest{Account: account.ID, Email: "lin@example.com", Name: "Lin"})
	if link.Member.ID == squatter.Member.ID || link.Member.VerifiedAt.IsZero() {
		t.Errorf("the link is for the person of the sign-up: %+v", link.Member)
	}
	if w.isSignedIn(t, squatter.Cookie) {
		t.Error("the session of the sign-up continues")
	}
	_, err = w.SignIn(t.Context(), home, "lin@example.com", toksta.Hide(testPassword))
	wantCode(t, "the password of the sign-up", err, toksta.CodeUnauthorized)
}
