package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// linkCookie keeps the code of a link from a mail, so that the code leaves the address bar, the
// history and the Referer at once.
const linkCookie = "account_link"

// linkCookieLifetime is the time in which a person fills in the form after opening a link. Later,
// the person opens the link again.
const linkCookieLifetime = time.Hour

// takeCode moves the code in the address of a request to a cookie and redirects to the page
// without the code. It returns false if there is none in the address. Neither it nor the page
// uses the link: a program that only reads the address of a mail, such as a scanner, changes
// nothing.
func (p *Pages) takeCode(w http.ResponseWriter, r *http.Request) bool {
	rest := r.URL.Query()
	code := rest.Get("code")
	if code == "" {
		return false
	}
	rest.Del("code")
	p.setLinkCookie(w, code)
	w.Header().Set("Referrer-Policy", "no-referrer")
	page := url.URL{Path: r.URL.Path, RawQuery: rest.Encode()}
	http.Redirect(w, r, page.String(), http.StatusSeeOther)
	return true
}

// setLinkCookie sets the cookie with the code of a link. An empty code deletes the cookie.
func (p *Pages) setLinkCookie(w http.ResponseWriter, code string) {
	http.SetCookie(w, p.newCookie(p.hostCookie(linkCookie), code, p.Now().Add(linkCookieLifetime)))
}

// linkCode returns the code of the link that the browser opened, empty if there is none.
func (p *Pages) linkCode(r *http.Request) toksta.Hidden {
	return cookieValue(r, p.hostCookie(linkCookie))
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

// lifetime returns the validity of a link in words.
func lifetime(d time.Duration) string {
	if hours := d.Truncate(time.Hour); hours == d {
		return view.Count(int64(d/time.Hour), "hour")
	}
	return view.Count(int64(d/time.Minute), "minute")
}
