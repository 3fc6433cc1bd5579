package e2e

import (
	"io"
	"net/http"
	"net/url"
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
	ask := func(method, path, agent string, pairs ...string) int {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		r, err := http.NewRequestWithContext(t.Context(), method, v.n.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", agent)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := v.browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for _, agent := range []string{"caf\xe9/1.0", "x" + strings.Repeat("é", 30), "\xff"} {
		if got := ask("POST", "/signin", agent, "email", "ada@fjordlight.example", "password", password); got != http.StatusSeeOther {
			t.Errorf("signing in with User-Agent %q responds %d", agent, got)
		}
		if got := ask("POST", "/account/keys", agent, "token", strings.Repeat("A", 26), "name", "by page", "scope", "all"); got != http.StatusOK {
			t.Errorf("creating a key with User-Agent %q responds %d", agent, got)
		}
	}
	for _, path := range []string{"/account/keys/%ff", "/account/keys/%00", "/account/keys/%c3/revoke"} {
		if got := ask("GET", path, "test"); got != http.StatusNotFound {
			t.Errorf("%s responds %d", path, got)
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
		if got := ask("POST", v.page(i, "revoke"), "test", "name", c.typed+" no"); got != http.StatusUnprocessableEntity {
			t.Errorf("%+q typed as another name responds %d", c.stored, got)
		}
		if got := ask("POST", v.page(i, "revoke"), "test", "name", c.typed); got != http.StatusOK {
			t.Errorf("%+q typed as %+q responds %d", c.stored, c.typed, got)
		}
		if k, err := v.api.Key(t.Context(), v.key(i)); err != nil || k.RevokedAt.IsZero() {
			t.Errorf("%+q is not revoked: %v", c.stored, err)
		}
	}
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
