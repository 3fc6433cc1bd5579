package web

import (
	"net/http"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// profileRoutes registers the page about the person and the name of the account.
func (p *Pages) profileRoutes(mux *routes) {
	mux.Handle("GET /account/profile", p.person(p.profileForm))
	mux.Form("POST /account/profile", form{keeps: []string{"name", "email"}}, p.person(p.changeProfile))
	if p.SignIn.CanMail() {
		mux.HandleFunc("GET "+signin.AddressPath, p.addressForm)
		mux.Form("POST "+signin.AddressPath, form{}, p.person(p.changeAddress))
	}
	mux.Form("POST /account/profile/account", form{page: "/account/profile", keeps: []string{"account"}}, p.member(p.may(toksta.PermitAccount, p.renameAccount)))
}

// profileForm serves the page on which a person changes their name and address, and the name
// of the account. A processed form redirects to this page with the name of a notice in the
// address, so that a reload does not send the form again.
func (p *Pages) profileForm(w http.ResponseWriter, r *http.Request) {
	form := p.profileView(r)
	if fields, again := restored(r, "POST /account/profile"); again {
		form.Name, form.Email = fields.Get("name"), fields.Get("email")
	}
	if fields, again := restored(r, "POST /account/profile/account"); again {
		form.Account = fields.Get("account")
	}
	switch r.FormValue("done") {
	case "profile":
		form.Notice = "Your profile is saved."
	case "address":
		form.Notice = "Your profile is saved. Every other device is signed out."
	case "mail":
		form.Notice = "A mail with a link is on its way to the new address, unless another person has it. Until you open the link, your address stays."
	case "account":
		form.Notice = "The account is renamed."
	}
	p.show(w, r, screen{page: "profile"}, form)
}

// profileView returns the page with the stored values.
func (p *Pages) profileView(r *http.Request) view.ProfileEdit {
	who := identity(r.Context())
	return view.ProfileEdit{
		Frame: p.frame(r.Context(), view.SectionAccount), Name: who.Member.Name, Email: who.Member.Email,
		Account: who.Account.Name, Closed: !who.Account.ClosedAt.IsZero(), HasPassword: who.Member.PasswordHash != "", ByMail: p.SignIn.CanMail(),
	}
}

// changeProfile changes the name and the address of the person.
func (p *Pages) changeProfile(w http.ResponseWriter, r *http.Request) {
	who, form := identity(r.Context()), p.profileView(r)
	form.Name, form.Email = r.PostFormValue("name"), r.PostFormValue("email")
	if !form.HasPassword && !form.ByMail {
		form.Email = who.Member.Email
	}
	err := p.SignIn.ChangeProfile(r.Context(), p.origin(r), who, signin.ProfileRequest{
		Name: form.Name, Email: form.Email, Current: toksta.Hide(r.PostFormValue("current")),
	})
	if err == nil {
		done := "profile"
		switch {
		case form.Email == who.Member.Email:
		case form.ByMail:
			done = "mail"
		default:
			done = "address"
		}
		http.Redirect(w, r, "/account/profile?done="+done, http.StatusSeeOther)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		form.Errors = renameFields(problems, map[string]string{"current_password": "current"})
		p.show(w, r, screen{formStatus(w, problems), "profile"}, form)
	}
}

// renameAccount changes the name of the account.
func (p *Pages) renameAccount(w http.ResponseWriter, r *http.Request) {
	form := p.profileView(r)
	form.Account = r.PostFormValue("account")
	_, err := p.Accounts.Rename(r.Context(), p.actor(r), accounts.RenameRequest{Account: identity(r.Context()).Account.ID, Name: form.Account})
	if err == nil {
		http.Redirect(w, r, "/account/profile?done=account", http.StatusSeeOther)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		form.AccountErrors = renameFields(problems, map[string]string{"name": "account"})
		p.show(w, r, screen{formStatus(w, problems), "profile"}, form)
	}
}

// addressForm serves the page to which the link in the mail to a new address leads. It does not use
// the link. A person without a session signs in first.
func (p *Pages) addressForm(w http.ResponseWriter, r *http.Request) {
	if !p.takeCode(w, r) {
		p.person(p.showAddress).ServeHTTP(w, r)
	}
}

// showAddress shows the new address, or a way to another link.
func (p *Pages) showAddress(w http.ResponseWriter, r *http.Request) {
	email, err := p.SignIn.NextAddress(r.Context(), identity(r.Context()), p.linkCode(r))
	if err != nil {
		p.failAddress(w, r, err)
		return
	}
	p.show(w, r, screen{page: "address"}, view.Address{Sheet: p.sheet(), Old: identity(r.Context()).Member.Email, Email: email})
}

func (p *Pages) failAddress(w http.ResponseWriter, r *http.Request, err error) {
	p.failLink(w, r, err, view.Link{Text: "Go to the profile", URL: "/account/profile"})
}

// changeAddress uses the link and changes the address.
func (p *Pages) changeAddress(w http.ResponseWriter, r *http.Request) {
	if err := p.SignIn.ChangeAddressByLink(r.Context(), p.origin(r), identity(r.Context()), p.linkCode(r)); err != nil {
		p.failAddress(w, r, err)
		return
	}
	p.setLinkCookie(w, "")
	http.Redirect(w, r, "/account/profile?done=address", http.StatusSeeOther)
}
