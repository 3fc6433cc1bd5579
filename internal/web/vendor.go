package web

import (
	"cmp"
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// The vendor's back end can send a signed-in person here, with a link that is used once. The
// session is bound to one account, and reaches only the pages in boundRoutes.

// boundRoutes are the pages of a bound session. Every other page is forbidden to it: pages about
// the person, such as passwords and sessions, pages of other accounts, and pages that are added
// later.
var boundRoutes = map[string]bool{
	"GET /account":                   true,
	"GET /account/plans":             true,
	"GET /account/usage.csv":         true,
	"GET /account/keys/new":          true,
	"POST /account/keys":             true,
	"GET /account/keys/{id}":         true,
	"GET /account/keys/{id}/secret":  true,
	"GET /account/keys/{id}/edit":    true,
	"POST /account/keys/{id}/edit":   true,
	"GET /account/keys/{id}/rotate":  true,
	"POST /account/keys/{id}/rotate": true,
	"GET /account/keys/{id}/revoke":  true,
	"POST /account/keys/{id}/revoke": true,
	"GET /account/keys/{id}/revoked": true,
}

// mayOpen reports whether a session may open the requested page.
func mayOpen(r *http.Request, s signin.Session) bool {
	return !s.Bound || isEmbedded(r.Context()) || boundRoutes[r.Pattern]
}

// forbidBound responds to a bound session that requests a page beyond its account.
func (p *Pages) forbidBound(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, &toksta.Error{
		Code:    toksta.CodeForbidden,
		Message: cmp.Or(p.Brand.Product, "The vendor") + " signed you in for the keys of this account only, so this page is not available.",
	})
}

// vendorRoutes registers the pages that open a link of the vendor's back end.
func (p *Pages) vendorRoutes(mux *routes) {
	mux.HandleFunc("GET "+signin.VendorPath, p.startVendor)
	mux.HandleFunc("GET "+vendorEnterPath, p.enterVendor)
	mux.Form("POST /signin/vendor/enter", form{}, http.HandlerFunc(p.confirmVendor))
}

// vendorEnterPath is the address at which the link is used. The code is in a cookie there, and
// no longer in the address.
const vendorEnterPath = signin.VendorPath + "/enter"

// vendorCookie returns the name of the cookie with the code of a link.
func (p *Pages) vendorCookie() string { return p.hostCookie("vendor_code") }

// setVendorCookie sets the cookie with the code. An empty code deletes the cookie.
func (p *Pages) setVendorCookie(w http.ResponseWriter, code string, valid time.Duration) {
	http.SetCookie(w, p.newCookie(p.vendorCookie(), code, p.Now().Add(valid)))
}

