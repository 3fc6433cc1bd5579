package web

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

type identityKey struct{}

// identity returns the signed-in person. It panics if the guard member did not
// handle the request.
func identity(ctx context.Context) signin.Identity {
	return ctx.Value(identityKey{}).(signin.Identity)
}

// actor returns the signed-in person as the author of a change.
func (p *Pages) actor(r *http.Request) toksta.Actor {
	return identity(r.Context()).Actor(p.origin(r))
}

// origin returns the client of a request, for the audit trail and the limits on attempts.
func (p *Pages) origin(r *http.Request) signin.Origin {
	return signin.Origin{Address: p.ClientAddress(r), Agent: text.Browser(text.Keepable(r.UserAgent())), Browser: p.browserCookie(r), Grace: cookieValue(r, p.graceName())}
}

// noteIdentity names the account and the member in the log record of the request.
func noteIdentity(r *http.Request, who signin.Identity) {
	x := exchange.FromContext(r.Context())
	x.Principal.AccountID, x.Member = who.Account.ID, who.Member.ID
}

// person wraps session and requires the second factor that the vendor requires. It redirects a
// person without one to the page that sets it up, and a session without its proof to the page that
// asks for the proof.
func (p *Pages) person(next http.HandlerFunc) http.Handler {
	return p.session(func(w http.ResponseWriter, r *http.Request) {
		who := identity(r.Context())
		switch {
		case who.Needs == signin.NeedsNothing:
			next(w, r)
		case who.Session.Bound:
			p.fail(w, r, &toksta.Error{Code: toksta.CodeForbidden, Message: "A second factor is required. Sign in on the account pages to set one up."})
		case who.Needs == signin.NeedsProof:
			p.ask(w, r, confirmFactor)
		default:
			http.Redirect(w, r, missingPath, http.StatusSeeOther)
		}
	})
}

// session requires a session. It redirects a request without a session to the
// sign-in page.
func (p *Pages) session(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := p.authenticate(r)
		switch {
		case isEmbedded(r.Context()) && !ownFrame(r):
			http.Redirect(w, r, view.EmbeddedHome, http.StatusSeeOther)
		case isUnauthorized(err) && isEmbedded(r.Context()):
			p.showEnded(w, r)
		case isUnauthorized(err):
			p.ask(w, r, "/signin")
		case err != nil:
			p.fail(w, r, err)
		case !mayOpen(r, who.Session):
			p.forbidBound(w, r)
		default:
			noteIdentity(r, who)
			r = r.WithContext(context.WithValue(r.Context(), identityKey{}, who))
			ctx, err := p.restore(r)
			if err != nil {
				p.fail(w, r, err)
				return
			}
			next(w, r.WithContext(ctx))
		}
	})
}

// member requires a session that shows an account. A person who belongs to no account gets
// the page that says so. A form of a page of another account is rejected.
func (p *Pages) member(next http.HandlerFunc) http.Handler {
	return p.person(func(w http.ResponseWriter, r *http.Request) {
		shown := identity(r.Context()).Account
		switch from := r.PostFormValue(accountField); {
		case shown.ID == "":
			p.noAccount(w, r)
		case from != "" && from != string(shown.ID):
			p.fail(w, r, &toksta.Error{
				Code: toksta.CodeConflict, Message: "This form is from a page of another account. In the meantime this browser has changed to the account " +
					shown.Name + ". Go back to the other account and open the page there again.",
			})
		default:
			next(w, r)
		}
	})
}

// accountField is the hidden field with the account of the page that a form is from. The session
// can show another account in the meantime, because the person switched in another tab, or because
// the vendor's page has opened a second frame.
const accountField = "in_account"

// authenticate returns the identity of the request's cookie. A page in a frame has a cookie of
// its own, and no page accepts the cookie of the other kind.
func (p *Pages) authenticate(r *http.Request) (signin.Identity, error) {
	if isEmbedded(r.Context()) {
		return p.SignIn.AuthenticateEmbedded(r.Context(), p.cookie(r))
	}
	return p.SignIn.Authenticate(r.Context(), p.cookie(r))
}

// confirmFactor is the address of the page that asks the person to confirm with a factor.
const confirmFactor = "/confirm?with=factor"

// ask redirects to the page that asks the person to sign in or to confirm, and from there back.
func (p *Pages) ask(w http.ResponseWriter, r *http.Request, page string) {
	next, err := p.returnPath(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	http.Redirect(w, r, page+separator+"next="+url.QueryEscape(next), http.StatusSeeOther)
}

// fresh requires a new proof of presence if the last one is older than Config.Recent. It
// protects keys, members and ways to sign in in an unattended browser.
func (p *Pages) fresh(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session := identity(r.Context()).Session
		if p.Recent > 0 && p.Now().Sub(session.ConfirmedAt) > p.Recent {
			if session.Bound {
				p.showRenew(w, r)
				return
			}
			p.ask(w, r, "/confirm")
			return
		}
		next(w, r)
	}
}

// may requires a role with a permission, and responds with the error page 403 otherwise, which
// gives the reason. The services check each change again, in its transaction.
func (p *Pages) may(needed toksta.Permission, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if role := identity(r.Context()).Role; !role.Allows(needed) {
			p.fail(w, r, &toksta.Error{Code: toksta.CodeForbidden, Message: deniedWords(role, needed)})
			return
		}
		next(w, r)
	}
}

// safeNext returns next if it is a path of the account pages or of an invitation, otherwise
// /account.
func safeNext(next string) string {
	if next == invitationPath {
		return next
	}
	u, err := url.Parse(next)
	// Browsers take a backslash for a slash, which path.Clean does not.
	if err != nil || u.Host != "" || u.Scheme != "" || strings.ContainsAny(next, "\\\r\n") {
		return "/account"
	}
	// A path that leads out of the account by ".." can be another page, such as one that opens a link.
	if clean := path.Clean(u.Path); clean != "/account" && !strings.HasPrefix(clean, "/account/") {
		return "/account"
	}
	return next
}
