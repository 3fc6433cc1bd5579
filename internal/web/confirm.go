package web

import (
	"cmp"
	"net/http"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// confirmRoutes registers the page on which a person confirms to be present. Passkeys have their
// own route, in passkeyRoutes.
func (p *Pages) confirmRoutes(mux *routes) {
	mux.Handle("GET /confirm", p.session(p.confirmForm))
	mux.Form("POST /confirm", form{step: true}, p.session(p.confirm))
}

// confirmForm serves the page that asks for a proof before an action that the guards fresh and
// factor protect.
func (p *Pages) confirmForm(w http.ResponseWriter, r *http.Request) {
	p.showConfirm(w, r, nil)
}

// showConfirm shows the page with the proofs that the person has: password, code or passkey. The
// page names the action and the person's e-mail address. If the action needs a factor, the password
// is not offered.
func (p *Pages) showConfirm(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	who, next := identity(r.Context()), safeNext(r.FormValue("next"))
	state, err := p.SignIn.FactorState(r.Context(), who)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := view.Confirm{
		Sheet: p.sheet(), Email: who.Member.Email, Action: cmp.Or(p.table.actionAt(next), "continue"), Next: next, Cancel: "/account", Errors: problems,
		Factor:      state.HasFactor() && r.FormValue("with") == "factor",
		HasPassword: who.Member.PasswordHash != "", Passkey: state.Passkeys > 0,
		App: state.TOTP, Recovery: state.RecoveryCodes > 0,
	}
	if page.Factor {
		page.HasPassword = false
	}
	p.show(w, r, screen{formStatus(w, problems), "confirm"}, page)
}

// confirm verifies the code or the password and replaces the session by a new one. The guards
// decide which of them suffices.
func (p *Pages) confirm(w http.ResponseWriter, r *http.Request) {
	who := identity(r.Context())
	if code := r.PostFormValue("code"); r.PostForm.Has("code") {
		in, err := p.SignIn.ConfirmWithCode(r.Context(), p.origin(r), who, toksta.Hide(code))
		p.endConfirm(w, r, in, err)
		return
	}
	in, err := p.SignIn.Confirm(r.Context(), p.origin(r), who, toksta.Hide(r.PostFormValue("password")))
	p.endConfirm(w, r, in, err)
}

// endConfirm sets the cookie of the new session and redirects to the action, or shows the page
// again with the error.
func (p *Pages) endConfirm(w http.ResponseWriter, r *http.Request, in signin.SignedIn, err error) {
	if err == nil {
		p.enter(w, r, in, r.PostFormValue("next"))
		return
	}
	problems, ok := p.formErrors(w, r, err)
	if !ok {
		return
	}
	if isUnauthorized(err) {
		problems = view.Errors{"password": "This is not your password."}
	}
	p.showConfirm(w, r, problems)
}
