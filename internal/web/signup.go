package web

import (
	"errors"
	"net/http"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// signUpRoutes registers the pages with which people sign up and prove their addresses.
func (p *Pages) signUpRoutes(mux *routes) {
	mux.HandleFunc("GET /signup", p.signUpForm)
	mux.Form("POST /signup", form{}, http.HandlerFunc(p.signUp))
	if !p.SignIn.CanMail() {
		return
	}
	mux.HandleFunc("GET "+signin.SignUpLinkPath, p.signUpLinkForm)
	mux.Form("POST "+signin.SignUpLinkPath, form{}, http.HandlerFunc(p.signUpByLink))
	mux.HandleFunc("GET "+signin.VerifyPath, p.verifyForm)
	mux.Form("POST "+signin.VerifyPath, form{}, p.person(p.verify))
	mux.Form("POST "+signin.VerifyPath+"/send", form{page: signin.VerifyPath}, p.person(p.sendVerification))
}

// signUpForm serves the form with the code of the invitation from the link.
func (p *Pages) signUpForm(w http.ResponseWriter, r *http.Request) {
	form := view.SignUp{Invitation: p.invitationCode(r)}
	if r.FormValue("with") == "provider" {
		form.Warning = "You have no sign-in here yet. To create one, accept the terms and continue again."
	}
	p.showSignUp(w, r, form)
}

// showSignUp shows the fields that the policy and the invitation require, or a sentence
// if signing up is closed. If the address must be proved before, and the invitation does not
// prove it, the form asks only for the address.
func (p *Pages) showSignUp(w http.ResponseWriter, r *http.Request, form view.SignUp) {
	form.Action, form.MailFirst = "/signup", p.SignIn.Verification == signin.VerifyBeforeSignIn
	p.completeSignUp(w, r, form)
}

// completeSignUp adds the texts, the invitation and the providers to a form to sign up, and shows
// it.
func (p *Pages) completeSignUp(w http.ResponseWriter, r *http.Request, form view.SignUp) {
	form.Sheet, form.MinPassword, form.NoPassword = p.sheet(), signin.MinPassword, p.SignIn.PasswordOff
	form.Consent.Text, form.Consent.URL = p.Consent.Text, p.Consent.URL
	switch p.SignIn.Policy {
	case signin.Open:
		form.AskInvitation = form.Invitation != ""
	case signin.Invited:
		form.AskInvitation, form.InvitationRequired = true, true
	default:
		form.Closed = "The vendor creates accounts. Ask for one, then sign in here."
	}
	if form.Closed == "" && form.Invitation != "" {
		if err := p.describeInvitation(r, &form); err != nil {
			p.fail(w, r, err)
			return
		}
	}
	if !form.Proved { // otherwise, the person has begun another way
		form.Providers = p.providers(view.Providers{Invitation: form.Invitation, Consent: form.Consent})
	}
	p.show(w, r, screen{formStatus(w, form.Errors), "signup"}, form)
}

// describeInvitation adds the account that the person joins and the only address that can
// join to the form. If the invitation cannot be used, it adds the error of the field.
func (p *Pages) describeInvitation(r *http.Request, form *view.SignUp) error {
	i, err := p.Members.Offer(r.Context(), toksta.Hide(form.Invitation))
	switch refused, _ := errors.AsType[*toksta.Error](err); {
	case err == nil:
		form.Invited, form.Joins = true, i.Account.Name
		form.MailFirst = form.MailFirst && (i.Email == "" || !i.ByMail)
		if i.Email != "" {
			form.EmailFixed, form.Email = true, i.Email
		}
	case refused != nil && refused.Code == toksta.CodeForbidden:
		if form.Errors == nil {
			form.Errors = view.Errors{}
		}
		delete(form.Errors, "") // the same sentence, about the form
		form.Errors["invitation"] = refused.Message
	default:
		return err
	}
	return nil
}

// readSignUp returns the fields of a form to sign up.
func readSignUp(r *http.Request) (view.SignUp, signin.SignUpRequest) {
	form := view.SignUp{
		Name: r.PostFormValue("name"), Account: r.PostFormValue("account"),
		Email: r.PostFormValue("email"), Invitation: r.PostFormValue("invitation"),
		Consent: view.Consent{Accepted: r.PostFormValue("consent") == "yes"},
	}
	return form, signin.SignUpRequest{
		Name: form.Name, AccountName: form.Account, Email: form.Email,
		Password: toksta.Hide(r.PostFormValue("password")), Invitation: toksta.Hide(form.Invitation),
		Accepted: form.Consent.Accepted,
	}
}

// signUp creates the member and starts a session or, if the address must be proved before, mails
// a link. After an error nothing has been created, and the form keeps all fields except the
// password.
func (p *Pages) signUp(w http.ResponseWriter, r *http.Request) {
	form, req := readSignUp(r)
	// The form that asks only for the address has no password.
	if _, complete := r.PostForm["password"]; !complete && p.SignIn.Verification == signin.VerifyBeforeSignIn {
		p.requestSignUp(w, r, form)
		return
	}
	in, err := p.SignIn.SignUp(r.Context(), p.origin(r), req)
	if err == nil {
		p.enter(w, r, in, "")
		return
	}
	if p.signUpErrors(w, r, &form, err) {
		p.showSignUp(w, r, form)
	}
}

// signUpErrors adds the sentences of an error to the form, as formErrors returns them.
func (p *Pages) signUpErrors(w http.ResponseWriter, r *http.Request, form *view.SignUp, err error) bool {
	problems, ok := p.formErrors(w, r, err)
	form.Errors = renameFields(problems, map[string]string{"account_name": "account"})
	return ok
}

// requestSignUp mails a link to sign up. The response is the same for the address of a member, also
// in its duration.
func (p *Pages) requestSignUp(w http.ResponseWriter, r *http.Request, form view.SignUp) {
	err := p.SignIn.RequestSignUp(r.Context(), p.origin(r), signin.SignUpStart{Email: form.Email, Invitation: toksta.Hide(form.Invitation)})
	if err != nil {
		if p.signUpErrors(w, r, &form, err) {
			p.showSignUp(w, r, form)
		}
		return
	}
	sent := view.Sent{
		Sheet: p.sheet(), Email: form.Email, Valid: lifetime(p.SignIn.UnverifiedLifetime), Action: "/signup",
		Text: "A mail with a link to go on is on its way to", Again: sentAgain(r),
	}
	if form.Invitation != "" {
		sent.Kept = []view.Field{{Name: "invitation", Value: form.Invitation}}
	}
	p.show(w, r, screen{page: "sent"}, sent)
}

// signUpLinkForm serves the form to which the mailed link leads. It does not use the link.
func (p *Pages) signUpLinkForm(w http.ResponseWriter, r *http.Request) {
	if !p.takeCode(w, r) {
		p.showSignUpLink(w, r, view.SignUp{Invitation: r.FormValue("invitation")})
	}
}

// showSignUpLink shows the form for the address to which the link was mailed, or a way to another
// link.
func (p *Pages) showSignUpLink(w http.ResponseWriter, r *http.Request, form view.SignUp) {
	email, err := p.SignIn.SignUpAddress(r.Context(), p.linkCode(r))
	if err != nil {
		p.failSignUpLink(w, r, err)
		return
	}
	form.Action, form.Email, form.EmailFixed, form.Proved = signin.SignUpLinkPath, email, true, true
	p.completeSignUp(w, r, form)
}

func (p *Pages) failSignUpLink(w http.ResponseWriter, r *http.Request, err error) {
	p.failLink(w, r, err, view.Link{Text: "Sign up again", URL: "/signup"})
}

// signUpByLink uses the link, creates the member and starts a session.
func (p *Pages) signUpByLink(w http.ResponseWriter, r *http.Request) {
	form, req := readSignUp(r)
	code := p.linkCode(r)
	if _, err := p.SignIn.SignUpAddress(r.Context(), code); err != nil {
		p.failSignUpLink(w, r, err)
		return
	}
	in, err := p.SignIn.SignUpByLink(r.Context(), p.origin(r), code, req)
	if err == nil {
		p.setLinkCookie(w, "")
		p.enter(w, r, in, "")
		return
	}
	if p.signUpErrors(w, r, &form, err) {
		p.showSignUpLink(w, r, form)
	}
}