// startVendor moves the code of a link from the address into a cookie. It does not use the link,
// so a link preview or a prefetch cannot use it either.
func (p *Pages) startVendor(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if isPreview(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	code := r.FormValue("code")
	if len(code) != codeLen {
		p.showUsedLink(w, r)
		return
	}
	p.setVendorCookie(w, code, signin.VendorReissueTime)
	http.Redirect(w, r, vendorEnterPath, http.StatusSeeOther)
}

// enterVendor uses the link and starts its session. A running session of another person or
// account is not replaced before the person agrees: a link that another person made must not
// sign a person in to an account unnoticed. A running session of the same person in the same
// account that is not bound stays, because it can do more.
func (p *Pages) enterVendor(w http.ResponseWriter, r *http.Request) {
	if isPreview(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	offer, ok := p.vendorOffer(w, r)
	if !ok {
		return
	}
	running, err := p.SignIn.Authenticate(r.Context(), p.cookie(r))
	switch same := running.Member.ID == offer.Member.ID && running.Account.ID == offer.Account.ID; {
	case isUnauthorized(err), err == nil && same && running.Session.Bound:
		p.openVendor(w, r, offer)
	case err != nil:
		p.fail(w, r, err)
	case same:
		p.keepSession(w, r, offer)
	default:
		p.askVendor(w, r, offer, running)
	}
}

// confirmVendor starts the session of a link after the person has agreed.
func (p *Pages) confirmVendor(w http.ResponseWriter, r *http.Request) {
	if offer, ok := p.vendorOffer(w, r); ok {
		p.openVendor(w, r, offer)
	}
}

// vendorOffer returns the session that the code in the request's cookie starts. If there is
// none, it responds and returns false.
func (p *Pages) vendorOffer(w http.ResponseWriter, r *http.Request) (signin.VendorOffer, bool) {
	offer, err := p.SignIn.VendorOffer(r.Context(), cookieValue(r, p.vendorCookie()))
	switch {
	case isUnauthorized(err), err == nil && offer.Embedded:
		p.showUsedLink(w, r)
	case err != nil:
		p.fail(w, r, err)
	}
	return offer, err == nil && !offer.Embedded
}

// openVendor uses the link and starts its session.
func (p *Pages) openVendor(w http.ResponseWriter, r *http.Request, offer signin.VendorOffer) {
	in, err := p.SignIn.OpenVendorLink(r.Context(), p.origin(r), offer)
	switch {
	case isUnauthorized(err):
		p.showUsedLink(w, r)
	case err != nil:
		p.fail(w, r, err)
	default:
		p.setVendorCookie(w, "", 0)
		p.enter(w, r, in, offer.Next)
	}
}

// keepSession uses the link, and shows its first page in the running session.
func (p *Pages) keepSession(w http.ResponseWriter, r *http.Request, offer signin.VendorOffer) {
	if err := p.SignIn.DiscardVendorLink(r.Context(), offer); err != nil && !isUnauthorized(err) {
		p.fail(w, r, err)
		return
	}
	p.setVendorCookie(w, "", 0)
	http.Redirect(w, r, safeNext(offer.Next), http.StatusSeeOther)
}

// askVendor asks before the link replaces the running session. The link gets a new code, because
// the person needs time to decide.
func (p *Pages) askVendor(w http.ResponseWriter, r *http.Request, offer signin.VendorOffer, running signin.Identity) {
	code, err := p.SignIn.ReissueVendorLink(r.Context(), offer)
	switch {
	case isUnauthorized(err):
		p.showUsedLink(w, r)
		return
	case err != nil:
		p.fail(w, r, err)
		return
	}
	p.setVendorCookie(w, code.Reveal(), signin.VendorReissueTime)
	p.show(w, r, screen{page: "vendor"}, view.VendorAsk{
		Sheet: p.sheet(), Account: offer.Account.Name, Person: offer.Member.Name,
		RunningAccount: running.Account.Name, RunningPerson: running.Member.Name,
	})
}

// showUsedLink responds to a link that was used, has expired or lacks its cookie.
func (p *Pages) showUsedLink(w http.ResponseWriter, r *http.Request) {
	p.setVendorCookie(w, "", 0)
	p.showAgain(w, r, "This link does not work any more", "It was used or has expired, or your browser keeps no cookies.")
}

// showRenew responds to a bound session that is too old for the requested action. The vendor's
// own sign-in proves again that the person is present.
func (p *Pages) showRenew(w http.ResponseWriter, r *http.Request) {
	if isEmbedded(r.Context()) {
		p.showEnded(w, r)
		return
	}
	p.showAgain(w, r, "Open this page again", "You were signed in some time ago, and this changes keys. Nothing has changed so far.")
}

// showAgain serves a page that leads back to the vendor's page.
func (p *Pages) showAgain(w http.ResponseWriter, r *http.Request, title, text string) {
	n := view.Notice{Sheet: p.sheet(), Title: title, Text: text + " Go back to the page from which you came, and open the keys there."}
	if p.VendorURL != "" {
		n.Text, n.Action = text, view.Link{Text: "Start again", URL: p.VendorURL}
	}
	p.show(w, r, screen{http.StatusUnauthorized, "notice"}, n)
}
