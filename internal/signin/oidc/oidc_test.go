package oidc_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/signin/oidc/oidctest"
	"github.com/toksta/toksta/sdk/toksta"
)

// world has a provider and its client, with a clock that the test sets.
type world struct {
	*oidctest.Provider
	client *oidc.Provider
	now    time.Time
}

func newWorld(tb testing.TB, change func(*oidc.Config)) *world {
	tb.Helper()
	w := &world{Provider: oidctest.Start(tb), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.Provider.Now = func() time.Time { return w.now }
	w.Claims = map[string]any{"sub": "s-1", "email": "ada@acme.example", "email_verified": true, "name": "Ada", "sid": "session-1"}
	c := oidc.Config{
		Kind: oidc.OpenID, Issuer: w.URL, ClientID: oidctest.ClientID, ClientSecret: toksta.Hide(oidctest.ClientSecret),
		RedirectURL: "https://keys.example.com/signin/with/acme/callback", Scopes: []string{"openid"}, VerifiedClaim: "email_verified",
		Now: func() time.Time { return w.now },
	}
	if change != nil {
		change(&c)
	}
	w.client = oidc.New(c)
	return w
}

// callback returns the fields of the address to which the provider sent the browser.
func callback(tb testing.TB, address string) (c oidc.Callback, state string) {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	q := u.Query()
	return oidc.Callback{Code: toksta.Hide(q.Get("code")), Issuer: q.Get("iss"), Error: q.Get("error")}, q.Get("state")
}

// signIn runs a whole attempt.
func (w *world) signIn(tb testing.TB) (oidc.Person, error) {
	tb.Helper()
	a := oidc.NewAttempt()
	address, err := w.client.AuthURL(tb.Context(), a, false)
	if err != nil {
		return oidc.Person{}, err
	}
	c, state := callback(tb, w.SignIn(address))
	if state != a.State() {
		tb.Fatalf("the provider sent back the state %q", state)
	}
	return w.client.Finish(tb.Context(), a, c)
}

func wantReason(t *testing.T, err error, want oidc.Reason) {
	t.Helper()
	failed, ok := errors.AsType[*oidc.Error](err)
	if !ok || failed.Reason != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Guarantee: the statement of a provider is read from its signed token, and what is missing there from
// the userinfo.
func TestPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *oidc.Config) { c.Needed = []string{"groups"} })
	w.Claims["auth_time"], w.Claims["amr"], w.Claims["acr"] = w.now.Unix(), []string{"pwd", "mfa"}, "high"
	w.UserInfo = map[string]any{"groups": []string{"admins", "staff"}, "email": "other@acme.example", "name": "Other"}
	p, err := w.signIn(t)
	if err != nil {
		t.Fatal(err)
	}
	groups, known := p.Values("groups")
	if p.Subject != "s-1" || p.Email != "ada@acme.example" || !p.Verified || p.Name != "Ada" || p.Session != "session-1" ||
		!p.AuthenticatedAt.Equal(w.now) || !known || !cmp.Equal(groups, []string{"admins", "staff"}) {
		t.Errorf("%+v, groups %v", p, groups)
	}
	if diff := cmp.Diff([]string{"pwd", "mfa", "high"}, p.Methods()); diff != "" {
		t.Error(diff)
	}
	w.Claims["_claim_names"] = map[string]any{"groups": "elsewhere"}
	w.Claims["_claim_sources"] = map[string]any{"elsewhere": map[string]any{"endpoint": "https://graph.example"}}
	if p, err = w.signIn(t); err != nil {
		t.Fatal(err)
	}
	if _, known = p.Values("groups"); known {
		t.Error("a list that the provider stores elsewhere counts as known")
	}
}

