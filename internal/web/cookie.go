package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/sdk/toksta"
)

// cookieName returns the name of the session cookie.
func (p *Pages) cookieName() string { return p.hostCookie("account_session") }

// browserCookieName returns the name of the cookie by which a browser is known after its session
// has ended; see [signin.SignedIn].
func (p *Pages) browserCookieName() string { return p.hostCookie("account_browser") }

// hostCookie returns the name of a cookie. With TLS it has the prefix for which browsers
// enforce the attributes: no other host can set the cookie.
func (p *Pages) hostCookie(name string) string {
	if p.SecureCookies {
		return "__Host-" + name
	}
	return name
}

// sessionCookie returns the name of the session cookie that a request must have. Pages in a frame
// have a cookie of their own.
func (p *Pages) sessionCookie(r *http.Request) string {
	if isEmbedded(r.Context()) {
		return embedCookie
	}
	return p.cookieName()
}

// cookie returns the value of the session cookie, empty if there is none.
func (p *Pages) cookie(r *http.Request) toksta.Hidden { return cookieValue(r, p.sessionCookie(r)) }

// browserCookie returns the value of the browser's cookie, empty if there is none.
func (p *Pages) browserCookie(r *http.Request) toksta.Hidden {
	return cookieValue(r, p.browserCookieName())
}

func cookieValue(r *http.Request, name string) toksta.Hidden {
	c, err := r.Cookie(name)
	if err != nil {
		return toksta.Hidden{}
	}
	return toksta.Hide(c.Value)
}

// setCookie sets the session cookie. An empty value deletes the cookie.
func (p *Pages) setCookie(w http.ResponseWriter, value string, expires time.Time) {
	http.SetCookie(w, p.newCookie(p.cookieName(), value, expires))
}

// setSession sets the cookie of a new session and, if it is a new one, that of the browser.
func (p *Pages) setSession(w http.ResponseWriter, in signin.SignedIn) {
	p.setCookie(w, in.Cookie.Reveal(), in.Session.ExpiresAt)
	if known := in.Browser.Reveal(); known != "" {
		http.SetCookie(w, p.newCookie(p.browserCookieName(), known, p.Now().Add(signin.BrowserLifetime)))
	}
}

// newCookie returns a cookie of these pages that scripts and other sites cannot read. With an empty
// value, it deletes the cookie.
func (p *Pages) newCookie(name, value string, expires time.Time) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: cookieText(value), Path: "/", Expires: expires,
		HttpOnly: true, Secure: p.SecureCookies, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// cookieText returns a value for a cookie. One that a client chose can have characters that net/http
// would report in the program's log: then it is a text that no code and no cookie equals.
func cookieText(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`",;\`, r) }) {
		return "malformed"
	}
	return value
}
