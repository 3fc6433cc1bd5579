package web

import (
	"errors"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// linkCookie keeps the code of a link from a mail, so that the code leaves the address bar, the
// history and the Referer at once.
const linkCookie = "account_link"

// takeCode moves the code in the address of a request to a cookie and redirects to the page
// without the code. It returns false if there is none in the address. Neither it nor the page
// uses the link: a program that only reads the address of a mail, such as a scanner, changes
// nothing.
func (p *Pages) takeCode(w http.ResponseWriter, r *http.Request) bool {
	code := r.URL.Query().Get("code")
	if code == "" {
		return false
	}
	p.setLinkCookie(w, code)
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, r.URL.Path, http.StatusSeeOther)
	return true
}

// setLinkCookie sets the cookie with the code of a link. An empty code deletes the cookie.
func (p *Pages) setLinkCookie(w http.ResponseWriter, code string) {
	c := &http.Cookie{
		Name: p.hostCookie(linkCookie), Value: code, Path: "/", MaxAge: int(signin.LinkLifetime.Seconds()),
		HttpOnly: true, Secure: p.SecureCookies, SameSite: http.SameSiteLaxMode,
	}
	if code == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// linkCode returns the code of the link that the browser opened, empty if there is none.
func (p *Pages) linkCode(r *http.Request) toksta.Hidden {
	c, err := r.Cookie(p.hostCookie(linkCookie))
	if err != nil {
		return toksta.Hidden{}
	}
	return toksta.Hide(c.Value)
}

// failLink responds to a link that is not valid, with a way to get another one. It responds with
// the error page to any other error.
func (p *Pages) failLink(w http.ResponseWriter, r *http.Request, err error, again view.Link) {
	known, _ := errors.AsType[*toksta.Error](err)
	if known == nil || known.Code != toksta.CodeForbidden {
		p.fail(w, r, err)
		return
	}
	x := exchange.FromContext(r.Context())
	x.Fail(err)
	p.setLinkCookie(w, "")
	p.show(w, r, screen{http.StatusGone, "error"}, view.Error{
		Sheet: p.sheet(), Status: http.StatusGone, RequestID: x.RequestID,
		Title: "This link does not work", Text: known.Message, Primary: again,
	})
}

// lifetimeWords is signin.LinkLifetime for people.
const lifetimeWords = "15 minutes"
