package web

import (
	"errors"
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// providerRetrySeconds is the time after which a person tries a provider again that cannot be used.
const providerRetrySeconds = "60"

// waysAction describes the forms that add and remove ways to sign in.
const waysAction = "change how you sign in"

// providerRoutes registers the pages that lead to sign-in providers and back.
func (p *Pages) providerRoutes(mux *routes) {
	const one, security = signin.ProviderPath + "{provider}", "/account/security"
	mux.Form("POST "+one, form{page: "/signin", step: true}, http.HandlerFunc(p.startProvider))
	mux.HandleFunc("GET "+one+"/callback", p.finishProvider)
	mux.Form("POST "+one+"/logout", form{page: "/signin", step: true}, http.HandlerFunc(p.providerLogout))
	mux.HandleFunc("GET "+signin.SignedOutPath, p.signedOut)
	mux.Form("POST "+security+"/providers/link", form{page: security, action: waysAction}, p.person(p.fresh(p.linkProvider)))
	mux.Form("POST "+security+"/providers/unlink", form{page: security, action: waysAction}, p.person(p.fresh(p.unlinkProvider)))
}

// startProvider sends the browser to a provider. It is a POST from a page of this site, so that no
// other site starts a sign-in. A person who has a session must prove to be present at the provider.
func (p *Pages) startProvider(w http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("invitation")
	if code != "" {
		p.setInvitation(w, code)
	}
	_, err := p.SignIn.Authenticate(r.Context(), p.cookie(r))
	if err != nil && !isUnauthorized(err) {
		p.fail(w, r, err)
		return
	}
	p.depart(w, r, signin.ProviderStart{
		Provider: r.PathValue("provider"), Next: safeNext(r.PostFormValue("next")), Accepted: r.PostFormValue("consent") == "yes",
		Invited: code != "", Fresh: err == nil,
	})
}

// linkProvider sends the browser to a provider, to link the person there to the signed-in member.
func (p *Pages) linkProvider(w http.ResponseWriter, r *http.Request) {
	who := identity(r.Context())
	if who.Session.Bound {
		p.fail(w, r, &toksta.Error{Code: toksta.CodeForbidden, Message: "This session is for one account only. Sign in to link another way to sign in."})
		return
	}
	p.depart(w, r, signin.ProviderStart{Provider: r.PostFormValue("provider"), Link: who.Member.ID})
}

// depart starts a sign-in by a provider and shows the page that leads there.
func (p *Pages) depart(w http.ResponseWriter, r *http.Request, start signin.ProviderStart) {
	d, err := p.SignIn.StartProvider(r.Context(), p.origin(r), start)
	if err != nil {
		p.failProvider(w, r, err, view.SignIn{Next: start.Next})
		return
	}
	http.SetCookie(w, p.newCookie(p.providerCookieName(start.Provider), d.Cookie.Reveal(), p.Now().Add(signin.AttemptLifetime)))
	p.showDeparture(w, r, d)
}

// showDeparture shows a page that goes on to another site by itself. The policy of these pages lets no form
// lead to another site, also not by a redirect.
func (p *Pages) showDeparture(w http.ResponseWriter, r *http.Request, to signin.Departure) {
	w.Header().Set("Refresh", "0; url="+to.URL)
	p.show(w, r, screen{page: "departure"}, view.Departure{Sheet: p.sheet(), To: to.Label, URL: to.URL})
}

// providerCookieName returns the name of the cookie of a sign-in by a provider.
func (p *Pages) providerCookieName(provider string) string {
	return p.hostCookie("account_with_" + provider)
}

// finishProvider handles the response of a provider, with which the browser comes back. The person
// is signed in, or linked to the signed-in member.
func (p *Pages) finishProvider(w http.ResponseWriter, r *http.Request) {
	name, query := r.PathValue("provider"), r.URL.Query()
	in, err := p.SignIn.FinishProvider(r.Context(), p.origin(r), signin.ProviderReturn{
		Provider: name, State: query.Get("state"), Cookie: cookieValue(r, p.providerCookieName(name)), Session: p.cookie(r),
		Invitation: p.invitation(r), Code: toksta.Hide(query.Get("code")), Issuer: query.Get("iss"), Failure: query.Get("error"),
	})
	switch {
	case err != nil && in.Linked:
		p.failLinking(w, r, err)
	case err != nil:
		p.failProvider(w, r, err, view.SignIn{Next: in.Next})
	case in.Linked:
		p.dropCookie(w, p.providerCookieName(name))
		http.Redirect(w, r, "/account/security?done=linked", http.StatusSeeOther)
	default:
		p.dropCookie(w, p.providerCookieName(name))
		p.admit(w, r, in.Admission, in.Next)
	}
}

// dropCookie deletes a cookie.
func (p *Pages) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, p.newCookie(name, "", time.Time{}))
}

