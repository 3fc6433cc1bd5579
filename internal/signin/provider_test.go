package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/signin/oidc/oidctest"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// providerWorld is a world with the provider acme, which signs in Ada.
type providerWorld struct {
	*world
	acme *oidctest.Provider
}

func newProviderWorld(t *testing.T, change func(*Provider)) *providerWorld {
	t.Helper()
	w := &providerWorld{world: newWorld(t, Open), acme: oidctest.Start(t)}
	w.acme.Now = func() time.Time { return w.now }
	w.acme.Claims = map[string]any{"sub": "s-1", "email": "ada@acme.example", "email_verified": true, "name": "Ada", "sid": "one"}
	p := Provider{Name: "acme", Label: "Acme", SignUp: Open}
	if change != nil {
		change(&p)
	}
	p.Protocol = oidc.New(oidc.Config{
		Kind: oidc.OpenID, Issuer: w.acme.URL, ClientID: oidctest.ClientID, ClientSecret: toksta.Hide(oidctest.ClientSecret),
		RedirectURL: "https://keys.example.com/signin/with/acme/callback", VerifiedClaim: "email_verified", Now: func() time.Time { return w.now },
	})
	w.Providers = []Provider{p}
	return w
}

// attempt starts a sign-in and returns the request with which the browser comes back.
func (w *providerWorld) attempt(t *testing.T, start ProviderStart) ProviderReturn {
	t.Helper()
	start.Provider = "acme"
	d, err := w.StartProvider(t.Context(), home, start)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(w.acme.SignIn(d.URL))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	return ProviderReturn{Provider: "acme", State: q.Get("state"), Code: toksta.Hide(q.Get("code")), Issuer: q.Get("iss"), Cookie: d.Cookie}
}

func (w *providerWorld) signInWith(t *testing.T) (Returned, error) {
	t.Helper()
	return w.FinishProvider(t.Context(), home, w.attempt(t, ProviderStart{}))
}

// enter signs in and expects a session.
func (w *providerWorld) enter(t *testing.T) Identity {
	t.Helper()
	r, err := w.signInWith(t)
	if err != nil {
		t.Fatal(err)
	}
	id, err := w.Authenticate(t.Context(), r.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func wantCause(t *testing.T, err error, reason toksta.Reason) {
	t.Helper()
	e, ok := errors.AsType[*toksta.Error](err)
	if !ok || e.Reason != reason {
		t.Errorf("got %v, want the reason %s", err, reason)
	}
}

// enterWithApp signs up a person by the provider, who adds an authenticator app and a password.
func (w *providerWorld) enterWithApp(t *testing.T) (Identity, AppSetUp) {
	t.Helper()
	id := w.enter(t)
	app, err := w.SetUpApp(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	confirmed, err := w.ConfirmApp(t.Context(), home, id, codeAt(app.Secret, w.now))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := w.ChangePassword(t.Context(), home, confirmed.Identity, PasswordRequest{Next: toksta.Hide(testPassword)})
	if err != nil {
		t.Fatal(err)
	}
	return changed.Identity, app
}

// account creates an account with an owner.
func (w *providerWorld) account(t *testing.T, id toksta.AccountID) {
	t.Helper()
	owner := toksta.Member{ID: toksta.MemberID("mem_" + id), Email: string(id) + "@example.com", Name: "Owner", CreatedAt: w.now}
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{{ID: id, Name: string(id), Plan: "FREE"}}, Members: []toksta.Member{owner},
		Memberships: []toksta.Membership{{AccountID: id, MemberID: owner.ID, Role: toksta.MemberOwner, CreatedAt: w.now}},
	})
}

// Guarantee: a person who comes by a provider for the first time gets a member whose address is
// verified, and comes back to it by the subject, whatever the address is then.
func TestProviderSignUp(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	first := w.enter(t)
	if first.Member.VerifiedAt.IsZero() || first.Member.PasswordHash != "" || first.Role != toksta.MemberOwner || first.Session.Method != MethodProvider {
		t.Errorf("%+v", first)
	}
	w.acme.Claims["email"], w.acme.Claims["email_verified"] = "renamed@elsewhere.example", false
	if again := w.enter(t); again.Member.ID != first.Member.ID || again.Account.ID != first.Account.ID {
		t.Errorf("the person is %s in %s, before %s in %s", again.Member.ID, again.Account.ID, first.Member.ID, first.Account.ID)
	}
	last, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Limit: 1})
	want := map[string]string{"email": "ada@acme.example", "method": "provider", "provider": "acme", "new_browser": "true"}
	if err != nil || last[0].Kind != toksta.ChangeMemberSignedIn || !cmp.Equal(last[0].Detail, want) {
		t.Errorf("the change log has %+v, %v", last, err)
	}
}

