package web

import (
	"net/http"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// securityRoutes registers the page about password and sessions.
func (p *Pages) securityRoutes(mux *routes) {
	const page = securityPath
	mux.Handle("GET "+page, p.person(p.security))
	mux.Form("POST /account/security/password", form{page: page}, p.person(p.passwordForm))
	p.sessionRoutes(mux, page)
}

// security serves the page about password and sessions. A processed form
// redirects to this page with the name of a notice in the address, so that a
// reload does not send the form again.
func (p *Pages) security(w http.ResponseWriter, r *http.Request) {
	form := view.Security{Notice: factorNotice(r.FormValue("done"))}
	switch r.FormValue("done") {
	case "password":
		form.Notice = "The password is changed. Every other device is signed out."
	case "linked":
		form.Notice = "The sign-in is linked. You can use it from now on."
	case "unlinked":
		form.Notice = "The sign-in is unlinked. Devices that used it are signed out."
	case "sessions":
		form.Notice = "Every other device is signed out."
	case "session":
		form.Notice = "The device is signed out."
	}
	p.showSecurity(w, r, form)
}

// showSecurity shows the page with the current sessions, so that a person can
// find the session of an intruder.
func (p *Pages) showSecurity(w http.ResponseWriter, r *http.Request, form view.Security) {
	who := identity(r.Context())
	sessions, err := p.SignIn.ListSessions(r.Context(), who)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if form.Factors, err = p.factors(r); err != nil {
		p.fail(w, r, err)
		return
	}
	form.Frame = p.frame(r.Context(), view.SectionSecurity)
	form.Email, form.MinPassword = who.Member.Email, signin.MinPassword
	if form.Providers, err = p.linkedProviders(r); err != nil {
		p.fail(w, r, err)
		return
	}
	form.NoPassword = p.SignIn.PasswordOff
	form.HasPassword = who.Member.PasswordHash != ""
	form.Sessions = p.sessionList(sessions)
	p.show(w, r, screen{max(formStatus(w, form.Errors), formStatus(w, form.ProviderErrors)), "security"}, form)
}

// passwordForm changes the password. A person without one, who signs in with a provider, must have
// proved recently to be present.
func (p *Pages) passwordForm(w http.ResponseWriter, r *http.Request) {
	if identity(r.Context()).Member.PasswordHash == "" {
		p.fresh(p.changePassword)(w, r)
		return
	}
	p.changePassword(w, r)
}

// changePassword requires the current password, so that an unattended browser
// cannot lock its owner out.
func (p *Pages) changePassword(w http.ResponseWriter, r *http.Request) {
	in, err := p.SignIn.ChangePassword(r.Context(), p.origin(r), identity(r.Context()), signin.PasswordRequest{
		Current: toksta.Hide(r.PostFormValue("current")), Next: toksta.Hide(r.PostFormValue("password")),
	})
	if err == nil {
		p.setSession(w, in)
		http.Redirect(w, r, "/account/security?done=password", http.StatusSeeOther)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showSecurity(w, r, view.Security{Errors: renameFields(problems, map[string]string{"current_password": "current"})})
	}
}
