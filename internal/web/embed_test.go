package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

const vendorPage = "https://app.example/api-keys"

// newEmbedded returns a world with two pages that may embed the keys.
func newEmbedded(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, func(c *Config) {
		c.EmbedOrigins, c.EmbedScheme, c.VendorURL = []string{"https://app.example", "https://admin.example:8443"}, "light", vendorPage
	})
}

// vendor is the actor of the vendor's back end.
var vendor = toksta.Actor{Kind: toksta.ActorOperator, ID: "op_1", Name: "back end"}

// code returns the code of a link for a person who is not a member yet, in the world's account.
func (w *world) code(t *testing.T, req signin.VendorRequest) string {
	t.Helper()
	if req.Account == "" {
		req.Account = w.account
	}
	if req.Member == "" {
		req.Email, req.Name = "lin@example.com", "Lin"
	}
	link, err := w.SignIn.CreateVendorLink(t.Context(), vendor, req)
	if err != nil {
		t.Fatal(err)
	}
	return link.Code.Reveal()
}

// agent is a browser that keeps cookies by their names only, also Secure ones over plain HTTP. It
// follows no redirects.
type agent struct {
	w       *world
	cookies map[string]*http.Cookie
	header  http.Header // of every request
}

func (w *world) agent() *agent {
	return &agent{w: w, cookies: map[string]*http.Cookie{}, header: http.Header{}}
}

// do sends a request for a target such as "GET /account", and keeps the cookies of the response.
func (a *agent) do(t *testing.T, target string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	method, path, _ := strings.Cut(target, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range a.cookies {
		if strings.HasPrefix(r.URL.Path, c.Path) {
			r.AddCookie(c)
		}
	}
	w := httptest.NewRecorder()
	a.w.Handler().ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if a.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(a.cookies, c.Name)
		}
	}
	return w
}

// follow sends a GET and follows redirects.
func (a *agent) follow(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	for range 6 {
		res := a.do(t, "GET "+path, nil)
		if res.Code != http.StatusSeeOther {
			return res
		}
		path = res.Header().Get("Location")
	}
	t.Fatalf("too many redirects, the last one to %s", path)
	return nil
}

// framed returns a browser with a session in a frame.
func (w *world) framed(t *testing.T) *agent {
	t.Helper()
	a := w.agent()
	if res := a.follow(t, signin.EmbeddedPath+"?code="+w.code(t, signin.VendorRequest{Embedded: true})); res.Code != http.StatusOK {
		t.Fatalf("status %d, want the overview\n%s", res.Code, res.Body)
	}
	return a
}

// checked is a named response of a test.
type checked struct {
	t    *testing.T
	name string
	*httptest.ResponseRecorder
}

func check(t *testing.T, name string, res *httptest.ResponseRecorder) checked {
	return checked{t, name, res}
}

// shows fails the test if the response lacks the status or a text.
func (c checked) shows(status int, texts ...string) {
	c.t.Helper()
	for _, text := range append(texts, "") {
		if c.Code != status || !strings.Contains(c.Body.String(), text) {
			c.t.Errorf("%s: status %d, want %d and %q in\n%.1500s", c.name, c.Code, status, text, c.Body)
			return
		}
	}
}