// Guarantee: a provider does not sign in a disabled member, and its rules give the member no role.
func TestProviderOfADisabledMember(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	w.account(t, "acct_a")
	m := w.enter(t).Member
	m.DisabledAt = w.now
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberDisabled, MemberID: m.ID, Members: []toksta.Member{m}})
	w.Providers[0].Rules = []AccountRule{{Domain: "acme.example", Account: "acct_a", Role: toksta.MemberViewer}}
	r, err := w.signInWith(t)
	wantCause(t, err, "member_disabled")
	if _, err := w.store.Membership(t.Context(), "acct_a", m.ID); r.Cookie.Reveal() != "" || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the disabled member has a session or a role: %v", err)
	}
}

// Guarantee: an address links a person only if both sides verified it, and never a second person at the
// provider: otherwise the first one to use a stranger's address would share the stranger's sign-in.
func TestLinkingByAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*testing.T, *providerWorld, *toksta.Member)
		reason toksta.Reason // "": linked
	}{
		"verified on both sides": {func(_ *testing.T, w *providerWorld, m *toksta.Member) { m.VerifiedAt = w.now }, ""},
		"another spelling": {func(_ *testing.T, w *providerWorld, m *toksta.Member) {
			m.VerifiedAt, m.Email = w.now, "ADA@Acme.example"
		}, ""},
		"not verified here": {func(_ *testing.T, w *providerWorld, m *toksta.Member) {}, "member_not_verified"},
		"not verified there": {func(_ *testing.T, w *providerWorld, m *toksta.Member) {
			m.VerifiedAt = w.now
			w.acme.Claims["email_verified"] = false
		}, "address_not_verified"},
		"no statement there": {func(_ *testing.T, w *providerWorld, m *toksta.Member) {
			m.VerifiedAt = w.now
			delete(w.acme.Claims, "email_verified")
		}, "address_not_verified"},
		"disabled": {func(_ *testing.T, w *providerWorld, m *toksta.Member) { m.VerifiedAt, m.DisabledAt = w.now, w.now }, "member_disabled"},
		"another domain": {func(_ *testing.T, w *providerWorld, m *toksta.Member) {
			m.VerifiedAt = w.now
			w.Providers[0].Domains = []string{"example"}
		}, "domain_not_allowed"},
		"the address has a new sub": {func(t *testing.T, w *providerWorld, m *toksta.Member) {
			m.VerifiedAt = w.now
			w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{*m}, Identities: []store.Identity{{Provider: "acme", Subject: "s-0", MemberID: m.ID}}})
		}, "another_subject"},
	} {
		w := newProviderWorld(t, nil)
		m := toksta.Member{ID: "mem_a", Email: "ada@acme.example", Name: "A", PasswordHash: "$argon2id$", CreatedAt: w.now}
		c.change(t, w, &m)
		w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{m}})
		r, err := w.signInWith(t)
		t.Run(name, func(t *testing.T) {
			if c.reason == "" {
				if err != nil || r.Member.ID != "mem_a" {
					t.Errorf("%+v, %v", r.Member, err)
				}
				return
			}
			wantCause(t, err, c.reason)
			if _, err := w.store.Identity(t.Context(), "acme", "s-1"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the person was linked: %v", err)
			}
		})
	}
}

// Guarantee: a sign-up with a stranger's address, which was never verified, neither keeps the stranger out
// nor gets into the stranger's account. Without the right to sign up, it stays.
func TestProviderEndsUnverifiedSignUp(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	squatter := w.signUp(t, "ada@acme.example")
	squatter.Member.ExpiresAt = w.now.Add(time.Hour)
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberProfileSet, Members: []toksta.Member{squatter.Member}})
	w.Providers[0].SignUp = Closed
	_, err := w.signInWith(t)
	wantCause(t, err, "sign_up_closed")
	if _, err := w.Authenticate(t.Context(), squatter.Cookie); err != nil {
		t.Errorf("a visitor who may not sign up ended the sign-up: %v", err)
	}
	w.Providers[0].SignUp = Open
	if id := w.enter(t); id.Member.ID == squatter.Member.ID || id.Account.ID == squatter.Account.ID {
		t.Errorf("the visitor became the person of the sign-up: %+v", id)
	}
	if _, err := w.Authenticate(t.Context(), squatter.Cookie); err == nil {
		t.Error("the session of the sign-up continues")
	}
}

