package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// signInRoutes registers the pages with which people sign up, in and out.
func (p *Pages) signInRoutes(mux *routes) {
	mux.HandleFunc("GET /signin", p.signInForm)
	mux.Form("POST /signin", form{step: true}, http.HandlerFunc(p.signIn))
	mux.Form("POST /signout", form{page: "/account"}, http.HandlerFunc(p.signOut))
}

// signInForm serves the sign-in page, also to a signed-in person who wants to
// use another account.
func (p *Pages) signInForm(w http.ResponseWriter, r *http.Request) {
	form := view.SignIn{Next: r.FormValue("next")}
	switch {
	case r.FormValue("out") == "1":
		form.Notice = "You are signed out."
	case r.FormValue("done") == "password":
		form.Notice = "Your password is set. Sign in with it."
	}
	if r.FormValue("expired") == "1" {
		form.Warning = "The sign-in took too long, or was started in another browser. Start again."
	}
	p.showSignIn(w, r, form)
}

// showSignIn shows the form with an empty password field, and the link to sign
// up if the policy allows it.
func (p *Pages) showSignIn(w http.ResponseWriter, r *http.Request, form view.SignIn) {
	p.showSignInAs(w, r, formStatus(w, form.Errors), form)
}

// showSignInAs shows the sign-in page with the given status.
func (p *Pages) showSignInAs(w http.ResponseWriter, r *http.Request, status int, form view.SignIn) {
	form.Sheet, form.Passkeys, form.NoPassword = p.sheet(), p.SignIn.Passkeys != nil, p.SignIn.PasswordOff
	form.Providers = p.providers(view.Providers{Next: form.Next})
	if p.SignIn.Policy != signin.Closed {
		form.SignUp = "/signup"
	}
	if p.SignIn.CanMail() && !form.NoPassword {
		form.Forgot = forgotPath
	}
	if p.linksOffered() {
		form.ByMail = askLinkPath
	}
	p.show(w, r, screen{status, "signin"}, form)
}

// signIn starts a session. The response is the same for an unknown address and
// a wrong password, also in its duration.
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) {
	form := view.SignIn{Email: r.PostFormValue("email"), Next: r.PostFormValue("next")}
	in, err := p.SignIn.SignIn(r.Context(), p.origin(r), form.Email, toksta.Hide(r.PostFormValue("password")))
	if err == nil {
		p.admit(w, r, in, form.Next)
		return
	}
	noteFailure(r, err)
	var ok bool
	if form.Errors, ok = p.formErrors(w, r, err); ok {
		if toksta.ErrorCode(err) == toksta.CodeRateLimited && p.SignIn.CanMail() {
			form.Errors[""] += " With a new password by mail, you need not wait."
		}
		p.showSignIn(w, r, form)
	}
}

// admit sets the cookie of the session and redirects to the requested page. If the sign-in is
// pending, it sets the cookie of the pending sign-in and redirects to the page that asks for the
// second factor.
func (p *Pages) admit(w http.ResponseWriter, r *http.Request, in signin.Admission, next string) {
	if !in.IsPending() {
		p.enter(w, r, in.SignedIn, next)
		return
	}
	p.setPending(w, in.Pending.Reveal())
	http.Redirect(w, r, "/signin/second-factor?next="+url.QueryEscape(safeNext(next)), http.StatusSeeOther)
}

// noteFailure names the member of a rejected sign-in in the log record of the request.
func noteFailure(r *http.Request, err error) {
	if failed, ok := errors.AsType[*signin.Failure](err); ok {
		exchange.FromContext(r.Context()).Member = failed.Member
	}
}

// enter replaces the session of the browser by a new one, and redirects to the requested page. The
// replaced session ends: otherwise a copy of its cookie would stay valid.
func (p *Pages) enter(w http.ResponseWriter, r *http.Request, in signin.SignedIn, next string) {
	noteIdentity(r, in.Identity)
	if err := p.SignIn.SignOut(r.Context(), p.cookie(r)); err != nil {
		p.fail(w, r, err)
		return
	}
	p.setSession(w, in)
	http.Redirect(w, r, safeNext(next), http.StatusSeeOther)
}

// signOut ends the session in the store before it deletes the cookie, so that a
// copy of the cookie is useless.
func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) {
	departure, leaves, err := p.SignIn.ProviderSignOut(r.Context(), p.cookie(r))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	switch {
	case r.PostFormValue("next") == invitationPath:
		p.setCookie(w, "", p.Now())
		http.Redirect(w, r, invitationPath, http.StatusSeeOther)
		return
	case leaves:
		p.setCookie(w, "", p.Now())
		p.showDeparture(w, r, departure)
		return
	}
	p.leave(w, r)
}
