package oidc_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/signin/oidc/oidctest"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the request asks for a code by PKCE with S256, and the values that bind the response to
// the browser differ. None of them reveals the secret of the browser.
func TestAuthURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := oidc.NewAttempt()
	address, err := w.client.AuthURL(t.Context(), a, true)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for field, want := range map[string]string{
		"response_type": "code", "client_id": "toksta", "code_challenge_method": "S256", "max_age": "0", "state": a.State(),
		"redirect_uri": "https://keys.example.com/signin/with/acme/callback",
	} {
		if q.Get(field) != want {
			t.Errorf("%s is %q, want %q", field, q.Get(field), want)
		}
	}
	seen := map[string]bool{a.Cookie().Reveal(): true}
	for _, value := range []string{q.Get("state"), q.Get("nonce"), q.Get("code_challenge")} {
		if len(value) != 43 || seen[value] {
			t.Errorf("%q is not a value of its own with 256 bits", value)
		}
		seen[value] = true
	}
	if strings.Contains(address, a.Cookie().Reveal()) || oidc.NewAttempt().State() == a.State() {
		t.Error("the address shows the secret, or two attempts have the same state")
	}
}

// Guarantee: a new key of the provider is read when it is first used, and tokens with unknown keys
// cause at most two requests at once, on either channel.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if _, err := w.signIn(t); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	w.Rotate()
	if _, err := w.signIn(t); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	before := w.KeyRequests.Load()
	w.Spoil = func(t *oidctest.Token) { t.Header["kid"] = "unknown" }
	for range 20 {
		_, err := w.client.VerifyLogout(t.Context(), toksta.Hide(w.LogoutToken(map[string]any{"sub": "s"})))
		wantReason(t, err, oidc.ReasonLogoutToken)
	}
	if n := w.KeyRequests.Load() - before; n != 2 {
		t.Errorf("20 tokens with an unknown key caused %d requests, want 2", n)
	}
	w.Spoil = nil
	w.Rotate()
	w.now = w.now.Add(time.Minute)
	if _, err := w.signIn(t); err != nil {
		t.Errorf("forged logout tokens delay sign-ins: %v", err)
	}
}

// Guarantee: a provider that is down, slow, too talkative or misconfigured makes its own sign-ins fail
// in time, with the reason in the log, and is not asked again at once.
func TestBadProviders(t *testing.T) {
	t.Parallel()
	at := func(path string, respond func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			if respond == nil { // until the client gives up, which the server notices after the body
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return true
			}
			respond(w)
			return true
		}
	}
	const document = "/.well-known/openid-configuration"
	down := func(w http.ResponseWriter) { http.Error(w, "secret token", http.StatusServiceUnavailable) }
	huge := func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"a":"` + strings.Repeat("x", 2<<20) + `"}`)) }
	redirect := func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(http.StatusFound) }
	for name, c := range map[string]struct {
		want   oidc.Reason
		change func(*world)
	}{
		"down":            {oidc.ReasonUnavailable, func(w *world) { w.Respond = at(document, down) }},
		"slow":            {oidc.ReasonUnavailable, func(w *world) { w.Respond = at(document, nil) }},
		"huge document":   {oidc.ReasonUnavailable, func(w *world) { w.Respond = at(document, huge) }},
		"redirect":        {oidc.ReasonUnavailable, func(w *world) { w.Respond = at(document, redirect) }},
		"keys down":       {oidc.ReasonUnavailable, func(w *world) { w.Respond = at("/keys", down) }},
		"huge keys":       {oidc.ReasonSignature, func(w *world) { w.Respond = at("/keys", huge) }},
		"tokens down":     {oidc.ReasonUnavailable, func(w *world) { w.Respond = at("/token", down) }},
		"slow tokens":     {oidc.ReasonUnavailable, func(w *world) { w.Respond = at("/token", nil) }},
		"huge token":      {oidc.ReasonUnavailable, func(w *world) { w.Respond = at("/token", huge) }},
		"userinfo down":   {oidc.ReasonUnavailable, func(w *world) { delete(w.Claims, "email"); w.Respond = at("/userinfo", down) }},
		"userinfo of Eve": {oidc.ReasonUserInfoSubject, func(w *world) { delete(w.Claims, "email"); w.UserInfo["sub"] = "eve" }},
		"no ID token": {oidc.ReasonNoIDToken, func(w *world) {
			w.Respond = at("/token", func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"access_token":"a"}`))
			})
		}},
		"issuer":  {oidc.ReasonMetadata, func(w *world) { w.Document = func(d map[string]any) { d["issuer"] = "https://other.example" } }},
		"no keys": {oidc.ReasonMetadata, func(w *world) { w.Document = func(d map[string]any) { delete(d, "jwks_uri") } }},
		"a script": {oidc.ReasonMetadata, func(w *world) {
			w.Document = func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *oidc.Config) { c.Timeout = 300 * time.Millisecond })
			w.UserInfo = map[string]any{}
			c.change(w)
			_, err := w.signIn(t)
			wantReason(t, err, c.want)
			if err != nil && (strings.Contains(err.Error(), "secret token") || len(err.Error()) > 400) {
				t.Errorf("the error repeats the response: %.500v", err)
			}
		})
	}
}

