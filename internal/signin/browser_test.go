package signin

import (
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// The record of a sign-in states that the browser is new: not for the first sign-in, not in a
// known browser, also for two members in one browser, but again after 400 days.
func TestNewBrowsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	home := w.signUp(t, "ada@example.com").Browser
	signIn := func(email string, browser toksta.Hidden, wantNew string) toksta.Hidden {
		t.Helper()
		in, err := w.SignIn(t.Context(), Origin{Browser: browser}, email, toksta.Hide(testPassword))
		if err != nil {
			t.Fatal(err)
		}
		last, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Limit: 1})
		if err != nil || len(last) != 1 || last[0].Detail["new_browser"] != wantNew {
			t.Errorf("%s: recorded %v, want %q, %v", email, last[0].Detail, wantNew, err)
		}
		return in.Browser
	}
	if set := signIn("ada@example.com", home, ""); set.Reveal() != "" {
		t.Error("a known browser gets another cookie")
	}
	office := signIn("ada@example.com", toksta.Hidden{}, "true")
	signIn("ada@example.com", toksta.Hide("not a cookie"), "true")
	w.signUp(t, "bob@example.com") // in a browser of his own
	shared := signIn("bob@example.com", office, "true")
	signIn("bob@example.com", shared, "")
	signIn("ada@example.com", shared, "")
	w.now = w.now.Add(BrowserLifetime - time.Hour)
	signIn("ada@example.com", shared, "")
	w.now = w.now.Add(2 * time.Hour)
	signIn("ada@example.com", shared, "")
	signIn("ada@example.com", home, "true")
}

// The cookie of a browser that another person knows is not that of the browser after a sign-in.
func TestBrowserFixation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	planted := w.signUp(t, "eve@example.com").Browser
	ada := w.signUp(t, "ada@example.com")
	in, err := w.SignIn(t.Context(), Origin{Browser: planted}, "ada@example.com", toksta.Hide(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		browser toksta.Hidden
		want    bool
	}{"planted": {planted, false}, "own": {in.Browser, true}} {
		if _, got, err := w.knownBrowser(t.Context(), Origin{Browser: c.browser}, ada.Member.ID); err != nil || got != c.want {
			t.Errorf("the %s cookie is known: %v, want %v, %v", name, got, c.want, err)
		}
	}
}