// Guarantee: in a frame, a person creates, sees, renames, rotates and revokes a key, and no link or
// form leads out of the frame. The page has the configured colors. The cookie has the attributes with which browsers keep it in a
// frame, for this site only, and another page of a frame's site cannot make a page lose its secret.
func TestKeysInFrame(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	a := w.framed(t)
	c := a.cookies[embedCookie]
	if got := *c; !strings.HasPrefix(c.Name, "__Host-") || !got.Secure || !got.HttpOnly || !got.Partitioned || got.SameSite != http.SameSiteNoneMode || got.Path != "/" || got.Domain != "" {
		t.Errorf("the cookie is %s", c)
	}
	inside := func(name string, res *httptest.ResponseRecorder, texts ...string) string {
		t.Helper()
		check(t, name, res).shows(http.StatusOK, texts...)
		for _, m := range regexp.MustCompile(`(?:href|action)="([^"]*)"`).FindAllStringSubmatch(res.Body.String(), -1) {
			if !strings.HasPrefix(m[1], "/embed") && !strings.HasPrefix(m[1], "/assets/") && !strings.HasPrefix(m[1], "#") {
				t.Errorf("%s leads out of the frame: %s", name, m[1])
			}
		}
		return res.Body.String()
	}
	inside("the overview", a.do(t, "GET /embed", nil), "Acme", "/embed/keys/new", "data-embed", `class="embed always-light"`)
	form := inside("the form", a.do(t, "GET /embed/keys/new", nil), `action="/embed/keys"`)
	fields := response{body: form}.fields()
	fields.Set("name", "In a frame")
	created := a.do(t, "POST /embed/keys", fields)
	secretPage := created.Header().Get("Location")
	if created.Code != http.StatusSeeOther || !strings.HasSuffix(secretPage, "/secret") || !strings.HasPrefix(secretPage, "/embed/keys/") {
		t.Fatalf("creating: status %d to %s", created.Code, secretPage)
	}
	stolen := a.do(t, "GET "+secretPage, nil, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe")
	if stolen.Code != http.StatusSeeOther || stolen.Header().Get("Location") != "/embed" {
		t.Errorf("a sibling page opens the page of the secret: status %d", stolen.Code)
	}
	inside("the secret", a.do(t, "GET "+secretPage, nil, "Sec-Fetch-Site", "same-origin"), "tk_live_", "data-reveal")
	inside("the secret, again", a.do(t, "GET "+secretPage, nil), "This secret was shown once")
	key := "/embed/keys/" + strings.Split(secretPage, "/")[3]
	inside("the key", a.do(t, "GET "+key, nil), "In a frame", "Created")
	renamed := a.do(t, "POST "+key+"/edit", url.Values{"name": {"Renamed"}})
	inside("renaming", a.follow(t, renamed.Header().Get("Location")), "Renamed")
	rotate := response{body: inside("the rotation", a.do(t, "GET "+key+"/rotate", nil))}
	inside("the second secret", a.follow(t, a.do(t, "POST "+key+"/rotate", rotate.fields()).Header().Get("Location")), "tk_live_")
	inside("the revocation", a.do(t, "GET "+key+"/revoke", nil), "Renamed")
	inside("revoked", a.follow(t, a.do(t, "POST "+key+"/revoke", url.Values{"name": {"Renamed"}}).Header().Get("Location")), "is revoked")
	if k := w.key(t, toksta.KeyID(strings.Split(secretPage, "/")[3])); k.RevokedAt.IsZero() || k.CreatedBy != "Lin" {
		t.Errorf("the key is %+v", k)
	}
	check(t, "the CSV file", a.do(t, "GET /embed/usage.csv", nil)).shows(http.StatusOK)
}

// Guarantee: exactly the configured origins may frame the pages for frames, and none may frame any
// other page, for every route. Without configured origins, there are no pages for frames.
func TestFrameHeaders(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	for _, pattern := range w.routes().patterns {
		method, path, _ := strings.Cut(strings.Replace(pattern, "{$}", "", 1), " ")
		res := w.agent().do(t, method+" "+strings.ReplaceAll(path, "{id}", "key_none"), nil)
		policy, denied := res.Header().Get("Content-Security-Policy"), res.Header().Get("X-Frame-Options") == "DENY"
		var ancestors string
		if m := regexp.MustCompile(`frame-ancestors ([^;]*)`).FindStringSubmatch(policy); m != nil {
			ancestors = m[1]
		}
		want := "'none'"
		if path == "/embed" || strings.HasPrefix(path, "/embed/") {
			want = "https://app.example https://admin.example:8443"
		}
		if ancestors != want || denied != (want == "'none'") {
			t.Errorf("%s: frame-ancestors %q, X-Frame-Options: DENY is %v", pattern, ancestors, denied)
		}
	}
	closed := newWorld(t)
	for _, path := range []string{"/embed", signin.EmbeddedPath + "?code=" + strings.Repeat("a", codeLen), "/embed/keys/new", embedScriptPath} {
		res := closed.agent().do(t, "GET "+path, nil)
		if res.Code != http.StatusNotFound || res.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: status %d without origins, X-Frame-Options %q", path, res.Code, res.Header().Get("X-Frame-Options"))
		}
	}
}

