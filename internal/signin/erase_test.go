package signin

import (
	"context"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// writes runs an erasure before the write with the number n.
type writes struct {
	store.Log
	store.Sessions
	store.Tickets
	store.Browsers
	store.FactorUses
	n     int
	erase func()
}

func (w *writes) step() {
	if w.n--; w.n == 0 {
		w.erase()
	}
}

func (w *writes) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Receipt, error) {
	w.step()
	return w.Log.Commit(ctx, by, decide)
}

func (w *writes) PutSession(ctx context.Context, s store.Session) error {
	w.step()
	return w.Sessions.PutSession(ctx, s)
}

func (w *writes) PutTicket(ctx context.Context, t store.Ticket) error {
	w.step()
	return w.Tickets.PutTicket(ctx, t)
}

func (w *writes) PutBrowser(ctx context.Context, b store.Browser, replaces toksta.Digest) (int, error) {
	w.step()
	return w.Browsers.PutBrowser(ctx, b, replaces)
}

func (w *writes) PutTOTP(ctx context.Context, t store.TOTP) error {
	w.step()
	return w.FactorUses.PutTOTP(ctx, t)
}

// trail is the change log without the wait for nodes.
type trail struct {
	store.Mutator
	step func()
}

func (t trail) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Change, error) {
	t.step()
	return t.Mutator.Commit(ctx, by, decide)
}

// erasable are requests of a person, which begin before the erasure of the person.
var erasable = map[string]func(*testing.T, *world, *postbox) (toksta.MemberID, func() error){
	"sign-in": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		m := w.signUp(t, "ada@example.com").Member.ID
		return m, func() error {
			_, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
			return err
		}
	},
	"first proof": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		in, _ := w.withApp(t, "ada@example.com")
		return in.Member.ID, func() error {
			_, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
			return err
		}
	},
	"second proof": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		in, secret := w.withApp(t, "ada@example.com")
		pending := w.firstProof(t, "ada@example.com")
		return in.Member.ID, func() error {
			_, err := w.CompleteWithCode(t.Context(), home, pending, codeAt(secret, w.now))
			return err
		}
	},
	"confirmation": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		in := w.signUp(t, "ada@example.com")
		return in.Member.ID, func() error {
			_, err := w.Confirm(t.Context(), home, in.Identity, toksta.Hide(testPassword))
			return err
		}
	},
	"vendor session": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		in := w.signUp(t, "ada@example.com")
		return in.Member.ID, func() error {
			link, err := w.CreateVendorLink(t.Context(), operator, VendorRequest{Account: in.Account.ID, Member: in.Member.ID})
			if err == nil {
				_, err = w.open(t.Context(), link.Code)
			}
			return err
		}
	},
	"authenticator app": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		in := w.signUp(t, "ada@example.com")
		return in.Member.ID, func() error {
			set, err := w.SetUpApp(t.Context(), in.Identity)
			if err == nil {
				_, err = w.ConfirmApp(t.Context(), home, in.Identity, codeAt(set.Secret, w.now))
			}
			return err
		}
	},
	"new password": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		in := w.signUp(t, "ada@example.com")
		return in.Member.ID, func() error {
			_, err := w.ChangePassword(t.Context(), home, in.Identity, PasswordRequest{Current: toksta.Hide(testPassword), Next: toksta.Hide("a much better one")})
			return err
		}
	},
	"new name": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		in := w.signUp(t, "ada@example.com")
		return in.Member.ID, func() error {
			return w.ChangeProfile(t.Context(), home, in.Identity, ProfileRequest{Name: "Ada L.", Email: in.Member.Email})
		}
	},
	"new address": func(t *testing.T, w *world, box *postbox) (toksta.MemberID, func() error) {
		in := w.signUp(t, "ada@example.com")
		if err := w.moveTo(t, in.Identity, "new@example.com", testPassword); err != nil {
			t.Fatal(err)
		}
		_, code := box.code("new@example.com")
		return in.Member.ID, func() error { return w.ChangeAddressByLink(t.Context(), home, in.Identity, code) }
	},
	"link for a password": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		m := w.signUp(t, "ada@example.com").Member.ID
		return m, func() error {
			_ = w.RequestReset(t.Context(), home, ResetRequest{Email: "ada@example.com"})
			return errNoMail
		}
	},
	"password by link": func(t *testing.T, w *world, box *postbox) (toksta.MemberID, func() error) {
		m := w.signUp(t, "ada@example.com").Member.ID
		code := w.resetCode(t, box, "ada@example.com")
		return m, func() error { return w.reset(t, code) }
	},
	"form": func(t *testing.T, w *world, _ *postbox) (toksta.MemberID, func() error) {
		in := w.signUp(t, "ada@example.com")
		from := home
		from.Browser = in.Browser
		return in.Member.ID, func() error {
			kept, err := w.SaveDraft(t.Context(), from, in.Cookie, Draft{Page: "/a", Fields: map[string][]string{"name": {"Ada"}}})
			if err == nil && !kept {
				err = errNoMail
			}
			return err
		}
	},
}

// errNoMail is the result of a request whose response does not depend on the person.
var errNoMail = forbidden("no response shows it")

// Guarantee: whichever write of a request an erasure of the person precedes, the request leaves no row about
// the person: neither a session, a link or a record in the change log, nor a name.
func TestErasureMeetsARequest(t *testing.T) {
	t.Parallel()
	for name, prepare := range erasable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				w, box := newMailWorld(t)
				w.Verification = VerifyOff
				member, request := prepare(t, w, box)
				erased := store.Erasure{Members: []toksta.MemberID{member}}
				hook := &writes{Log: w.Log, Sessions: w.Sessions, Tickets: w.Tickets, Browsers: w.Browsers, FactorUses: w.Factors, n: n}
				log := w.Log
				hook.erase = func() {
					m := toksta.Member{ID: member, CreatedAt: w.now, DisabledAt: w.now}
					_, err := log.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
						return store.Mutation{Kind: toksta.ChangeMemberErased, MemberID: member, Members: []toksta.Member{m}}, nil
					})
					if err == nil {
						_, err = w.store.Erase(t.Context(), erased)
					}
					if err != nil {
						t.Error(err)
					}
				}
				w.Log, w.Trail, w.Sessions, w.Tickets, w.Browsers, w.Factors = hook, trail{w.Trail, hook.step}, hook, hook, hook, hook
				err := request()
				if hook.n > 0 {
					if n == 1 {
						t.Error("the request writes nothing")
					}
					return
				}
				if err == nil || toksta.ErrorCode(err) == toksta.CodeInternal {
					t.Errorf("write %d: the request returned %v", n, err)
				}
				if left, err := w.store.Erase(t.Context(), erased); err != nil || len(left) > 0 {
					t.Errorf("write %d: rows are left: %v, %v", n, left, err)
				}
				if m, err := w.store.Member(t.Context(), member); err != nil || m.Name != "" || m.Email != "" {
					t.Errorf("write %d: the person is %+v, %v", n, m, err)
				}
			}
		})
	}
}