// Guarantee: an address counts as verified only if the document that states it says so. A provider
// must not combine its own address with the statement about another one.
func TestVerifiedAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token, info map[string]any
		email       string
		verified    bool
	}{
		"in the token":            {map[string]any{"email": "a@x.example", "email_verified": true}, nil, "a@x.example", true},
		"as a text":               {map[string]any{"email": "a@x.example", "email_verified": "true"}, nil, "a@x.example", true},
		"as a number":             {map[string]any{"email": "a@x.example", "email_verified": 1}, nil, "a@x.example", true},
		"in the userinfo":         {nil, map[string]any{"email": "b@x.example", "email_verified": true}, "b@x.example", true},
		"not verified":            {map[string]any{"email": "a@x.example", "email_verified": false}, map[string]any{"email_verified": true}, "a@x.example", false},
		"no statement":            {map[string]any{"email": "a@x.example"}, nil, "a@x.example", false},
		"a statement without one": {map[string]any{"email": "a@x.example"}, map[string]any{"email_verified": true}, "a@x.example", false},
		"another text":            {map[string]any{"email": "a@x.example", "email_verified": "yes"}, nil, "a@x.example", false},
		"another address":         {map[string]any{"email": "a@x.example"}, map[string]any{"email": "b@x.example", "email_verified": true}, "b@x.example", true},
		"a statement of no one":   {map[string]any{"email_verified": true}, map[string]any{"email": "b@x.example"}, "b@x.example", false},
	} {
		w := newWorld(t, nil)
		w.Claims, w.UserInfo = map[string]any{"sub": "s"}, c.info
		for claim, value := range c.token {
			w.Claims[claim] = value
		}
		p, err := w.signIn(t)
		if err != nil || p.Email != c.email || p.Verified != c.verified {
			t.Errorf("%s: %q, verified %v, %v", name, p.Email, p.Verified, err)
		}
	}
}

// Guarantee: a token that the provider did not make for this client and this browser is rejected, each
// for its own reason.
func TestRejectedTokens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want  oidc.Reason
		spoil func(*world, *oidctest.Token)
	}{
		"issuer":             {oidc.ReasonIssuer, func(_ *world, t *oidctest.Token) { t.Claims["iss"] = "https://evil.example" }},
		"audience":           {oidc.ReasonAudience, func(_ *world, t *oidctest.Token) { t.Claims["aud"] = "another-client" }},
		"no audience":        {oidc.ReasonAudience, func(_ *world, t *oidctest.Token) { delete(t.Claims, "aud") }},
		"no party":           {oidc.ReasonAuthorizedParty, func(_ *world, t *oidctest.Token) { t.Claims["aud"] = []string{"toksta", "other"} }},
		"another party":      {oidc.ReasonAuthorizedParty, func(_ *world, t *oidctest.Token) { t.Claims["azp"] = "other" }},
		"nonce":              {oidc.ReasonNonce, func(_ *world, t *oidctest.Token) { t.Claims["nonce"] = "another" }},
		"no nonce":           {oidc.ReasonNonce, func(_ *world, t *oidctest.Token) { delete(t.Claims, "nonce") }},
		"expired":            {oidc.ReasonExpired, func(w *world, t *oidctest.Token) { t.Claims["exp"] = w.now.Add(-2 * time.Minute).Unix() }},
		"no expiry":          {oidc.ReasonExpired, func(_ *world, t *oidctest.Token) { delete(t.Claims, "exp") }},
		"future":             {oidc.ReasonIssuedAt, func(w *world, t *oidctest.Token) { t.Claims["iat"] = w.now.Add(2 * time.Minute).Unix() }},
		"no time":            {oidc.ReasonIssuedAt, func(_ *world, t *oidctest.Token) { delete(t.Claims, "iat") }},
		"access token":       {oidc.ReasonAccessTokenHash, func(_ *world, t *oidctest.Token) { t.Claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }},
		"no subject":         {oidc.ReasonSubject, func(_ *world, t *oidctest.Token) { delete(t.Claims, "sub") }},
		"long session":       {oidc.ReasonSubject, func(_ *world, t *oidctest.Token) { t.Claims["sid"] = strings.Repeat("s", 256) }},
		"a session with NUL": {oidc.ReasonSubject, func(_ *world, t *oidctest.Token) { t.Claims["sid"] = "s\x00" }},
		"long subject":       {oidc.ReasonSubject, func(_ *world, t *oidctest.Token) { t.Claims["sub"] = strings.Repeat("s", 256) }},
		"alg none":           {oidc.ReasonSignature, func(_ *world, t *oidctest.Token) { t.Header["alg"] = "none" }},
		"alg None":           {oidc.ReasonSignature, func(_ *world, t *oidctest.Token) { t.Header["alg"] = "None" }},
		"client secret":      {oidc.ReasonSignature, func(_ *world, t *oidctest.Token) { t.Header["alg"], t.Secret = "HS256", []byte(oidctest.ClientSecret) }},
		"another algorithm":  {oidc.ReasonSignature, func(_ *world, t *oidctest.Token) { t.Header["alg"] = "RS256" }},
		"unknown key":        {oidc.ReasonSignature, func(_ *world, t *oidctest.Token) { t.Header["kid"] = "unknown" }},
		"HMAC with ES256":    {oidc.ReasonSignature, func(_ *world, t *oidctest.Token) { t.Secret = []byte(oidctest.ClientSecret) }},
	} {
		w := newWorld(t, nil)
		w.Spoil = func(t *oidctest.Token) { c.spoil(w, t) }
		_, err := w.signIn(t)
		t.Run(name, func(t *testing.T) { wantReason(t, err, c.want) })
	}
	w := newWorld(t, nil)
	key := w.PublicKey()
	w.Spoil = func(t *oidctest.Token) { t.Header["alg"], t.Secret = "HS256", key }
	_, err := w.signIn(t)
	wantReason(t, err, oidc.ReasonSignature)
	w.Spoil = func(t *oidctest.Token) { t.Claims["exp"] = w.now.Add(-30 * time.Second).Unix() }
	if _, err := w.signIn(t); err != nil {
		t.Errorf("a clock that differs by 30 seconds: %v", err)
	}
}

