package web

import (
	"net/http"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

const switchPath = "/account/switch"

// placeRoutes registers the pages about the accounts of a person: switching, creating a further
// one, leaving and closing one.
func (p *Pages) placeRoutes(mux *routes) {
	mux.Handle("GET /account/switch", p.person(p.switchForm))
	mux.Form("POST /account/switch", form{}, p.person(p.switchAccount))
	mux.Form("POST /account/new", form{page: switchPath, keeps: []string{"name"}}, p.person(p.createAccount))
	mux.Handle("GET /account/leave", p.member(p.leaveForm))
	mux.Form("POST /account/leave", form{}, p.member(p.leaveAccount))
	owners := func(next http.HandlerFunc) http.Handler { return p.member(p.may(toksta.PermitOwners, p.fresh(next))) }
	mux.Handle("GET /account/close", owners(p.closeForm))
	mux.Form("POST /account/close", form{action: "close the account"}, owners(p.closeAccount))
}

// switchForm serves the list of the person's accounts. A person who belongs to no account gets it
// for every page of an account.
func (p *Pages) switchForm(w http.ResponseWriter, r *http.Request) {
	p.showSwitch(w, r, view.Switch{Name: kept(r, "POST /account/new", "name")})
}

// noAccount responds to a request for a page of an account by a person who belongs to none.
func (p *Pages) noAccount(w http.ResponseWriter, r *http.Request) { p.showSwitch(w, r, view.Switch{}) }

// showSwitch shows the accounts of the person, and the form for a further one if the policy of
// sign-ups allows it.
func (p *Pages) showSwitch(w http.ResponseWriter, r *http.Request, form view.Switch) {
	who := identity(r.Context())
	places, err := p.Members.Places(r.Context(), who.Member.ID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	form.Frame = p.frame(r.Context(), view.SectionSwitch)
	form.CanCreate = p.SignIn.Policy == signin.Open && !who.Session.Bound
	for _, place := range places {
		if who.Session.Bound && place.Account.ID != who.Account.ID {
			continue
		}
		form.Places = append(form.Places, view.Place{
			ID: string(place.Account.ID), Name: place.Account.Name, Role: string(place.Role),
			Current: place.Account.ID == who.Account.ID, Closed: !place.Account.ClosedAt.IsZero(),
		})
	}
	p.show(w, r, screen{formStatus(w, form.Errors), "switch"}, form)
}

// switchAccount makes the session show another account of the person.
func (p *Pages) switchAccount(w http.ResponseWriter, r *http.Request) {
	if _, err := p.SignIn.Switch(r.Context(), identity(r.Context()), toksta.AccountID(r.PostFormValue("account"))); err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

// createAccount makes a further account, which the person owns, and shows it.
func (p *Pages) createAccount(w http.ResponseWriter, r *http.Request) {
	who, name := identity(r.Context()), r.PostFormValue("name")
	if p.SignIn.Policy != signin.Open || who.Session.Bound {
		p.fail(w, r, &toksta.Error{Code: toksta.CodeForbidden, Message: "New accounts are made by invitation only."})
		return
	}
	made, err := p.Accounts.Create(r.Context(), p.actor(r), accounts.CreateRequest{Name: name, Plan: p.SignIn.Plan, Owner: who.Member.ID})
	if err == nil {
		http.Redirect(w, r, p.moveTo(r, made.Account.ID), http.StatusSeeOther)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showSwitch(w, r, view.Switch{Name: name, Errors: problems})
	}
}

// leaveForm serves the confirmation before the person leaves the account. The last owner gets the
// ways out instead: another owner, or closing the account.
func (p *Pages) leaveForm(w http.ResponseWriter, r *http.Request) { p.showLeave(w, r, nil) }

func (p *Pages) showLeave(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	who := identity(r.Context())
	made, err := p.Members.KeysBy(r.Context(), members.Ref{Account: who.Account.ID, Member: who.Member.ID})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	all, err := p.Members.List(r.Context(), who.Account.ID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{formStatus(w, problems), "leave"}, view.Leave{
		Frame: p.frame(r.Context(), view.SectionMembers), LastOwner: members.IsLastOwner(all, who.Member.ID), Successor: hasSuccessor(all, who.Member.ID),
		Keys: len(made), Errors: problems,
	})
}

// leaveAccount takes the person out of the account. The session goes on in another account of the
// person. Without one, the person signs in again, to a session without an account.
func (p *Pages) leaveAccount(w http.ResponseWriter, r *http.Request) {
	who := identity(r.Context())
	_, err := p.Members.Leave(r.Context(), p.actor(r), who.Account.ID)
	if err == nil {
		// The change is made. If the rest fails, the person signs in again.
		if places, err := p.Members.Places(r.Context(), who.Member.ID); err == nil && len(places) > 0 {
			p.moveTo(r, places[0].Account.ID)
		}
	}
	p.endForm(w, r, formResult{err: err, next: switchPath, again: p.showLeave})
}

// moveTo makes the session show an account after a change that was made, and returns the next page:
// the account or, if this fails, the list of accounts.
func (p *Pages) moveTo(r *http.Request, to toksta.AccountID) string {
	if _, err := p.SignIn.Switch(r.Context(), identity(r.Context()), to); err != nil {
		return switchPath
	}
	return "/account"
}
