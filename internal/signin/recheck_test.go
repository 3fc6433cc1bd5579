package signin

import (
	"context"
	"fmt"
	"testing"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// moments run an action once at a moment of a sign-in, or of the action that takes its proof away.
type moments struct {
	store.Sessions
	store.Tickets
	store.Browsers
	beforePut, afterPut, beforeEnd, beforeSuspend func()
	browser                                       toksta.Digest // last written
}

// at puts the moments around the store of w.
func at(w *world) *moments {
	m := &moments{Sessions: w.Sessions, Tickets: w.Tickets, Browsers: w.Browsers}
	w.Sessions, w.Tickets, w.Browsers = m, m, m
	return m
}

func once(action *func()) {
	if run := *action; run != nil {
		*action = nil
		run()
	}
}

func (m *moments) PutSession(ctx context.Context, s store.Session) error {
	once(&m.beforePut)
	err := m.Sessions.PutSession(ctx, s)
	once(&m.afterPut)
	return err
}

func (m *moments) EndSessions(ctx context.Context, set store.SessionSet) error {
	once(&m.beforeEnd)
	return m.Sessions.EndSessions(ctx, set)
}

func (m *moments) PutTicket(ctx context.Context, t store.Ticket) error {
	if t.Purpose == purposePending {
		once(&m.beforeSuspend)
	}
	return m.Tickets.PutTicket(ctx, t)
}

func (m *moments) PutBrowser(ctx context.Context, b store.Browser, replaces toksta.Digest) (int, error) {
	m.browser = b.ID
	return m.Browsers.PutBrowser(ctx, b, replaces)
}

// meeting is a sign-in and the action that takes its proof away, in the order that a test chooses.
type meeting struct {
	*world
	member toksta.MemberID
	start  func() (SignedIn, error)
	end    func() error
}

// meetings are the pairs of a sign-in and an action.
var meetings = map[string]func(*testing.T) meeting{
	"provider, unlinked":              meetUnlink,
	"provider, session ended":         func(t *testing.T) meeting { return meetLogout(t, "one", map[string]any{"sid": "one"}) },
	"provider, named session ended":   func(t *testing.T) meeting { return meetLogout(t, "one", map[string]any{"sid": "one", "sub": "s-1"}) },
	"provider, unnamed session ended": func(t *testing.T) meeting { return meetLogout(t, "", map[string]any{"sid": "one", "sub": "s-1"}) },
	"provider, person signed out":     func(t *testing.T) meeting { return meetLogout(t, "one", map[string]any{"sub": "s-1"}) },
	"provider, pending, unlinked":     meetPending,
	"password, replaced": func(t *testing.T) meeting {
		return meetPassword(t, func(w *world, m toksta.MemberID) error {
			return w.ResetPassword(t.Context(), operator, m, toksta.Hide("a much better one"))
		})
	},
	"password, person disabled": func(t *testing.T) meeting {
		return meetPassword(t, func(w *world, m toksta.MemberID) error {
			s := members.Service{Log: w.Log, Store: w.store, Sessions: w.Sessions, Now: w.Now}
			_, err := s.Disable(t.Context(), operator, members.DisableRequest{Ref: members.Ref{Member: m}, WithoutOwner: true})
			return err
		})
	},
	"password, disabled in the account": func(t *testing.T) meeting {
		return meetPassword(t, func(w *world, m toksta.MemberID) error {
			s := members.Service{Log: w.Log, Store: w.store, Sessions: w.Sessions, Now: w.Now}
			of, err := w.store.ListMemberships(t.Context(), m)
			if err != nil {
				return err
			}
			_, err = s.Disable(t.Context(), operator, members.DisableRequest{Ref: members.Ref{Account: of[0].AccountID, Member: m}, WithoutOwner: true})
			return err
		})
	},
	"link, address changed": meetMove,
	"passkey, reset":        meetReset,
	"vendor, member removed": func(t *testing.T) meeting {
		w := newWorld(t, Open)
		up := w.signUp(t, "ada@example.com")
		code := w.link(t, VendorRequest{Account: up.Account.ID, Member: up.Member.ID}).Code
		return meeting{w, up.Member.ID, func() (SignedIn, error) { return w.open(t.Context(), code) }, func() error {
			s := members.Service{Log: w.Log, Store: w.store, Sessions: w.Sessions, Now: w.Now}
			_, err := s.Remove(t.Context(), operator, members.RemoveRequest{
				Ref: members.Ref{Account: up.Account.ID, Member: up.Member.ID}, Keys: members.KeepKeys, WithoutOwner: true,
			})
			return err
		}}
	},
	"confirmation, signed out everywhere": func(t *testing.T) meeting {
		w := newWorld(t, Open)
		up, secret := w.withApp(t, "ada@example.com")
		return meeting{w, up.Member.ID, func() (SignedIn, error) {
			return w.ConfirmWithCode(t.Context(), home, up.Identity, codeAt(secret, w.now))
		}, func() error { return w.SignOutEverywhere(t.Context(), up.Identity, false) }}
	},
}

func meetPassword(t *testing.T, end func(*world, toksta.MemberID) error) meeting {
	w := newWorld(t, Open)
	m := w.signUp(t, "ada@example.com").Member.ID
	return meeting{w, m, func() (SignedIn, error) {
		a, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
		return a.SignedIn, err
	}, func() error { return end(w, m) }}
}

// signInBy returns a sign-in by the provider, which has begun.
func (w *providerWorld) signInBy(t *testing.T) func() (SignedIn, error) {
	r := w.attempt(t, ProviderStart{})
	return func() (SignedIn, error) {
		a, err := w.FinishProvider(t.Context(), home, r)
		return a.SignedIn, err
	}
}

func meetUnlink(t *testing.T) meeting {
	w := newProviderWorld(t, nil)
	in, err := w.ChangePassword(t.Context(), home, w.enter(t), PasswordRequest{Next: toksta.Hide(testPassword)})
	if err != nil {
		t.Fatal(err)
	}
	return meeting{w.world, in.Member.ID, w.signInBy(t), func() error { return w.Unlink(t.Context(), home, in.Identity, "acme") }}
}

func meetLogout(t *testing.T, session string, token map[string]any) meeting {
	w := newProviderWorld(t, nil)
	w.acme.Claims["sid"] = session
	m := w.enter(t).Member.ID
	return meeting{w.world, m, w.signInBy(t), func() error {
		return w.ProviderLogout(t.Context(), "acme", toksta.Hide(w.acme.LogoutToken(token)))
	}}
}

// meetPending returns the second step of a sign-in by a provider.
func meetPending(t *testing.T) meeting {
	w := newProviderWorld(t, nil)
	id, app := w.enterWithApp(t)
	w.nextStep()
	r, err := w.signInWith(t)
	if err != nil {
		t.Fatal(err)
	}
	return meeting{w.world, id.Member.ID, func() (SignedIn, error) {
		return w.CompleteWithCode(t.Context(), home, r.Pending, codeAt(app.Secret, w.now))
	}, func() error { return w.Unlink(t.Context(), home, id, "acme") }}
}

func meetMove(t *testing.T) meeting {
	w, box := newLinkWorld(t)
	up := w.signUp(t, "ada@example.com")
	w.verify(t, up.Member)
	cookies := w.signInLink(t, box, toksta.Hidden{}, "ada@example.com")
	if err := w.moveTo(t, up.Identity, "new@example.com", testPassword); err != nil {
		t.Fatal(err)
	}
	_, code := box.code("new@example.com")
	return meeting{w, up.Member.ID, func() (SignedIn, error) {
		a, _, err := w.SignInByLink(t.Context(), home, cookies)
		return a.SignedIn, err
	}, func() error { return w.ChangeAddressByLink(t.Context(), home, up.Identity, code) }}
}

func meetReset(t *testing.T) meeting {
	w, a := newPasskeyWorld(t)
	in := w.addPasskey(t, w.signUp(t, "ada@example.com"), a)
	response := w.signInChallenge(t, a)
	return meeting{w, in.Member.ID, func() (SignedIn, error) {
		a, err := w.SignInWithPasskey(t.Context(), home, response)
		return a.SignedIn, err
	}, func() error { return w.ResetFactors(t.Context(), operator, in.Member.ID) }}
}

// Guarantee: a sign-in that is in progress while its proof is taken away ends without a session, in whichever
// order the steps of both happen, and its browser does not stay known.
func TestSignInMeetsTheEndOfItsProof(t *testing.T) {
	t.Parallel()
	for name, prepare := range meetings {
		for _, moment := range []string{"before the session", "after the session", "before the end of sessions"} {
			t.Run(name+"/"+moment, func(t *testing.T) {
				t.Parallel()
				m := prepare(t)
				before := m.sessions(t)
				var in SignedIn
				var startErr, endErr error
				start, end := func() { in, startErr = m.start() }, func() { endErr = m.end() }
				hooks := at(m.world)
				switch moment {
				case "before the session":
					hooks.beforePut = end
					start()
				case "after the session":
					hooks.afterPut = end
					start()
				default:
					hooks.beforeEnd = start
					end()
				}
				if endErr != nil {
					t.Fatal(endErr)
				}
				if startErr != nil && moment != "before the end of sessions" { // otherwise, the proof is rejected
					wantError(t, startErr, toksta.CodeUnauthorized, "")
				}
				for id := range m.sessions(t) {
					if !before[id] {
						t.Error("a session is left")
					}
				}
				// A person who is disabled in the account can sign in to no account.
				if id, err := m.Authenticate(t.Context(), in.Cookie); err == nil && id.Account.ID != "" {
					t.Error("the sign-in has a session")
				}
				known, err := m.store.ListBrowsers(t.Context(), hooks.browser)
				if err != nil || startErr != nil && len(known) > 0 {
					t.Errorf("the browser is known to %d members, %v", len(known), err)
				}
			})
		}
	}
}

// sessions returns the ids of the member's stored sessions that show an account.
func (m meeting) sessions(t *testing.T) map[toksta.Digest]bool {
	t.Helper()
	all, err := m.store.ListSessions(t.Context(), m.member, m.now)
	if err != nil {
		t.Fatal(err)
	}
	out := map[toksta.Digest]bool{}
	for _, s := range all {
		if s.AccountID != "" {
			out[s.ID] = true
		}
	}
	return out
}

// Guarantee: a sign-in that becomes pending while its first proof is taken away cannot be completed. A logout
// ends only the sign-ins that it names, also pending ones, and none that was begun afterwards.
func TestPendingSignInMeetsTheEndOfItsProof(t *testing.T) {
	t.Parallel()
	type token = map[string]any
	for i, c := range []struct {
		session string
		token   token // nil: unlinked
		ends    bool
	}{
		{"one", nil, true},
		{"one", token{"sid": "one"}, true},
		{"one", token{"sid": "one", "sub": "s-1"}, true},
		{"one", token{"sub": "s-1"}, true},
		{"", token{"sid": "one", "sub": "s-1"}, true},
		{"", token{"sid": "one"}, false},
		{"one", token{"sid": "two", "sub": "s-1"}, false},
		{"one", token{"sub": "s-2"}, false},
	} {
		for _, moment := range []string{"before it is pending", "while it is pending"} {
			t.Run(fmt.Sprint(i, " ", moment), func(t *testing.T) {
				t.Parallel()
				w := newProviderWorld(t, nil)
				id, app := w.enterWithApp(t)
				end := func() {
					var err error
					if c.token == nil {
						err = w.Unlink(t.Context(), home, id, "acme")
					} else {
						err = w.ProviderLogout(t.Context(), "acme", toksta.Hide(w.acme.LogoutToken(c.token)))
					}
					if err != nil {
						t.Error(err)
					}
				}
				hooks := at(w.world)
				if moment == "before it is pending" {
					hooks.beforeSuspend = end
				}
				complete := func() error {
					w.acme.Claims["sid"] = c.session
					r, err := w.signInWith(t)
					if err != nil {
						t.Fatal(err)
					}
					if moment == "while it is pending" {
						end()
						end = func() {}
					}
					w.nextStep()
					_, err = w.CompleteWithCode(t.Context(), home, r.Pending, codeAt(app.Secret, w.now))
					return err
				}
				err := complete()
				if c.ends {
					wantError(t, err, toksta.CodeUnauthorized, "Start again")
				} else if err != nil {
					t.Error(err)
				}
				if c.token == nil {
					return // linked by the address again
				}
				if err := complete(); err != nil {
					t.Errorf("begun afterwards: %v", err)
				}
			})
		}
	}
}
