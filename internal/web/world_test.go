package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/notices"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

// world has the pages on a real database, and a signed-in browser.
type world struct {
	*Pages
	store   store.Store
	account toksta.AccountID
	owner   toksta.MemberID
	url     string
	browser *http.Client
	last    response     // of a form that leads to another page
	ahead   atomic.Int64 // of the real time, in nanoseconds
	usage   atomic.Pointer[error]
}

// unreadable is a store whose usage fails while the world says so.
type unreadable struct {
	store.Store
	w *world
}

func (u unreadable) LastUses(ctx context.Context, a toksta.AccountID) (map[toksta.KeyID]store.LastUse, error) {
	if err := u.w.usage.Load(); err != nil {
		return nil, *err
	}
	return u.Store.LastUses(ctx, a)
}

const password = "a long sentence that nobody guesses"

func newWorld(t *testing.T) *world { return newWorldWith(t, func(*Config) {}) }

// newWorldWith returns a world whose pages have a changed configuration, with a signed-in person.
func newWorldWith(t *testing.T, alter func(*Config)) *world {
	t.Helper()
	w := emptyWorld(t, alter)
	w.post(t, "/signup", url.Values{"name": {"Ada"}, "account": {"Acme"}, "email": {"ada@example.com"}, "password": {password}})
	all, err := w.store.ListAccounts(t.Context(), store.Page{})
	if err != nil || len(all) != 1 {
		t.Fatalf("signing up made %d accounts, %v", len(all), err)
	}
	w.account = all[0].ID
	owner, err := w.store.MemberByEmail(t.Context(), "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	w.owner = owner.ID
	return w
}

// emptyWorld returns a world without people.
func emptyWorld(t *testing.T, alter func(*Config)) *world {
	t.Helper()
	s := sqlitetest.Open(t)
	w := &world{store: s}
	now := func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	catalog := &toksta.Catalog{
		Shape:    toksta.KeyShape{Prefix: "tk_live_"},
		Families: []toksta.FamilyInfo{{Name: "data"}, {Name: "job"}},
		Plans:    []toksta.Plan{{ID: "BUILD", Name: "Build", API: toksta.APIAlways, Families: []toksta.Family{"data", "job"}}},
		Statuses: map[toksta.Status]toksta.Reason{toksta.StatusActive: ""},
		FreePlan: "BUILD", PerMinute: 60, MaxKeys: 100,
	}
	config := Config{
		Keys:     &keys.Service{Log: members.Log{Log: s.DirectLog()}, Store: s, Catalog: catalog, Now: now},
		Accounts: &accounts.Service{Log: members.Log{Log: s.DirectLog()}, Store: s, Catalog: catalog, Now: now},
		Members:  &members.Service{Log: members.Log{Log: s.DirectLog()}, Store: s, Sessions: s, Now: now},
		SignIn: signin.New(signin.Config{
			Log: members.Log{Log: s.DirectLog()}, Trail: s, Store: s, Sessions: s, Tickets: s, Factors: s, Attempts: s, Browsers: s, Clock: s,
			Catalog: catalog, Now: now, Policy: signin.Open,
		}),
		Notices: notices.New(notices.Config{Store: s, Now: now, Log: slog.New(slog.DiscardHandler)}),
		Usage: &usage.Reader{
			Store: unreadable{s, w}, Catalog: catalog, Now: now, Kept: usage.Retention{KeepMonths: 1},
			Balance: func(*toksta.Standing, time.Time) credits.Balance { return credits.Balance{} },
			Refresh: func(context.Context, *toksta.Standing) error {
				if err := w.usage.Load(); err != nil {
					return *err
				}
				return nil
			},
		},
		Catalog: catalog, ClientAddress: func(*http.Request) netip.Addr { return netip.MustParseAddr("203.0.113.7") },
		Recent: time.Hour, Now: now,
	}
	alter(&config)
	pages, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.Pages = pages
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	w.url, w.browser = server.URL, server.Client()
	w.signOut(t)
	return w
}

// actor returns the owner of the account as the author of a change.
func (w *world) actor() toksta.Actor {
	return toksta.Actor{Kind: toksta.ActorMember, ID: string(w.owner), Name: "Ada"}
}

// signOut deletes the cookies of the browser.
func (w *world) signOut(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.browser.Jar = jar
}

// response is a page after all redirects.
type response struct {
	*http.Response
	body string
	path string // and query
}

func (w *world) send(t *testing.T, r *http.Request) response {
	t.Helper()
	res, err := w.browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{res, string(body), res.Request.URL.RequestURI()}
}

func (w *world) get(t *testing.T, path string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.send(t, r)
}

func (w *world) post(t *testing.T, path string, form url.Values) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return w.send(t, r)
}

// fields returns the fields that a browser would send for the form of the page,
// with their current values.
func (s response) fields() url.Values {
	form := url.Values{}
	for _, tag := range regexp.MustCompile(`<input[^>]*>`).FindAllString(s.body, -1) {
		choice := regexp.MustCompile(`type="(radio|checkbox)"`).MatchString(tag)
		if name := attribute(tag, "name"); name != "" && (!choice || strings.Contains(tag, " checked")) {
			form.Add(name, attribute(tag, "value"))
		}
	}
	if m := regexp.MustCompile(`<option value="([^"]*)" selected`).FindStringSubmatch(s.body); m != nil {
		form.Set("expires", m[1])
	}
	return form
}

func (s response) shows(t *testing.T, status int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if s.StatusCode != status || !strings.Contains(s.body, text) {
			_, content, _ := strings.Cut(s.body, "<main")
			t.Errorf("%s: status %d, want %d and %q in\n%.1500s", s.path, s.StatusCode, status, text, content)
		}
	}
}

func (w *world) create(t *testing.T, name string) toksta.Key {
	t.Helper()
	c, err := w.Keys.Create(t.Context(), w.actor(), keys.CreateRequest{Account: w.account, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return c.Key
}

func (w *world) key(t *testing.T, id toksta.KeyID) toksta.Key {
	t.Helper()
	k, err := w.Keys.Get(t.Context(), w.account, id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var errUnreadable = errors.New("usage cannot be read")
