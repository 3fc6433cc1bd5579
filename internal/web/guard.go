package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

type identityKey struct{}

// identity returns who is signed in; only handlers behind member have one.
func identity(ctx context.Context) signin.Identity {
	return ctx.Value(identityKey{}).(signin.Identity)
}

// actor is the signed-in person as the author of a change.
func (p *Pages) actor(r *http.Request) toksta.Actor {
	return identity(r.Context()).Actor(p.origin(r))
}

// origin is where a request comes from, as the audit trail shows it.
func (p *Pages) origin(r *http.Request) signin.Origin {
	return signin.Origin{Address: p.ClientAddress(r), Agent: view.Browser(text.Keepable(r.UserAgent()))}
}

// member lets signed-in people through and shows the others the way in.
func (p *Pages) member(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := p.SignIn.Authenticate(r.Context(), p.cookie(r))
		switch {
		case errors.Is(err, &toksta.Error{Code: toksta.CodeUnauthorized}):
			http.Redirect(w, r, "/signin?next="+url.QueryEscape(returnPath(r)), http.StatusSeeOther)
		case err != nil:
			p.fail(w, r, err)
		default:
			x := exchange.FromContext(r.Context())
			x.Principal.AccountID, x.Member = who.Account.ID, who.Member.ID
			next(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, who)))
		}
	})
}

// recent is member for what a walk past an open browser must not do: who
// signed in too long ago is asked for the password first.
func (p *Pages) recent(next http.HandlerFunc) http.Handler {
	return p.member(func(w http.ResponseWriter, r *http.Request) {
		signedIn := identity(r.Context()).Session.CreatedAt
		if p.Recent > 0 && p.Now().Sub(signedIn) > p.Recent {
			http.Redirect(w, r, "/confirm?next="+url.QueryEscape(returnPath(r)), http.StatusSeeOther)
			return
		}
		next(w, r)
	})
}

// guarded names what a page behind recent does, for the question before it.
func guarded(next string) string {
	path, _, _ := strings.Cut(next, "?")
	switch {
	case strings.HasSuffix(path, "/rotate"):
		return "rotate a key"
	case strings.HasSuffix(path, "/revoke"):
		return "revoke a key"
	default:
		return "create a key"
	}
}

// formPage returns the page of the form that posts to path, and the fields of it
// that a return path carries, so that a person who signs in again finds the form
// as it was filled in. None of them is a secret. What confirms a revocation is
// typed anew.
func formPage(path string) (page string, kept []string) {
	switch {
	case path == "/account/keys":
		return "/account/keys/new", []string{"token", "name", "scope", "family", "expires", "day", "ips"}
	case strings.HasPrefix(path, "/account/security/"):
		return "/account/security", nil
	case strings.HasSuffix(path, "/edit"):
		return path, []string{"name"}
	default:
		return path, nil
	}
}

// maxReturn bounds a return path with the fields of a form, in bytes. Browsers
// and proxies take addresses of twice this length.
const maxReturn = 4 << 10

// returnPath is the page to come back to after signing in: this one, or for a
// form the page that has it, with what was typed into it.
func returnPath(r *http.Request) string {
	if r.URL.Path == "/confirm" {
		return safeNext(r.FormValue("next"))
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r.URL.RequestURI()
	}
	path, fields := formPage(r.URL.Path)
	kept := url.Values{}
	for _, field := range fields {
		if values := r.PostForm[field]; len(values) > 0 {
			kept[field] = values
		}
	}
	page := url.URL{Path: path, RawQuery: kept.Encode()}
	if len(page.RawQuery) > maxReturn {
		page.RawQuery = ""
	}
	return page.String()
}

// safeNext keeps a way back only when it is a path of this site.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/account") || strings.ContainsAny(next, "\\\r\n") {
		return "/account"
	}
	return next
}

// cookieName carries the prefix that makes a browser insist on its
// attributes, where TLS allows that.
func (p *Pages) cookieName() string {
	if p.SecureCookies {
		return "__Host-toksta"
	}
	return "toksta"
}

// cookie is the session that the browser sent, hidden; empty when none.
func (p *Pages) cookie(r *http.Request) toksta.Hidden {
	c, err := r.Cookie(p.cookieName())
	if err != nil {
		return toksta.Hidden{}
	}
	return toksta.Hide(c.Value)
}

// setCookie signs a browser in, or out with an empty value.
func (p *Pages) setCookie(w http.ResponseWriter, value string, expires time.Time) {
	c := &http.Cookie{
		Name: p.cookieName(), Value: value, Path: "/", Expires: expires,
		HttpOnly: true, Secure: p.SecureCookies, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
