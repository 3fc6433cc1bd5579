package e2e

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// Guarantee: no text from a browser causes an error of a database. A key can be revoked by
// the name that its page shows, whatever text was stored as its name.
func TestTextOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	database := server.NewDatabase(t)
	v := newCustomer(t, apptest.Start(t, func(c *config.Config) { c.Store.URL, c.Branding.CSVMark = database, true }))
	for _, agent := range []string{"caf\xe9/1.0", "x" + strings.Repeat("é", 30), "\xff"} {
		if got := v.ask("POST", "/signin", agent, "email", "ada@fjordlight.example", "password", password); got.status != http.StatusSeeOther {
			t.Errorf("signing in with User-Agent %q responds %d", agent, got.status)
		}
		created := v.ask("POST", "/account/keys", agent, "token", rand.Text(), "name", "by page", "scope", "all", "expires", "never")
		if created.status != http.StatusSeeOther || !strings.HasSuffix(created.location, "/secret") {
			t.Errorf("creating a key with User-Agent %q responds %d to %q", agent, created.status, created.location)
			continue
		}
		if shown := v.ask("GET", created.location, agent); shown.status != http.StatusOK || !secretPattern.MatchString(shown.body) {
			t.Errorf("the page of the secret with User-Agent %q responds %d without the secret", agent, shown.status)
		}
	}
	for _, path := range []string{"/account/keys/%ff", "/account/keys/%00", "/account/keys/%c3/revoke"} {
		if got := v.ask("GET", path, "test"); got.status != http.StatusNotFound {
			t.Errorf("%s responds %d", path, got.status)
		}
	}

	table, err := v.browser.Get(v.n.URL + "/account/usage.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Body.Close()
	if head, err := io.ReadAll(table.Body); !strings.HasPrefix(string(head), "\ufeffday,") || err != nil {
		t.Errorf("the file begins with %.20q, %v", head, err)
	}

	for i, c := range []struct{ stored, typed string }{
		{"two  spaces", "two spaces"},
		{"no\u00a0break", "no break"},
		{"Cafe\u0301", "Caf\u00e9"},
		{"\u200d", string(v.keys[3])},
		{"\u2800", string(v.keys[4])},
		{"old\u200bstyle", "oldstyle"},
	} {
		server.Exec(t, databaseName(t, database), "UPDATE keys SET name = '"+c.stored+"' WHERE id = '"+string(v.keys[i])+"'")
		if got := v.ask("POST", v.page(i, "revoke"), "test", "name", c.typed+" no"); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%+q typed as another name responds %d", c.stored, got.status)
		}
		if k, err := v.api.Key(t.Context(), v.key(i)); err != nil || !k.RevokedAt.IsZero() {
			t.Errorf("%+q is revoked by another name: %v", c.stored, err)
		}
		got := v.ask("POST", v.page(i, "revoke"), "test", "name", c.typed)
		if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, v.page(i, "revoked")+"?") {
			t.Errorf("%+q typed as %+q responds %d to %q", c.stored, c.typed, got.status, got.location)
			continue
		}
		if result := v.ask("GET", got.location, "test"); result.status != http.StatusOK || !strings.Contains(result.body, "is revoked") {
			t.Errorf("%+q typed as %+q: the page of the result responds %d", c.stored, c.typed, result.status)
		}
		if k, err := v.api.Key(t.Context(), v.key(i)); err != nil || k.RevokedAt.IsZero() {
			t.Errorf("%+q is not revoked: %v", c.stored, err)
		}
	}
}

// secretPattern matches the secret of a key.
var secretPattern = regexp.MustCompile(`tk_live_[0-9a-f]{48}`)

// page is a response of the pages.
type page struct {
	status         int
	location, body string
}

// ask sends a form of name and value pairs from a browser with the User-Agent agent. It follows no
// redirect.
func (v *customer) ask(method, path, agent string, pairs ...string) page {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.n.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("User-Agent", agent)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := v.browser.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return page{response.StatusCode, response.Header.Get("Location"), string(body)}
}

// databaseName returns the name in a database's URL.
func databaseName(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}