// Guarantee: a link preview, a prefetch and a window do not use a link for a frame; a used, expired
// or malformed link starts no session; a browser that keeps no cookie gets a link to a window,
// which works once.
func TestFrameLinkIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	code := w.code(t, signin.VendorRequest{Embedded: true})
	start, enter := signin.EmbeddedPath+"?code="+code, "/embed/enter?code="+code
	a := w.agent()
	for _, path := range []string{start, enter} {
		for _, c := range []struct {
			method  string
			headers []string
		}{{"HEAD", nil}, {"GET", []string{"Sec-Purpose", "prefetch;prerender"}}, {"GET", []string{"Purpose", "prefetch"}}} {
			if res := a.do(t, c.method+" "+path, nil, c.headers...); res.Code != http.StatusNoContent || len(a.cookies) != 0 {
				t.Errorf("%s %s %v: status %d, cookies %v", c.method, path, c.headers, res.Code, a.cookies)
			}
		}
	}
	check(t, "in a window", a.do(t, "GET "+start, nil, "Sec-Fetch-Dest", "document")).shows(http.StatusForbidden, "for a frame")
	check(t, "in a frame", a.follow(t, start)).shows(http.StatusOK, "Acme")

	other := w.agent()
	check(t, "used", other.follow(t, start)).shows(http.StatusUnauthorized, "has expired", "data-ended", vendorPage, `target="_top"`)
	check(t, "malformed", other.follow(t, signin.EmbeddedPath+"?code=x")).shows(http.StatusUnauthorized, "data-ended")
	check(t, "for a window", other.follow(t, signin.EmbeddedPath+"?code="+w.code(t, signin.VendorRequest{}))).shows(http.StatusUnauthorized, "data-ended")
	late := w.code(t, signin.VendorRequest{Embedded: true})
	w.ahead.Add(int64(time.Minute))
	check(t, "expired", other.follow(t, signin.EmbeddedPath+"?code="+late)).shows(http.StatusUnauthorized, "data-ended")
	if other.cookies[embedCookie] != nil {
		t.Error("a rejected link started a session")
	}

	blocked := w.agent()
	fresh := w.code(t, signin.VendorRequest{Embedded: true})
	res := blocked.do(t, "GET "+signin.EmbeddedPath+"?code="+fresh, nil)
	blocked.cookies = map[string]*http.Cookie{}
	res = blocked.do(t, "GET "+res.Header().Get("Location"), nil)
	check(t, "without cookies", res).shows(http.StatusOK, "keeps no cookies", `target="_blank"`)
	window := regexp.MustCompile(`/signin/vendor\?code=[\w-]+`).FindString(res.Body.String())
	w.ahead.Add(int64(9 * time.Minute))
	check(t, "the window", w.agent().follow(t, window)).shows(http.StatusOK, "Acme", "Sign out")
	check(t, "the window, again", w.agent().follow(t, window)).shows(http.StatusUnauthorized, "does not work any more")
	check(t, "the frame's link, after the window's", w.agent().follow(t, signin.EmbeddedPath+"?code="+fresh)).shows(http.StatusUnauthorized, "data-ended")
}

// Guarantee: the cookie of a frame is no session outside of it, and the ordinary cookie is none in a
// frame.
func TestCookiesOfFramesAreSeparate(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	a := w.framed(t)
	value := a.cookies[embedCookie].Value
	if res := a.do(t, "GET /account", nil); res.Code != http.StatusSeeOther {
		t.Errorf("the cookie of a frame opens the account: status %d", res.Code)
	}
	swapped := w.agent()
	swapped.cookies["account_session"] = &http.Cookie{Name: "account_session", Value: value, Path: "/"}
	if res := swapped.do(t, "GET /account", nil); res.Code != http.StatusSeeOther {
		t.Errorf("the session of a frame opens the account: status %d", res.Code)
	}
	base, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.browser.Jar.Cookies(base) {
		for _, name := range []string{c.Name, embedCookie} {
			ordinary := w.agent()
			ordinary.cookies[name] = &http.Cookie{Name: name, Value: c.Value, Path: "/"}
			check(t, "an ordinary session as "+name, ordinary.do(t, "GET /embed", nil)).shows(http.StatusUnauthorized, "data-ended")
		}
	}
}