// Guarantee: from inside of a session, only the member who asked for it is linked, to a person who is
// linked to no other member; and the last way to sign in stays.
func TestLinking(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	ada, eve := w.signUp(t, "ada@example.com"), w.signUp(t, "eve@example.com")
	link := func(in SignedIn, session toksta.Hidden) error {
		t.Helper()
		r := w.attempt(t, ProviderStart{Link: in.Member.ID})
		r.Session = session
		_, err := w.FinishProvider(t.Context(), home, r)
		return err
	}
	wantCause(t, link(eve, ada.Cookie), "wrong_session") // Eve's response in Ada's browser
	wantCause(t, link(eve, toksta.Hidden{}), "wrong_session")
	if err := link(ada, ada.Cookie); err != nil {
		t.Fatal(err)
	}
	wantError(t, link(eve, eve.Cookie), toksta.CodeConflict, "linked to another sign-in")
	w.acme.Claims["sub"] = "s-2"
	wantError(t, link(ada, ada.Cookie), toksta.CodeConflict, "linked to another person")
	w.acme.Claims["sub"] = "s-1"
	if id := w.enter(t); id.Member.ID != ada.Member.ID {
		t.Errorf("the linked person is %s", id.Member.ID)
	}
	wantError(t, w.Unlink(t.Context(), home, eve.Identity, "acme"), toksta.CodeNotFound, "")
	w.PasswordOff = true
	wantError(t, w.Unlink(t.Context(), home, ada.Identity, "acme"), toksta.CodeConflict, "last way to sign in")
	w.PasswordOff = false
	in, err := w.signInWith(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Unlink(t.Context(), home, ada.Identity, "acme"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Authenticate(t.Context(), in.Cookie); err == nil {
		t.Error("a session of the unlinked provider still works")
	}
	w.acme.Claims["email"] = "boss@example.com\u202e " + strings.Repeat("x", 1000)
	if err := link(eve, eve.Cookie); err != nil {
		t.Fatal(err)
	}
	if linked, err := w.LinkedProviders(t.Context(), eve.Identity); err != nil || !linked[0].Linked || linked[0].Email != "" {
		t.Errorf("a text that is no address is stored: %+v, %v", linked, err)
	}
}

// Guarantee: a response is accepted once, in the browser that started, for the provider and in the time.
func TestProviderStates(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	other := w.Providers[0]
	other.Name = "other"
	w.Providers = append(w.Providers, other)
	good := w.attempt(t, ProviderStart{})
	if _, err := w.FinishProvider(t.Context(), home, good); err != nil {
		t.Fatal(err)
	}
	for reason, change := range map[toksta.Reason]func(*ProviderReturn){
		"wrong_state":    func(r *ProviderReturn) { r.Cookie = w.attempt(t, ProviderStart{}).Cookie },
		"used_state":     func(r *ProviderReturn) { *r = good },
		"wrong_provider": func(r *ProviderReturn) { r.Provider = "other" },
		"expired_state":  func(*ProviderReturn) { w.now = w.now.Add(AttemptLifetime) },
	} {
		r := w.attempt(t, ProviderStart{})
		change(&r)
		_, err := w.FinishProvider(t.Context(), home, r)
		t.Run(string(reason), func(t *testing.T) { wantCause(t, err, reason) })
	}
	r := w.attempt(t, ProviderStart{})
	r.Cookie = toksta.Hidden{}
	_, err := w.FinishProvider(t.Context(), home, r)
	wantCause(t, err, "wrong_state")
	// A person who must prove to be present must have signed in at the provider after the request.
	w.acme.Claims["auth_time"] = w.now.Add(-time.Hour).Unix()
	_, err = w.FinishProvider(t.Context(), home, w.attempt(t, ProviderStart{Fresh: true}))
	wantCause(t, err, "stale_authentication")
	if _, err := w.signInWith(t); err != nil {
		t.Errorf("a session at the provider from an hour ago: %v", err)
	}
}

// Guarantee: the policy decides on new people without a rule, and an invitation is used once.
func TestProviderPolicies(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, func(p *Provider) { p.SignUp = Closed })
	_, err := w.signInWith(t)
	wantCause(t, err, "sign_up_closed")
	w = newProviderWorld(t, func(p *Provider) { p.SignUp = Invited })
	w.account(t, "acct_host")
	_, err = w.signInWith(t)
	wantCause(t, err, "not_invited")
	code := toksta.Hide("the code of the invitation")
	id := sha256.Sum256([]byte(code.Reveal()))
	w.commit(t, store.Mutation{Kind: toksta.ChangeInvitationCreated, Invitations: []store.Invitation{
		{Code: id, AccountID: "acct_host", Role: toksta.MemberDeveloper, Email: "Ada@acme.example", ExpiresAt: w.now.Add(time.Hour)},
	}})
	invited := func() (Returned, error) {
		t.Helper()
		r := w.attempt(t, ProviderStart{})
		r.Invitation = code
		return w.FinishProvider(t.Context(), home, r)
	}
	w.acme.Claims["email"] = "eve@acme.example"
	_, err = invited()
	wantError(t, err, toksta.CodeForbidden, "not valid")
	w.acme.Claims["email"] = "ada@acme.example"
	r, err := invited()
	if err != nil || r.Account.ID != "acct_host" || r.Role != toksta.MemberDeveloper {
		t.Fatalf("%+v, %v", r.Identity, err)
	}
	w.acme.Claims["email"], w.acme.Claims["sub"] = "eve@acme.example", "s-2"
	_, err = invited()
	wantError(t, err, toksta.CodeForbidden, "not valid")
}

// Guarantee: roles follow the groups at each sign-in. What people decided stays: other memberships,
// removals, and the last owner.
func TestRolesFromGroups(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, func(p *Provider) {
		p.SignUp = Closed
		p.Rules = []AccountRule{
			{Claim: "groups", Value: "admins", Account: "acct_a", Role: toksta.MemberAdmin},
			{Claim: "groups", Value: "devs", Account: "acct_a", Role: toksta.MemberDeveloper},
			{Claim: "groups", Value: "owners", Account: "acct_c", Role: toksta.MemberOwner},
			{Domain: "ACME.example", Account: "acct_b", Role: toksta.MemberViewer},
		}
	})
	for _, id := range []toksta.AccountID{"acct_a", "acct_b", "acct_c"} {
		w.account(t, id)
	}
	// The team of an account can be in one network, and is not throttled like sign-ups of strangers.
	for range 20 {
		_ = w.Throttle.Count(t.Context(), Name{ScopeSignUp, home.Network()})
		w.now = w.now.Add(policies[ScopeSignUp].limit)
	}
	if err := w.Throttle.Count(t.Context(), Name{ScopeSignUp, home.Network()}); err != nil {
		t.Fatal(err)
	}
	roles := func(groups ...string) map[toksta.AccountID]toksta.MemberRole {
		t.Helper()
		w.now = w.now.Add(time.Minute)
		w.acme.Claims["groups"] = groups
		id := w.enter(t)
		out := map[toksta.AccountID]toksta.MemberRole{}
		for _, account := range []toksta.AccountID{"acct_a", "acct_b", "acct_c"} {
			if role, err := w.store.Role(t.Context(), account, id.Member.ID); err == nil {
				out[account] = role
			}
		}
		return out
	}
	want := func(got, want map[toksta.AccountID]toksta.MemberRole) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	type are = map[toksta.AccountID]toksta.MemberRole
	want(roles("devs"), are{"acct_a": "developer", "acct_b": "viewer"})
	want(roles("devs", "admins"), are{"acct_a": "admin", "acct_b": "viewer"})
	session := w.enter(t).Session
	want(roles("others"), are{"acct_b": "viewer"})
	if _, err := w.store.Session(t.Context(), session.id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session of the lost account still exists: %v", err)
	}
	want(roles("devs"), are{"acct_a": "developer", "acct_b": "viewer"})
	// A list that is too long for the token changes nothing.
	w.acme.Claims["_claim_names"] = map[string]any{"groups": "x"}
	w.acme.Claims["_claim_sources"] = map[string]any{"x": map[string]any{"endpoint": "https://graph.example"}}
	want(roles(), are{"acct_a": "developer", "acct_b": "viewer"})
	delete(w.acme.Claims, "_claim_names")
	// An admin removed the member, so the group does not bring the member back.
	m := w.enter(t).Member.ID
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberRemoved, Memberships: []toksta.Membership{{AccountID: "acct_b", MemberID: m, Role: "viewer", CreatedAt: w.now, RemovedAt: w.now}}})
	want(roles("devs"), are{"acct_a": "developer"})
	// An admin disabled the member, so another group changes nothing.
	disabled := toksta.Membership{AccountID: "acct_a", MemberID: m, Role: "developer", CreatedAt: w.now, DisabledAt: w.now}
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberDisabled, Memberships: []toksta.Membership{disabled}})
	want(roles("admins"), are{})
	if got, err := w.store.Membership(t.Context(), "acct_a", m); err != nil || got.Role != "developer" || got.DisabledAt.IsZero() {
		t.Errorf("a disabled member after another group: %+v, %v", got, err)
	}
	disabled.DisabledAt = time.Time{}
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberEnabled, Memberships: []toksta.Membership{disabled}})
	// The last owner stays.
	want(roles("devs", "owners"), are{"acct_a": "developer", "acct_c": "owner"})
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberRoleSet, Memberships: []toksta.Membership{{AccountID: "acct_c", MemberID: "mem_acct_c", Role: "viewer", CreatedAt: w.now}}})
	want(roles("devs"), are{"acct_a": "developer", "acct_c": "owner"})
	// A membership that people gave is left as it is.
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberRoleSet, Memberships: []toksta.Membership{{AccountID: "acct_b", MemberID: m, Role: "admin", CreatedAt: w.now}}})
	i, err := w.store.Identity(t.Context(), "acme", "s-1")
	if err != nil {
		t.Fatal(err)
	}
	i.Granted = slices.DeleteFunc(i.Granted, func(a toksta.AccountID) bool { return a == "acct_b" })
	w.commit(t, store.Mutation{Kind: toksta.ChangeIdentityLinked, Identities: []store.Identity{i}})
	want(roles("devs"), are{"acct_a": "developer", "acct_b": "admin", "acct_c": "owner"})
	// People end it too: the domain does not bring the member back, neither at once nor later.
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberRemoved, AccountID: "acct_b", MemberID: m,
		Memberships: []toksta.Membership{{AccountID: "acct_b", MemberID: m, Role: "admin", CreatedAt: w.now, RemovedAt: w.now}},
	})
	want(roles("devs"), are{"acct_a": "developer", "acct_c": "owner"})
	want(roles("devs"), are{"acct_a": "developer", "acct_c": "owner"})
	w.Providers[0].Rules[0].Account = "acct_x"
	w.acme.Claims["groups"] = []string{"admins"}
	if _, err := w.signInWith(t); toksta.ErrorCode(err) != toksta.CodeInternal {
		t.Errorf("a rule for an account that does not exist: %v", err)
	}
}

