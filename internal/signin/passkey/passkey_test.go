package passkey_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/signin/passkey"
	"github.com/toksta/toksta/internal/signin/passkey/passkeytest"
)

const (
	origin = "https://keys.acme.example"
	domain = "acme.example"
)

func newParty(t *testing.T) *passkey.Party {
	t.Helper()
	p, err := passkey.New(passkey.Config{Domain: domain, Origin: origin, Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// registered returns Ada with a passkey in the authenticator.
func registered(t *testing.T, p *passkey.Party, a *passkeytest.Authenticator) passkey.Person {
	t.Helper()
	ada := passkey.Person{Handle: "mem_ada", Email: "ada@acme.example", Name: "Ada"}
	c, err := p.BeginRegistration(ada)
	if err != nil {
		t.Fatal(err)
	}
	response, err := a.Create(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	made, err := p.FinishRegistration(ada, c.State, response)
	if err != nil {
		t.Fatal(err)
	}
	ada.Passkeys = []passkey.Credential{made}
	return ada
}

// world is a party and an authenticator.
type world struct {
	party  *passkey.Party
	device *passkeytest.Authenticator
}

// proof runs a proof with the authenticator. The challenge permits any passkey if who is nil.
func proof(t *testing.T, w world, who *passkey.Person, owner passkey.Person) (passkey.Credential, error) {
	t.Helper()
	c, err := w.party.BeginProof(who)
	if err != nil {
		t.Fatal(err)
	}
	response, err := w.device.Get(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	if got := passkey.ChallengeOf(response); got != c.Challenge {
		t.Errorf("the response is to the challenge %q, not %q", got, c.Challenge)
	}
	return w.party.FinishProof(c.State, response, func([]byte) (passkey.Person, error) { return owner, nil })
}

// The options ask for a passkey: kept by the authenticator, with verification of the person, under a
// handle that is not the address.
func TestOptions(t *testing.T) {
	t.Parallel()
	p := newParty(t)
	c, err := p.BeginRegistration(passkey.Person{Handle: "mem_ada", Email: "ada@acme.example", Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"residentKey":"required"`, `"userVerification":"required"`, `"id":"bWVtX2FkYQ"`, `"id":"acme.example"`, `"name":"Acme"`} {
		if !strings.Contains(string(c.Options), want) {
			t.Errorf("no %s in %s", want, c.Options)
		}
	}
	if c, err = p.BeginProof(nil); err != nil || strings.Contains(string(c.Options), "allowCredentials") || !strings.Contains(string(c.Options), `"userVerification":"required"`) {
		t.Errorf("%s, %v", c.Options, err)
	}
	for _, d := range []string{"127.0.0.1", "", "https://acme.example", "acme.example:8080"} {
		if _, err := passkey.New(passkey.Config{Domain: d, Origin: origin, Name: "Acme"}); err == nil {
			t.Errorf("the domain %q is accepted", d)
		}
	}
}

// A proof is accepted with and without a known person, and rejected if the browser or the
// authenticator breaks one rule.
func TestProofs(t *testing.T) {
	t.Parallel()
	p := newParty(t)
	a := &passkeytest.Authenticator{Origin: origin, Domain: domain}
	ada := registered(t, p, a)
	for name, c := range map[string]struct {
		alter    func(*passkeytest.Authenticator)
		accepted bool
	}{
		"nothing":           {func(*passkeytest.Authenticator) {}, true},
		"another origin":    {func(a *passkeytest.Authenticator) { a.Origin = "https://evil.example" }, false},
		"a sibling origin":  {func(a *passkeytest.Authenticator) { a.Origin = "https://blog.acme.example" }, false},
		"plain HTTP":        {func(a *passkeytest.Authenticator) { a.Origin = "http://keys.acme.example" }, false},
		"another port":      {func(a *passkeytest.Authenticator) { a.Origin = origin + ":8443" }, false},
		"another domain":    {func(a *passkeytest.Authenticator) { a.Domain = "keys.acme.example" }, false},
		"no verification":   {func(a *passkeytest.Authenticator) { a.Unverified = true }, false},
		"a registration":    {func(a *passkeytest.Authenticator) { a.Type = "webauthn.create" }, false},
		"backed up":         {func(a *passkeytest.Authenticator) { a.BackupEligible, a.BackedUp = true, true }, true},
		"impossible backup": {func(a *passkeytest.Authenticator) { a.BackedUp = true }, false},
	} {
		for _, who := range []*passkey.Person{nil, &ada} {
			altered := a.Use(0)
			c.alter(altered)
			got, err := proof(t, world{p, altered}, who, ada)
			if c.accepted && (err != nil || got.BackedUp != altered.BackedUp || got.SignCount != 1) || !c.accepted && !errors.Is(err, passkey.ErrRejected) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
	// The signature is of this passkey, and the handle of its owner.
	eve := registered(t, p, &passkeytest.Authenticator{Origin: origin, Domain: domain})
	eve.Passkeys[0].ID = ada.Passkeys[0].ID
	if _, err := proof(t, world{p, a.Use(0)}, nil, eve); !errors.Is(err, passkey.ErrRejected) {
		t.Errorf("a passkey with another key: %v", err)
	}
	if _, err := proof(t, world{p, a.Use(0).As("mem_eve")}, nil, ada); !errors.Is(err, passkey.ErrRejected) {
		t.Errorf("a handle of another person: %v", err)
	}
}

// A response is accepted only for the challenge of its own state.
func TestChallengeIsBound(t *testing.T) {
	t.Parallel()
	p := newParty(t)
	a := &passkeytest.Authenticator{Origin: origin, Domain: domain}
	ada := registered(t, p, a)
	first, err1 := p.BeginProof(nil)
	second, err2 := p.BeginProof(nil)
	response, err3 := a.Get(first.Options)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	find := func([]byte) (passkey.Person, error) { return ada, nil }
	if _, err := p.FinishProof(second.State, response, find); !errors.Is(err, passkey.ErrRejected) {
		t.Errorf("a response to another challenge: %v", err)
	}
	if _, err := p.FinishProof(first.State, response, find); err != nil {
		t.Error(err)
	}
	for _, state := range []string{"", "{}", strings.Replace(first.State, `"userVerification":"required"`, `"userVerification":"preferred"`, 1)} {
		if _, err := p.FinishProof(state, response, find); err == nil {
			t.Errorf("the state %q is accepted", state)
		}
	}
	for _, broken := range []string{"", "{}", "[]", `{"response":{"clientDataJSON":"e30"}}`, response[:40]} {
		if got := passkey.ChallengeOf(broken); got != "" {
			t.Errorf("%q has the challenge %q", broken, got)
		}
		if _, err := p.FinishProof(first.State, broken, find); !errors.Is(err, passkey.ErrRejected) {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

// A registration is accepted only from the right page, for the same person, with verification.
func TestRegistrations(t *testing.T) {
	t.Parallel()
	p := newParty(t)
	ada := passkey.Person{Handle: "mem_ada", Email: "ada@acme.example", Name: "Ada"}
	for name, a := range map[string]passkeytest.Authenticator{
		"another origin":  {Origin: "https://evil.example", Domain: domain},
		"another domain":  {Origin: origin, Domain: "evil.example"},
		"no verification": {Origin: origin, Domain: domain, Unverified: true},
		"a proof":         {Origin: origin, Domain: domain, Type: "webauthn.get"},
	} {
		c, err := p.BeginRegistration(ada)
		if err != nil {
			t.Fatal(err)
		}
		response, err := a.Create(c.Options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.FinishRegistration(ada, c.State, response); !errors.Is(err, passkey.ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := &passkeytest.Authenticator{Origin: origin, Domain: domain}
	owner := registered(t, p, a)
	c, err := p.BeginRegistration(owner)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Create(c.Options); err == nil {
		t.Error("a second passkey of the same person in one authenticator")
	}
	other := &passkeytest.Authenticator{Origin: origin, Domain: domain}
	response, err := other.Create(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.FinishRegistration(passkey.Person{Handle: "mem_eve"}, c.State, response); !errors.Is(err, passkey.ErrRejected) {
		t.Errorf("a registration that another person began: %v", err)
	}
}

// A sign count that does not grow is reported; authenticators without a count are not suspect.
func TestSignCount(t *testing.T) {
	t.Parallel()
	p := newParty(t)
	a := &passkeytest.Authenticator{Origin: origin, Domain: domain, Count: 7}
	ada := registered(t, p, a)
	for _, c := range []struct {
		stored, sent uint32
		suspect      bool
	}{{7, 8, false}, {8, 8, true}, {8, 3, true}, {8, 0, true}, {0, 0, false}, {0, 1, false}} {
		ada.Passkeys[0].SignCount = c.stored
		a.Count, a.Fixed = c.sent, true
		got, err := proof(t, world{p, a}, nil, ada)
		if err != nil || got.Suspect != c.suspect || !c.suspect && got.SignCount != c.sent {
			t.Errorf("%d after %d: %+v, %v", c.sent, c.stored, got, err)
		}
	}
}
