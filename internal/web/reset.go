package web

import (
	"net/http"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// forgotPath is the address of the page that asks for a mail with a link for a new password.
const forgotPath = "/signin/forgot"

// resetRoutes registers the pages for a new password. They need a mail server, and passwords.
func (p *Pages) resetRoutes(mux *routes) {
	if !p.SignIn.CanMail() || p.SignIn.PasswordOff {
		return
	}
	mux.HandleFunc("GET "+forgotPath, p.forgotForm)
	mux.Form("POST "+forgotPath, form{}, http.HandlerFunc(p.forgot))
	mux.HandleFunc("GET "+signin.ResetPath, p.resetForm)
	mux.Form("POST "+signin.ResetPath, form{}, http.HandlerFunc(p.reset))
}

// forgotForm serves the form that asks for the address.
func (p *Pages) forgotForm(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, screen{page: "mailform"}, p.forgotView())
}

// forgotView returns the form without an address.
func (p *Pages) forgotView() view.MailForm {
	return view.MailForm{Sheet: p.sheet(), Title: "Forgot your password?", Text: "You get a mail with a link to choose a new one.", Action: forgotPath}
}

// forgot mails a link. The response is the same for an unknown address, also in its duration.
func (p *Pages) forgot(w http.ResponseWriter, r *http.Request) {
	email := r.PostFormValue("email")
	err := p.SignIn.RequestReset(r.Context(), p.origin(r), email)
	if err == nil {
		p.show(w, r, screen{page: "sent"}, view.Sent{
			Sheet: p.sheet(), Email: email, Valid: lifetime(signin.LinkLifetime), Action: forgotPath,
			Text: "If there is a person with this address, a mail with a link for a new password is on its way to",
		})
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		form := p.forgotView()
		form.Email, form.Errors = email, problems
		p.show(w, r, screen{formStatus(w, problems), "mailform"}, form)
	}
}

// resetForm serves the form for the new password. It does not use the link.
func (p *Pages) resetForm(w http.ResponseWriter, r *http.Request) {
	if !p.takeCode(w, r) {
		p.showReset(w, r, nil)
	}
}

// showReset shows the form with the address of the person, or a way to another link.
func (p *Pages) showReset(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	email, err := p.SignIn.ResetAddress(r.Context(), p.linkCode(r))
	if err != nil {
		p.failReset(w, r, err)
		return
	}
	p.show(w, r, screen{formStatus(w, problems), "reset"}, view.Reset{
		Sheet: p.sheet(), Email: email, MinPassword: signin.MinPassword, Errors: problems,
	})
}

func (p *Pages) failReset(w http.ResponseWriter, r *http.Request, err error) {
	p.failLink(w, r, err, view.Link{Text: "Ask for a new link", URL: forgotPath})
}

// reset uses the link and sets the password. The person then signs in with it. The session of
// this browser ended with all others.
func (p *Pages) reset(w http.ResponseWriter, r *http.Request) {
	err := p.SignIn.ResetByLink(r.Context(), p.origin(r), p.linkCode(r), toksta.Hide(r.PostFormValue("password")))
	if err == nil {
		p.setLinkCookie(w, "")
		http.Redirect(w, r, "/signin?done=password", http.StatusSeeOther)
		return
	}
	if toksta.ErrorCode(err) == toksta.CodeForbidden {
		p.failReset(w, r, err)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showReset(w, r, problems)
	}
}