// Guarantee: a provider replaces the second factor only as far as the vendor trusts it.
func TestProviderAsSecondFactor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusts  bool
		values  []string
		amr     []string
		pending bool
	}{
		"not trusted":       {false, nil, []string{"mfa"}, true},
		"trusted":           {true, nil, nil, false},
		"the value":         {false, []string{"mfa"}, []string{"pwd", "mfa"}, false},
		"without the value": {false, []string{"mfa"}, []string{"pwd"}, true},
		"no claim":          {false, []string{"mfa"}, nil, true},
		"part of the value": {false, []string{"mfa"}, []string{"no-mfa"}, true},
	} {
		w := newProviderWorld(t, func(p *Provider) { p.TrustsFactor, p.FactorValues = c.trusts, c.values })
		id := w.enterAsIs(t)
		w.commit(t, store.Mutation{Kind: toksta.ChangeFactorAdded, TOTPs: []store.TOTP{{MemberID: id, Secret: toksta.Hide("JBSWY3DPEHPK3PXP"), CreatedAt: w.now, ConfirmedAt: w.now}}})
		w.acme.Claims["amr"] = c.amr
		r, err := w.signInWith(t)
		if err != nil || r.IsPending() != c.pending || !c.pending && r.Session.FactorAt.IsZero() {
			t.Errorf("%s: pending %v, want %v, %v", name, r.IsPending(), c.pending, err)
		}
	}
}