// Guarantee: while a provider is down, sign-ins use the last discovery document for a day, and the
// provider is asked again every ten seconds at most.
func TestStaleDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	asked := 0
	w.Respond = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/.well-known/openid-configuration" && asked >= 0 {
			asked++
			rw.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	url := func() error {
		_, err := w.client.AuthURL(t.Context(), oidc.NewAttempt(), false)
		return err
	}
	for range 5 {
		wantReason(t, url(), oidc.ReasonUnavailable)
	}
	if asked != 1 {
		t.Errorf("a provider that is down was asked %d times at once", asked)
	}
	asked = -1
	w.now = w.now.Add(11 * time.Second)
	if err := url(); err != nil {
		t.Fatal(err)
	}
	asked = 0
	w.now = w.now.Add(2 * time.Hour)
	for range 5 {
		if err := url(); err != nil {
			t.Errorf("with a document of two hours ago: %v", err)
		}
	}
	if asked != 1 {
		t.Errorf("a provider that is down was asked %d times at once", asked)
	}
	w.now = w.now.Add(23 * time.Hour)
	wantReason(t, url(), oidc.ReasonUnavailable)
}

// Guarantee: sign-ins do not queue for a provider that does not respond. All of them wait for one
// request, and with a document of the last day only one waits.
func TestSignInsDuringSlowDiscovery(t *testing.T) {
	t.Parallel()
	var clock, asked atomic.Int64
	w := newWorld(t, func(c *oidc.Config) {
		c.Now = func() time.Time { return time.Unix(1e9+clock.Load(), 0) }
		c.Timeout = 2 * time.Second // ten seconds of the clock
	})
	var hangs atomic.Bool
	hangs.Store(true)
	w.Respond = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/.well-known/openid-configuration" || !hangs.Load() {
			return false
		}
		asked.Add(1)
		clock.Add(10)
		<-r.Context().Done()
		return true
	}
	signIns := func() (failed int) {
		var all sync.WaitGroup
		results := make(chan error, 5)
		for range cap(results) {
			all.Go(func() {
				_, err := w.client.AuthURL(t.Context(), oidc.NewAttempt(), false)
				results <- err
			})
		}
		all.Wait()
		close(results)
		for err := range results {
			if err != nil {
				failed++
			}
		}
		return failed
	}
	if failed, n := signIns(), asked.Load(); failed != 5 || n != 1 {
		t.Errorf("without a document: %d of 5 sign-ins failed, after %d requests", failed, n)
	}
	hangs.Store(false)
	clock.Add(11)
	if failed := signIns(); failed != 0 {
		t.Errorf("%d sign-ins failed with a provider that responds", failed)
	}
	hangs.Store(true)
	clock.Add(7200)
	asked.Store(0)
	if failed, n := signIns(), asked.Load(); failed != 0 || n != 1 {
		t.Errorf("with a document of two hours ago: %d of 5 sign-ins failed, after %d requests", failed, n)
	}
}

// Guarantee: only the provider can end sessions, by a fresh message about a session or a person of this
// client. An ID token is no such message.
func TestLogoutTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.LogoutToken(map[string]any{"sub": "s", "sid": "one", "jti": "j"})
	got, err := w.client.VerifyLogout(t.Context(), toksta.Hide(token))
	if err != nil || got.Subject != "s" || got.Session != "one" || got.ID != "j" || !got.ExpiresAt.After(w.now.Add(5*time.Minute)) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		want   oidc.Reason
		change func(*oidctest.Token)
	}{
		"issuer":        {oidc.ReasonLogoutToken, func(t *oidctest.Token) { t.Claims["iss"] = "https://evil.example" }},
		"audience":      {oidc.ReasonLogoutToken, func(t *oidctest.Token) { t.Claims["aud"] = "other" }},
		"expired":       {oidc.ReasonLogoutToken, func(t *oidctest.Token) { t.Claims["exp"] = w.now.Add(-2 * time.Minute).Unix() }},
		"old":           {oidc.ReasonIssuedAt, func(t *oidctest.Token) { t.Claims["iat"] = w.now.Add(-6 * time.Minute).Unix() }},
		"future":        {oidc.ReasonIssuedAt, func(t *oidctest.Token) { t.Claims["iat"] = w.now.Add(2 * time.Minute).Unix() }},
		"no id":         {oidc.ReasonLogoutToken, func(t *oidctest.Token) { delete(t.Claims, "jti") }},
		"no event":      {oidc.ReasonLogoutToken, func(t *oidctest.Token) { delete(t.Claims, "events") }},
		"nonce":         {oidc.ReasonLogoutToken, func(t *oidctest.Token) { t.Claims["nonce"] = "n" }},
		"nobody":        {oidc.ReasonLogoutToken, func(t *oidctest.Token) { delete(t.Claims, "sub") }},
		"alg none":      {oidc.ReasonLogoutToken, func(t *oidctest.Token) { t.Header["alg"] = "none" }},
		"client secret": {oidc.ReasonLogoutToken, func(t *oidctest.Token) { t.Header["alg"], t.Secret = "HS256", []byte(oidctest.ClientSecret) }},
		"long session":  {oidc.ReasonLogoutToken, func(t *oidctest.Token) { t.Claims["sid"] = strings.Repeat("s", 256) }},
	} {
		w.Spoil = c.change
		_, err := w.client.VerifyLogout(t.Context(), toksta.Hide(w.LogoutToken(map[string]any{"sub": "s"})))
		t.Run(name, func(t *testing.T) { wantReason(t, err, c.want) })
	}
	_, err = w.client.VerifyLogout(t.Context(), toksta.Hide("no token"))
	wantReason(t, err, oidc.ReasonLogoutToken)
	w.Spoil = nil
	id := w.Sign(map[string]any{"iss": w.URL, "aud": "toksta", "sub": "s", "iat": w.now.Unix(), "exp": w.now.Add(time.Minute).Unix(), "jti": "j2"})
	_, err = w.client.VerifyLogout(t.Context(), toksta.Hide(id))
	wantReason(t, err, oidc.ReasonLogoutToken)
}

