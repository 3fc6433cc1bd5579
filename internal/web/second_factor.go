package web

import (
	"net/http"
	"net/url"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// secondFactorRoutes adds the page of a sign-in that waits for a second factor.
func (p *Pages) secondFactorRoutes(mux *routes) {
	mux.HandleFunc("GET /signin/second-factor", p.secondFactorForm)
	mux.Form("POST /signin/second-factor", form{step: true}, http.HandlerFunc(p.secondFactor))
}

// pendingName returns the name of the cookie of a pending sign-in.
func (p *Pages) pendingName() string { return p.hostCookie("account_signin") }

// setPending sets the cookie of a pending sign-in, which the browser keeps as long as the sign-in is
// pending. An empty value deletes the cookie.
func (p *Pages) setPending(w http.ResponseWriter, value string) {
	http.SetCookie(w, p.newCookie(p.pendingName(), value, p.Now().Add(signin.PendingLifetime)))
}

// pendingCookie returns the value of the cookie of a pending sign-in, empty if there is none.
func (p *Pages) pendingCookie(r *http.Request) toksta.Hidden { return cookieValue(r, p.pendingName()) }

// secondFactorForm serves the page that asks for a code.
func (p *Pages) secondFactorForm(w http.ResponseWriter, r *http.Request) {
	p.showSecondFactor(w, r, nil)
}

// showSecondFactor shows the page with the factors that the person has. If no sign-in is pending,
// it redirects to the sign-in page.
func (p *Pages) showSecondFactor(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	state, err := p.SignIn.PendingMember(r.Context(), p.pendingCookie(r))
	if err != nil {
		p.notPending(w, r, err)
		return
	}
	p.show(w, r, screen{formStatus(w, problems), "second_factor"}, view.SecondFactor{
		Sheet: p.sheet(), Next: safeNext(r.FormValue("next")), Passkey: state.Passkeys > 0, App: state.TOTP, Recovery: state.RecoveryCodes > 0, Errors: problems,
	})
}

// secondFactor ends a pending sign-in with a code.
func (p *Pages) secondFactor(w http.ResponseWriter, r *http.Request) {
	in, err := p.SignIn.CompleteWithCode(r.Context(), p.origin(r), p.pendingCookie(r), toksta.Hide(r.PostFormValue("code")))
	p.endPending(w, r, in, err)
}

// endPending sets the cookie of the session that a pending sign-in has become, or shows the page
// again with the error.
func (p *Pages) endPending(w http.ResponseWriter, r *http.Request, in signin.SignedIn, err error) {
	if err == nil {
		p.setPending(w, "")
		p.enter(w, r, in, r.PostFormValue("next"))
		return
	}
	if isUnauthorized(err) {
		p.notPending(w, r, err)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showSecondFactor(w, r, problems)
	}
}

// notPending redirects to the sign-in page if no sign-in is pending. Any other error gets the
// error page.
func (p *Pages) notPending(w http.ResponseWriter, r *http.Request, err error) {
	if !isUnauthorized(err) {
		p.fail(w, r, err)
		return
	}
	exchange.FromContext(r.Context()).Fail(err)
	p.setPending(w, "")
	http.Redirect(w, r, "/signin?expired=1&next="+url.QueryEscape(safeNext(r.FormValue("next"))), http.StatusSeeOther)
}