// enterAsIs signs in for the first time and returns the member.
func (w *providerWorld) enterAsIs(t *testing.T) toksta.MemberID {
	t.Helper()
	r, err := w.signInWith(t)
	if err != nil {
		t.Fatal(err)
	}
	return r.Member.ID
}

// Guarantee: a logout token ends the sessions that it names, no others, and only once.
func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	signIn := func(session string) toksta.Hidden {
		t.Helper()
		w.acme.Claims["sid"] = session
		r, err := w.signInWith(t)
		if err != nil {
			t.Fatal(err)
		}
		return r.Cookie
	}
	live := func(cookies ...toksta.Hidden) (out []bool) {
		for _, c := range cookies {
			_, err := w.Authenticate(t.Context(), c)
			out = append(out, err == nil)
		}
		return out
	}
	end := func(claims map[string]any) error {
		return w.ProviderLogout(t.Context(), "acme", toksta.Hide(w.acme.LogoutToken(claims)))
	}
	local := w.signUp(t, "eve@example.com").Cookie
	one, two, none := signIn("one"), signIn("two"), signIn("")
	is := func(got []bool, want ...bool) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("live sessions: %v, want %v", got, want)
		}
	}
	if err := end(map[string]any{"sid": "one"}); err != nil {
		t.Fatal(err)
	}
	is(live(one, two, none, local), false, true, true, true)
	// The session without a name may be the one that ended.
	if err := end(map[string]any{"sid": "three", "sub": "s-1"}); err != nil {
		t.Fatal(err)
	}
	is(live(two, none, local), true, false, true)
	token := map[string]any{"sub": "s-1", "jti": "once"}
	if err := end(token); err != nil {
		t.Fatal(err)
	}
	is(live(two, local), false, true)
	two = signIn("two")
	wantCause(t, end(token), "used_logout_token")
	is(live(two), true)
	if err := end(map[string]any{"sub": "stranger"}); err != nil {
		t.Errorf("a person who never signed in here: %v", err)
	}
	wantError(t, end(map[string]any{"nonce": "n", "sub": "s-1"}), toksta.CodeBadRequest, "not valid")
	is(live(two), true)
}