// Guarantee: of GitHub's addresses only the primary one counts, and only if GitHub verified it. The
// subject is the user's id, because a login can be taken by another person.
func TestGitHub(t *testing.T) {
	t.Parallel()
	hub := func(addresses string) (*world, *string) {
		w := newWorld(t, func(c *oidc.Config) { c.Kind, c.Issuer = oidc.GitHub, c.Issuer+"/" })
		request := new(string)
		w.Respond = func(rw http.ResponseWriter, r *http.Request) bool {
			switch r.URL.Path {
			case "/login/oauth/access_token":
				*request = r.PostFormValue("client_id") + " " + r.PostFormValue("client_secret") + " " + r.PostFormValue("code_verifier")
				if r.PostFormValue("code") == "used" {
					_, _ = rw.Write([]byte("error=bad_verification_code&error_description=used"))
				} else {
					_, _ = rw.Write([]byte("access_token=secret&token_type=bearer&scope=user"))
				}
			case "/api/v3/user":
				_, _ = rw.Write([]byte(`{"id":4711,"login":"ada","name":null}`))
			case "/api/v3/user/emails":
				_, _ = rw.Write([]byte(addresses))
			default:
				return false
			}
			return true
		}
		return w, request
	}
	finish := func(w *world, code, issuer string) (oidc.Person, error) {
		return w.client.Finish(t.Context(), oidc.NewAttempt(), oidc.Callback{Code: toksta.Hide(code), Issuer: issuer})
	}
	for addresses, want := range map[string]oidc.Person{
		`[{"email":"x@x","verified":true},{"email":"a@x","primary":true,"verified":true}]`:  {Email: "a@x", Verified: true},
		`[{"email":"x@x","verified":true},{"email":"a@x","primary":true,"verified":false}]`: {Email: "a@x"},
		`[{"email":"x@x","verified":true}]`:                                                 {},
	} {
		w, request := hub(addresses)
		p, err := finish(w, "code", "")
		if err != nil || p.Subject != "4711" || p.Name != "ada" || p.Email != want.Email || p.Verified != want.Verified {
			t.Errorf("%s: %+v, %v", addresses, p, err)
		}
		if fields := strings.Fields(*request); len(fields) != 5 || len(fields[4]) != 43 {
			t.Errorf("the token request has %q", *request)
		}
		_, err = finish(w, "used", "")
		wantReason(t, err, oidc.ReasonCode)
		_, err = finish(w, "code", "https://evil.example")
		wantReason(t, err, oidc.ReasonIssuerParameter)
	}
	w, _ := hub("[]")
	w.Respond = nil
	_, err := finish(w, "code", "")
	wantReason(t, err, oidc.ReasonCode)
	_, err = w.client.VerifyLogout(t.Context(), toksta.Hide("x"))
	wantReason(t, err, oidc.ReasonUnsupportedToken)
	if u, err := w.client.EndSessionURL(t.Context(), "https://keys.example.com"); u != "" || err != nil {
		t.Errorf("GitHub ends sessions at %q, %v", u, err)
	}
}

// Guarantee: the person returns from the provider's sign-out to the given address.
func TestEndSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.Document = func(d map[string]any) { d["end_session_endpoint"] = w.URL + "/end?tenant=1" }
	got, err := w.client.EndSessionURL(t.Context(), "https://keys.example.com/signin?out=1")
	want := w.URL + "/end?client_id=toksta&post_logout_redirect_uri=https%3A%2F%2Fkeys.example.com%2Fsignin%3Fout%3D1&tenant=1"
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	w = newWorld(t, nil)
	w.Document = func(d map[string]any) { delete(d, "end_session_endpoint") }
	if got, err := w.client.EndSessionURL(t.Context(), "https://keys.example.com"); got != "" || err != nil {
		t.Errorf("without an endpoint: %q, %v", got, err)
	}
}
