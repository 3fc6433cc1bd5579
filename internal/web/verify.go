package web

import (
	"context"
	"net/http"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
)

// verifyForm serves the page on which a signed-in person proves the address. The link in the mail
// leads to it, and the account page if the person needs another mail. A person without a session
// signs in first: the code is in a cookie, not in the address of the return.
func (p *Pages) verifyForm(w http.ResponseWriter, r *http.Request) {
	if !p.takeCode(w, r) {
		p.person(func(w http.ResponseWriter, r *http.Request) { p.showVerify(w, r, view.Verify{}) }).ServeHTTP(w, r)
	}
}

// showVerify shows the page. It has the button that uses the link if the browser opened one.
func (p *Pages) showVerify(w http.ResponseWriter, r *http.Request, form view.Verify) {
	who := identity(r.Context())
	if !who.Member.VerifiedAt.IsZero() {
		http.Redirect(w, r, "/account", http.StatusSeeOther)
		return
	}
	form.Sheet, form.Email, form.Until = p.sheet(), who.Member.Email, who.Member.ExpiresAt
	form.HasLink = p.SignIn.CheckVerification(r.Context(), who, p.linkCode(r)) == nil
	p.show(w, r, screen{formStatus(w, form.Errors), "verify"}, form)
}

// verify uses the link and so confirms the address of the signed-in person.
func (p *Pages) verify(w http.ResponseWriter, r *http.Request) {
	err := p.SignIn.VerifyByLink(r.Context(), p.origin(r), identity(r.Context()), p.linkCode(r))
	if err != nil {
		p.failLink(w, r, err, view.Link{Text: "Ask for a new link", URL: signin.VerifyPath})
		return
	}
	p.setLinkCookie(w, "")
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

// sendVerification mails another link to confirm the address.
func (p *Pages) sendVerification(w http.ResponseWriter, r *http.Request) {
	err := p.SignIn.RequestVerification(r.Context(), p.origin(r), identity(r.Context()))
	if err == nil {
		p.showVerify(w, r, view.Verify{Sent: true})
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showVerify(w, r, view.Verify{Errors: problems})
	}
}

// unverified returns the sentence for a person who can create no keys before confirming the
// address, "" for any other.
func (p *Pages) unverified(ctx context.Context) string {
	if p.SignIn.CanMail() && p.SignIn.Verification != signin.VerifyOff && identity(ctx).Member.IsProvisional() {
		return "Confirm your address first: open the link in the mail to you."
	}
	return ""
}