// Guarantee: another site, and another page of the same site, cannot send any form of a frame; and
// a session reaches no key of another account by any route, in a frame and outside.
func TestFormsOfFramesAreProtected(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	framed, bound := w.framed(t), w.agent()
	check(t, "the account", bound.follow(t, signin.VendorPath+"?code="+w.code(t, signin.VendorRequest{}))).shows(http.StatusOK, "Acme")
	mine := w.create(t, "Mine")
	foreign := w.otherKey(t)
	for _, pattern := range w.routes().patterns {
		method, path, _ := strings.Cut(pattern, " ")
		a := framed
		if !strings.HasPrefix(path, "/embed") {
			a = bound
		}
		if method == "POST" && (a == framed || boundRoutes[pattern]) {
			for _, site := range []string{"cross-site", "same-site"} {
				res := a.do(t, method+" "+strings.ReplaceAll(path, "{id}", string(mine.ID)), url.Values{"name": {"Mine"}}, "Sec-Fetch-Site", site)
				check(t, pattern+" from "+site, res).shows(http.StatusForbidden, "another site")
			}
		}
		if strings.Contains(path, "/keys/{id}") {
			res := a.do(t, method+" "+strings.ReplaceAll(path, "{id}", string(foreign.ID)), url.Values{"name": {foreign.Name}, "generation": {"1"}, "token": {strings.Repeat("A", 26)}})
			check(t, pattern+" of another account", res).shows(http.StatusNotFound)
		}
	}
	for _, k := range []toksta.Key{mine, foreign} {
		now, err := w.Keys.Get(t.Context(), k.AccountID, k.ID)
		if diff := cmp.Diff(k, now); err != nil || diff != "" {
			t.Errorf("%s changed, %v: %s", k.Name, err, diff)
		}
	}
}

// otherKey creates a key in an account of another person.
func (w *world) otherKey(t *testing.T) toksta.Key {
	t.Helper()
	a := toksta.Account{ID: "acct_other", Name: "Other", Plan: "BUILD", Status: toksta.StatusActive, CreatedAt: w.Now(), StatusSince: w.Now()}
	if _, err := w.Accounts.Log.Commit(t.Context(), vendor, decided(store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: a.ID, Accounts: []toksta.Account{a}})); err != nil {
		t.Fatal(err)
	}
	return w.createIn(t, a.ID, "Foreign")
}

// Guarantee: after the time in which a sign-in counts as recent, a frame and a window lead back to
// the vendor's page before a key is created, rotated or revoked; and after its lifetime, a session
// of a frame ends.
func TestVendorSessionsAreRenewedByTheVendor(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	w.Recent = 10 * time.Minute
	framed, bound := w.framed(t), w.agent()
	bound.follow(t, signin.VendorPath+"?code="+w.code(t, signin.VendorRequest{}))
	key := w.create(t, "Kept")
	w.ahead.Add(int64(11 * time.Minute))
	for _, path := range []string{"/keys/new", "/keys/" + string(key.ID) + "/rotate", "/keys/" + string(key.ID) + "/revoke"} {
		check(t, "a frame", framed.do(t, "GET /embed"+path, nil)).shows(http.StatusUnauthorized, "data-ended", vendorPage)
		check(t, "a window", bound.do(t, "GET /account"+path, nil)).shows(http.StatusUnauthorized, "Open this page again", vendorPage)
	}
	check(t, "a form", framed.do(t, "POST /embed/keys/"+string(key.ID)+"/revoke", url.Values{"name": {"Kept"}})).shows(http.StatusUnauthorized, "data-ended")
	if !w.key(t, key.ID).RevokedAt.IsZero() {
		t.Error("the key is revoked")
	}
	check(t, "the overview", framed.do(t, "GET /embed", nil)).shows(http.StatusOK, "Kept")
	w.ahead.Add(int64(time.Hour))
	check(t, "the overview after an hour", framed.do(t, "GET /embed", nil)).shows(http.StatusUnauthorized, "data-ended")
	if res := bound.do(t, "GET /account", nil); res.Code != http.StatusSeeOther {
		t.Errorf("the account after an hour: status %d", res.Code)
	}
}

// Guarantee: the script for pages never changes under its address, other sites may load it with
// its hash, and the documentation states this hash.
func TestEmbedScriptIsPinned(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	res := w.agent().do(t, "GET "+embedScriptPath, nil, "Sec-Fetch-Site", "cross-site")
	sum := sha256.Sum256(res.Body.Bytes())
	hash := "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	guide, err := os.ReadFile("../../docs/embedding.md")
	if err != nil || !strings.Contains(string(guide), hash) {
		t.Errorf("docs/embedding.md lacks %s, %v: a changed script needs a new path", hash, err)
	}
	if h := res.Header(); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || !strings.HasPrefix(h.Get("Content-Type"), "text/javascript") {
		t.Errorf("the header of the script is %v", h)
	}
}
