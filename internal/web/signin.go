package web

import (
	"errors"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// signInForm shows the way in. Somebody signed in may see it too, to become
// somebody else.
func (p *Pages) signInForm(w http.ResponseWriter, r *http.Request) {
	form := view.SignIn{Next: r.FormValue("next")}
	if r.FormValue("out") == "1" {
		form.Notice = "You are signed out."
	}
	p.showSignIn(w, r, form)
}

// showSignIn never fills in a password, and offers signing up only where the
// policy has a way for it.
func (p *Pages) showSignIn(w http.ResponseWriter, r *http.Request, form view.SignIn) {
	form.Sheet = p.sheet()
	if p.SignIn.Policy != signin.Closed {
		form.SignUp = "/signup"
	}
	p.show(w, r, screen{formStatus(w, form.Errors), "signin"}, form)
}

// signIn has one sentence for an unknown address and a wrong password; what
// it costs to ask is the same too.
func (p *Pages) signIn(w http.ResponseWriter, r *http.Request) {
	form := view.SignIn{Email: r.PostFormValue("email"), Next: r.PostFormValue("next")}
	in, err := p.SignIn.SignIn(r.Context(), p.origin(r), form.Email, toksta.Hide(r.PostFormValue("password")))
	x := exchange.FromContext(r.Context())
	if err == nil {
		x.Principal.AccountID, x.Member = in.Account.ID, in.Member.ID
		p.enter(w, r, in, form.Next)
		return
	}
	if failed, ok := errors.AsType[*signin.Failed](err); ok {
		x.Principal.AccountID, x.Member = failed.Account, failed.Member
	}
	var ok bool
	if form.Errors, ok = fieldErrors(w, r, err); !ok {
		p.fail(w, r, err)
		return
	}
	p.showSignIn(w, r, form)
}

// enter sets the session's cookie and goes on to where the person was going.
func (p *Pages) enter(w http.ResponseWriter, r *http.Request, in signin.SignedIn, next string) {
	p.setCookie(w, in.Cookie.Reveal(), in.Session.ExpiresAt)
	http.Redirect(w, r, safeNext(next), http.StatusSeeOther)
}

// signUpForm takes the code of an invitation from the link that carried it.
func (p *Pages) signUpForm(w http.ResponseWriter, r *http.Request) {
	p.showSignUp(w, r, view.SignUp{Invitation: r.FormValue("invitation")})
}

// showSignUp shows what the policy asks for, or that it allows nothing.
func (p *Pages) showSignUp(w http.ResponseWriter, r *http.Request, form view.SignUp) {
	form.Sheet, form.MinPassword = p.sheet(), signin.MinPassword
	switch p.SignIn.Policy {
	case signin.Open:
		form.AskInvitation = form.Invitation != ""
	case signin.Invited:
		form.AskInvitation, form.InvitationRequired = true, true
	default:
		form.Closed = "Accounts are made by the vendor. Ask for one, then sign in here."
	}
	p.show(w, r, screen{formStatus(w, form.Errors), "signup"}, form)
}

// signUp makes the person and signs them in. Where it fails nothing was made,
// and the form keeps everything but the password.
func (p *Pages) signUp(w http.ResponseWriter, r *http.Request) {
	form := view.SignUp{
		Name: r.PostFormValue("name"), Account: r.PostFormValue("account"),
		Email: r.PostFormValue("email"), Invitation: r.PostFormValue("invitation"),
	}
	in, err := p.SignIn.SignUp(r.Context(), p.origin(r), signin.SignUpRequest{
		Name: form.Name, AccountName: form.Account, Email: form.Email,
		Password: toksta.Hide(r.PostFormValue("password")), Invitation: toksta.Hide(form.Invitation),
	})
	if err == nil {
		p.enter(w, r, in, "")
		return
	}
	faults, ok := fieldErrors(w, r, err)
	if !ok {
		p.fail(w, r, err)
		return
	}
	form.Errors = rename(faults, map[string]string{"account_name": "account"})
	p.showSignUp(w, r, form)
}

// signOut ends the session in the store before the cookie goes: a copy of the
// cookie is worth nothing afterwards.
func (p *Pages) signOut(w http.ResponseWriter, r *http.Request) {
	if err := p.SignIn.SignOut(r.Context(), p.cookie(r)); err != nil {
		p.fail(w, r, err)
		return
	}
	p.setCookie(w, "", p.Now())
	http.Redirect(w, r, "/signin?out=1", http.StatusSeeOther)
}

// confirmForm stands before what a walk past an open browser must not do.
func (p *Pages) confirmForm(w http.ResponseWriter, r *http.Request) {
	p.showConfirm(w, r, nil)
}

// showConfirm names the action and the person; only the password is asked for.
func (p *Pages) showConfirm(w http.ResponseWriter, r *http.Request, faults view.Errors) {
	next := safeNext(r.FormValue("next"))
	p.show(w, r, screen{formStatus(w, faults), "confirm"}, view.Confirm{
		Sheet: p.sheet(), Email: identity(r.Context()).Member.Email, Action: guarded(next),
		Next: next, Cancel: "/account", Errors: faults,
	})
}

// confirm asks for the password again and gives the browser a new session.
func (p *Pages) confirm(w http.ResponseWriter, r *http.Request) {
	password := toksta.Hide(r.PostFormValue("password"))
	in, err := p.SignIn.Confirm(r.Context(), p.origin(r), identity(r.Context()), password)
	if err == nil {
		p.enter(w, r, in, r.PostFormValue("next"))
		return
	}
	faults, ok := fieldErrors(w, r, err)
	if !ok {
		p.fail(w, r, err)
		return
	}
	if errors.Is(err, &toksta.Error{Code: toksta.CodeUnauthorized}) {
		faults = view.Errors{"password": "This is not your password."}
	}
	p.showConfirm(w, r, faults)
}