// Guarantee: a sign-in that waits for the second factor does not outlive the session at the provider,
// or the link to it.
func TestPendingProviderSignInEnds(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	id, _ := w.enterWithApp(t)
	logout := func(claims map[string]any) error {
		return w.ProviderLogout(t.Context(), "acme", toksta.Hide(w.acme.LogoutToken(claims)))
	}
	for i, end := range []func() error{
		func() error { return logout(map[string]any{"sid": "one", "sub": "s-1"}) },
		func() error { return logout(map[string]any{"sub": "s-1"}) },
		func() error { return w.Unlink(t.Context(), home, id, "acme") },
	} {
		r, err := w.signInWith(t)
		if err != nil || !r.IsPending() {
			t.Fatalf("%+v, %v", r, err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.PendingMember(t.Context(), r.Pending); toksta.ErrorCode(err) != toksta.CodeUnauthorized {
			t.Errorf("end %d: the sign-in is still pending: %v", i, err)
		}
	}
}

// Guarantee: a client without a sign-in cannot fill the database with begun sign-ins.
func TestBegunProviderSignInsAreThrottled(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	var err error
	begun := 0
	for ; err == nil && begun < 1000; begun++ {
		_, err = w.StartProvider(t.Context(), home, ProviderStart{Provider: "acme"})
	}
	wantError(t, err, toksta.CodeRateLimited, "Too many attempts")
	if begun < 100 {
		t.Errorf("only %d sign-ins of a network", begun)
	}
	if _, err := w.StartProvider(t.Context(), from(3), ProviderStart{Provider: "acme"}); err != nil {
		t.Errorf("from another network: %v", err)
	}
}

// Guarantee: a provider that does not respond does not keep a session, also if the person closes the
// page while the provider is asked for its page.
func TestSignOutAtASlowProvider(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, func(p *Provider) { p.SignsOut = true })
	in, err := w.signInWith(t)
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(2 * time.Hour) // the discovery document is read again
	ctx, giveUp := context.WithCancel(t.Context())
	w.acme.Respond = func(_ http.ResponseWriter, r *http.Request) bool {
		giveUp()
		<-r.Context().Done()
		return true
	}
	if _, _, err := w.ProviderSignOut(ctx, in.Cookie); err != nil || ctx.Err() == nil {
		t.Errorf("the provider was asked: %v, error %v", ctx.Err() != nil, err)
	}
	if w.isSignedIn(t, in.Cookie) {
		t.Error("the session goes on")
	}
}