// Guarantee: a code works once, for the browser that asked for it, and only with its provider.
func TestRejectedCodes(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t, nil), newWorld(t, nil)
	victim, attacker := oidc.NewAttempt(), oidc.NewAttempt()
	start := func(a oidc.Attempt) oidc.Callback {
		t.Helper()
		address, err := w.client.AuthURL(t.Context(), a, false)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := callback(t, w.SignIn(address))
		return c
	}
	injected := start(attacker)
	_, err := w.client.Finish(t.Context(), victim, injected)
	wantReason(t, err, oidc.ReasonCode) // the attacker's code in the victim's browser

	good := start(victim)
	if _, err := w.client.Finish(t.Context(), victim, good); err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Finish(t.Context(), victim, good)
	wantReason(t, err, oidc.ReasonCode)
	if strings.Contains(err.Error(), good.Code.Reveal()) {
		t.Errorf("the error shows the code: %v", err)
	}
	asked := false
	other.Respond = func(_ http.ResponseWriter, r *http.Request) bool {
		asked = asked || r.URL.Path == "/token"
		return false
	}
	mixed := start(victim)
	_, err = other.client.Finish(t.Context(), victim, mixed)
	wantReason(t, err, oidc.ReasonIssuerParameter)
	mixed.Issuer = ""
	_, err = other.client.Finish(t.Context(), victim, mixed)
	wantReason(t, err, oidc.ReasonIssuerParameter)
	if asked {
		t.Error("the code of one provider was sent to another one")
	}
	_, err = w.client.Finish(t.Context(), victim, oidc.Callback{Issuer: w.URL, Error: "access_denied"})
	wantReason(t, err, oidc.ReasonDenied)
	_, err = w.client.Finish(t.Context(), victim, oidc.Callback{Issuer: w.URL, Error: "<b>\n" + strings.Repeat("x", 9000)})
	wantReason(t, err, oidc.ReasonDenied)
	if len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "<\n") {
		t.Errorf("the error repeats the text of the browser: %.500q", err)
	}
}
