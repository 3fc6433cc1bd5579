package web

import (
	"net/http"
	"net/url"

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
	mux.Form("POST "+forgotPath, form{step: true}, http.HandlerFunc(p.forgot))
	mux.HandleFunc("GET "+signin.ResetPath, p.resetForm)
	mux.Form("POST "+signin.ResetPath, form{}, http.HandlerFunc(p.reset))
}

// forgotForm serves the form that asks for the address.
func (p *Pages) forgotForm(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, screen{page: "mailform"}, p.forgotView(r))
}

// forgotView returns the form without an address.
func (p *Pages) forgotView(r *http.Request) view.MailForm {
	return view.MailForm{
		Sheet: p.sheet(), Title: "Forgot your password?", Text: "You get a mail with a link to choose a new one.", Action: forgotPath, Next: r.FormValue("next"),
	}
}

// forgot mails a link. The response is the same for an unknown address, also in its duration.
func (p *Pages) forgot(w http.ResponseWriter, r *http.Request) {
	email, next := r.PostFormValue("email"), r.PostFormValue("next")
	err := p.SignIn.RequestReset(r.Context(), p.origin(r), signin.ResetRequest{Email: email, Next: safeNext(next)})
	if err == nil {
		p.show(w, r, screen{page: "sent"}, view.Sent{
			Sheet: p.sheet(), Email: email, Valid: lifetime(signin.LinkLifetime), Action: forgotPath, Kept: keptNext(next), Again: sentAgain(r),
			Text: "If there is a person with this address, a mail with a link for a new password is on its way to",
		})
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		form := p.forgotView(r)
		form.Email, form.Errors = email, problems
		if toksta.ErrorCode(err) == toksta.CodeRateLimited {
			problems[""] += " A link that was mailed to you in the last minutes works, too, whoever asked for it."
		}
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
	done, err := p.SignIn.ResetByLink(r.Context(), p.origin(r), p.linkCode(r), toksta.Hide(r.PostFormValue("password")))
	if err == nil {
		p.setLinkCookie(w, "")
		http.SetCookie(w, p.newCookie(p.graceName(), done.Grace.Reveal(), p.Now().Add(signin.ResetGraceLifetime)))
		page := "/signin?done=password"
		if next := safeNext(done.Next); next != "/account" {
			page += "&next=" + url.QueryEscape(next)
		}
		http.Redirect(w, r, page, http.StatusSeeOther)
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

// graceName returns the name of the cookie of a browser in which a person chose a new password; see
// [signin.ResetDone].
func (p *Pages) graceName() string { return p.hostCookie("account_reset") }