// failProvider shows the sign-in page with the error, so that the person can use another way. A person
// who must accept the terms gets the sign-up page.
func (p *Pages) failProvider(w http.ResponseWriter, r *http.Request, err error, form view.SignIn) {
	known, _ := errors.AsType[*toksta.Error](err)
	switch {
	case known != nil && known.Fields()["consent"] != "":
		exchange.FromContext(r.Context()).Fail(err)
		again := "/signup?with=provider"
		if _, err := r.Cookie(p.hostCookie("invitation")); err == nil {
			again += "&invited=1"
		}
		http.Redirect(w, r, again, http.StatusSeeOther)
		return
	case known != nil && known.Code == toksta.CodeUnavailable && known.Reason != toksta.ReasonStoreUnavailable && known.Reason != toksta.ReasonOutcomeUnknown:
		w.Header().Set("Retry-After", providerRetrySeconds)
		form.Errors = view.Errors{"": known.Message}
		p.noteProvider(r, err)
		p.showSignInAs(w, r, http.StatusServiceUnavailable, form)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.noteProvider(r, err)
		form.Errors = problems
		p.showSignIn(w, r, form)
	}
}

// failLinking responds with the error page if a provider could not be linked.
func (p *Pages) failLinking(w http.ResponseWriter, r *http.Request, err error) {
	known, _ := errors.AsType[*toksta.Error](err)
	if known == nil || known.Code == toksta.CodeInternal {
		p.fail(w, r, err)
		return
	}
	p.noteProvider(r, err)
	status := httpauth.Status(known.Code)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", providerRetrySeconds)
	}
	p.show(w, r, screen{status, "error"}, view.Error{
		Sheet: p.sheet(), Status: status, RequestID: exchange.FromContext(r.Context()).RequestID,
		Title: "The sign-in was not linked", Text: known.Message, Primary: view.Link{Text: "Go back", URL: "/account/security"},
	})
}

// noteProvider records an error with its cause, which is the provider's and contains no secret.
func (p *Pages) noteProvider(r *http.Request, err error) {
	x := exchange.FromContext(r.Context())
	x.Fail(err)
	if _, plain := err.(*toksta.Error); !plain {
		x.Err = err
	}
}

// providerLogout receives the message of a provider that a session ended there. The sender is a
// program.
func (p *Pages) providerLogout(w http.ResponseWriter, r *http.Request) {
	err := p.SignIn.ProviderLogout(r.Context(), r.PathValue("provider"), toksta.Hide(r.PostFormValue("logout_token")))
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	p.noteProvider(r, err)
	http.Error(w, "The logout token was not accepted; the log of the server has the reason.", httpauth.Status(toksta.ErrorCode(err)))
}

// signedOut receives the browser after a sign-out at a provider.
func (p *Pages) signedOut(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/signin?out=1", http.StatusSeeOther)
}

// unlinkProvider removes the link of the member to a provider.
func (p *Pages) unlinkProvider(w http.ResponseWriter, r *http.Request) {
	err := p.SignIn.Unlink(r.Context(), p.origin(r), identity(r.Context()), r.PostFormValue("provider"))
	if err == nil {
		http.Redirect(w, r, "/account/security?done=unlinked", http.StatusSeeOther)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showSecurity(w, r, view.Security{ProviderErrors: problems})
	}
}

// providers adds a button for each provider. The fields of the argument are sent with each button.
func (p *Pages) providers(of view.Providers) view.Providers {
	for _, one := range p.SignIn.Providers {
		of.List = append(of.List, view.Provider{Label: one.Label, URL: signin.ProviderPath + one.Name})
	}
	of.Or = !p.SignIn.PasswordOff
	return of
}

// linkedProviders returns the ways to sign in by providers of the signed-in member.
func (p *Pages) linkedProviders(r *http.Request) ([]view.LinkedProvider, error) {
	all, err := p.SignIn.LinkedProviders(r.Context(), identity(r.Context()))
	var out []view.LinkedProvider
	for _, l := range all {
		out = append(out, view.LinkedProvider{Name: l.Name, Label: l.Label, Linked: l.Linked, Email: l.Email, Since: l.Since})
	}
	return out, err
}
