package web

import (
	"context"
	_ "embed"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/page"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// The keys can be shown in a frame of the vendor's page. These pages have the same handlers and
// templates as those of the account, under another path, with another cookie and in another
// layout. Browsers keep the cookie for this frame on this site only (CHIPS), so it works with
// third-party cookies blocked, and no other site's page can act with it. See decision 36.

// embedScriptPath is the address of the script that sets the height of a frame.
const embedScriptPath = view.EmbeddedHome + "/v1.js"

// embedScript never changes, so that pages can state its hash. A new version gets a new path.
//
//go:embed embed_v1.js
var embedScript []byte

type embeddedKey struct{}

// isEmbedded reports whether a request is for a page in a frame of the vendor's page.
func isEmbedded(ctx context.Context) bool { return ctx.Value(embeddedKey{}) != nil }

// ownsEmbedded reports whether path belongs to the pages for frames.
func ownsEmbedded(path string) bool {
	return path == view.EmbeddedHome || strings.HasPrefix(path, view.EmbeddedHome+"/")
}

// home returns the path of the overview to which the requested page belongs.
func home(ctx context.Context) string { return view.Frame{Embedded: isEmbedded(ctx)}.Home() }

// homeLink returns the link to the overview to which the requested page belongs.
func homeLink(ctx context.Context) view.Link {
	if isEmbedded(ctx) {
		return view.Link{Text: "Go to the keys", URL: view.EmbeddedHome}
	}
	return view.Link{Text: "Go to the account", URL: view.AccountHome}
}

// keyPath returns the path of the page of a key. If the requested page is for frames, this one is
// too.
func keyPath(r *http.Request, id toksta.KeyID) string {
	return home(r.Context()) + "/keys/" + string(id)
}

// embedRoutes registers the pages for frames if the configuration has origins that may show them.
func (p *Pages) embedRoutes(mux *routes) {
	if len(p.EmbedOrigins) == 0 {
		return
	}
	mux.HandleFunc("GET "+embedScriptPath, serveEmbedScript)
	mux.HandleFunc("GET "+signin.EmbeddedPath, p.startEmbedded)
	mux.HandleFunc("GET "+view.EmbeddedHome+"/enter", p.enterEmbedded)
	mux.Handle("GET "+view.EmbeddedHome, p.member(p.account))
	mux.Handle("GET "+view.EmbeddedHome+"/usage.csv", p.member(p.usageCSV))
	p.keyRoutes(framed{mux})
}

// framed registers pages of the account as pages for frames.
type framed struct{ *routes }

// Handle implements table.
func (t framed) Handle(pattern string, h http.Handler) { t.routes.Handle(inFrame(pattern), h) }

// Form implements table.
func (t framed) Form(pattern string, f form, h http.Handler) {
	f.page = inFrame(f.page)
	t.routes.Form(inFrame(pattern), f, h)
}

// inFrame returns the path, or the pattern, of a page of the account under the path of the pages
// for frames.
func inFrame(path string) string {
	return strings.Replace(path, view.AccountHome, view.EmbeddedHome, 1)
}

// frameable lets the configured origins frame the page of a response, and marks the request.
func (p *Pages) frameable(h http.Header, r *http.Request) *http.Request {
	if len(p.EmbedOrigins) == 0 || !ownsEmbedded(r.URL.Path) {
		return r
	}
	h.Del("X-Frame-Options") // it cannot name an origin
	h.Set("Content-Security-Policy", strings.Replace(page.Policy, "frame-ancestors 'none'", "frame-ancestors "+strings.Join(p.EmbedOrigins, " "), 1))
	return r.WithContext(context.WithValue(r.Context(), embeddedKey{}, true))
}

// serveEmbedScript serves the script for the vendor's page. Other sites may read it, which they
// need to compare its hash.
func serveEmbedScript(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write(embedScript)
}

// embedCodeCookie is the cookie of a frame between two responses: it shows that the browser
// keeps cookies here.
const embedCodeCookie = "__Host-embed_code"

// embedCookie is the cookie of a session in a frame. Browsers send Secure cookies to this machine
// over plain HTTP too.
const embedCookie = "__Host-embed_session"

// frameCookie returns a cookie that browsers keep in a frame of another site's page, for this
// site only. An empty value deletes the cookie.
func frameCookie(name, path, value string) *http.Cookie {
	c := &http.Cookie{
		Name: name, Value: cookieText(value), Path: path,
		HttpOnly: true, Secure: true, SameSite: http.SameSiteNoneMode, Partitioned: true,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// isPreview reports whether a program made the request before a person asked for the page: the
// HEAD of a link preview, or the browser's own prefetch. Such a request uses no link.
func isPreview(r *http.Request) bool {
	return r.Method == http.MethodHead || r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") != ""
}

// startEmbedded begins to open a link in a frame. It only sets a cookie: the link is used by the
// next request, which shows whether the browser keeps the cookie.
func (p *Pages) startEmbedded(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if isPreview(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "iframe" {
		p.fail(w, r, &toksta.Error{Code: toksta.CodeForbidden, Message: "This address is for a frame of a page. Open that page instead."})
		return
	}
	code := r.FormValue("code")
	if len(code) != codeLen {
		p.showEnded(w, r)
		return
	}
	c := frameCookie(embedCodeCookie, "/", code)
	c.MaxAge = int(signin.VendorCodeTime / time.Second)
	http.SetCookie(w, c)
	http.Redirect(w, r, view.EmbeddedHome+"/enter?code="+url.QueryEscape(code), http.StatusSeeOther)
}

// codeLen is the length of the code of a link.
const codeLen = 43

// enterEmbedded uses the link and starts the session, if the browser has kept the cookie.
// Otherwise it shows a link that opens the pages in a window of their own.
func (p *Pages) enterEmbedded(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if isPreview(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	code := r.FormValue("code")
	offer, err := p.SignIn.VendorOffer(r.Context(), toksta.Hide(code))
	if err == nil && !offer.Embedded {
		err = &toksta.Error{Code: toksta.CodeUnauthorized}
	}
	kept, _ := r.Cookie(embedCodeCookie)
	switch {
	case isUnauthorized(err):
		p.showEnded(w, r)
	case err != nil:
		p.fail(w, r, err)
	case kept == nil || kept.Value != code:
		p.offerWindow(w, r, offer)
	default:
		p.openEmbedded(w, r, offer)
	}
}

// openEmbedded starts the session of a frame and shows its first page.
func (p *Pages) openEmbedded(w http.ResponseWriter, r *http.Request, offer signin.VendorOffer) {
	in, err := p.SignIn.OpenVendorLink(r.Context(), p.origin(r), offer)
	switch {
	case isUnauthorized(err):
		p.showEnded(w, r)
		return
	case err != nil:
		p.fail(w, r, err)
		return
	}
	http.SetCookie(w, frameCookie(embedCodeCookie, "/", ""))
	c := frameCookie(embedCookie, "/", in.Cookie.Reveal())
	c.Expires = in.Session.ExpiresAt
	http.SetCookie(w, c)
	http.Redirect(w, r, inFrame(safeNext(offer.Next)), http.StatusSeeOther)
}

// offerWindow tells a person whose browser keeps no cookie in the frame how to go on. The link
// gets a new code, because the person needs time to press the button.
func (p *Pages) offerWindow(w http.ResponseWriter, r *http.Request, offer signin.VendorOffer) {
	code, err := p.SignIn.ReissueVendorLink(r.Context(), offer)
	switch {
	case isUnauthorized(err):
		p.showEnded(w, r)
		return
	case err != nil:
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{page: "notice"}, view.Notice{
		Sheet: p.sheet(), Title: "Your browser keeps no cookies here",
		Text:   "It blocks the cookie that keeps you signed in inside of this page. The keys open in a tab of their own instead.",
		Action: view.Link{Text: "Open the keys", URL: signin.VendorPath + "?code=" + url.QueryEscape(code.Reveal())}, Target: "_blank",
	})
}

// showEnded responds to a request in a frame without a session, or with a session that is too old
// for the action. The page around the frame can start another session.
func (p *Pages) showEnded(w http.ResponseWriter, r *http.Request) {
	n := view.Notice{
		Sheet: p.sheet(), Title: "This view has expired", Ended: true,
		Text: "Reload the page to go on. No key has changed.",
	}
	if p.VendorURL != "" {
		n.Action, n.Target = view.Link{Text: "Start again", URL: p.VendorURL}, "_top"
	}
	p.show(w, r, screen{http.StatusUnauthorized, "notice"}, n)
}

// ownFrame reports whether the request comes from a page of the frame itself. Another page of the
// vendor's site shares the cookie, and must not open pages with an effect, such as the one that
// shows a secret once. The overview is the page to which a new session leads.
func ownFrame(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || r.URL.Path == view.EmbeddedHome
}

// forFrame makes the links of the overview that lead to other pages open outside of the frame,
// where the person has no session. So it removes the link to the plans unless they are public.
func (p *Pages) forFrame(data *view.Account) {
	if data.Banner == nil {
		return
	}
	banner := *data.Banner
	banner.Action.Away = true
	if banner.Action.URL == plansPath && !p.Plans.Public {
		banner.Action = view.Link{}
	}
	data.Banner = &banner
}
