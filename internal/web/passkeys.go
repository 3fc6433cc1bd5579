package web

import (
	"cmp"
	"net/http"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

const passkeysPath = securityPath + "/passkeys"

// passkeyRoutes registers the sign-in with a passkey and the pages of a person's passkeys. The
// routes that end in /options respond to the script of the pages with a challenge.
func (p *Pages) passkeyRoutes(mux *routes) {
	if p.SignIn.Passkeys == nil {
		return
	}
	mux.Form("POST /signin/passkey/options", form{page: "/signin"}, http.HandlerFunc(p.signInOptions))
	mux.Form("POST /signin/passkey", form{page: "/signin", step: true}, http.HandlerFunc(p.passkeySignIn))
	mux.Form("POST /signin/second-factor/options", form{page: "/signin/second-factor"}, http.HandlerFunc(p.secondFactorOptions))
	mux.Form("POST /signin/second-factor/passkey", form{page: "/signin/second-factor", step: true}, http.HandlerFunc(p.secondFactorPasskey))
	mux.Form("POST /confirm/options", form{page: "/confirm"}, p.session(p.confirmOptions))
	mux.Form("POST /confirm/passkey", form{page: "/confirm", step: true}, p.session(p.confirmPasskey))

	mux.Handle("GET "+passkeysPath+"/new", p.factor(p.passkeyForm))
	mux.Form("POST "+passkeysPath+"/options", form{page: passkeysPath + "/new"}, p.factor(p.passkeyOptions))
	mux.Form("POST "+passkeysPath, form{page: passkeysPath + "/new", keeps: []string{"name"}, action: "add a passkey"}, p.factor(p.addPasskey))
	mux.Handle("GET "+passkeysPath+"/{id}", p.person(p.passkeyEdit))
	mux.Form("POST "+passkeysPath+"/{id}", form{keeps: []string{"name"}}, p.person(p.renamePasskey))
	mux.Form("POST "+passkeysPath+"/{id}/remove", form{page: passkeysPath + "/{id}", action: "remove a passkey"}, p.factor(p.removePasskey))
}

// challengeCookie returns the name of the cookie that binds challenges to a browser.
func (p *Pages) challengeCookie() string { return p.hostCookie("account_passkey") }

// sendChallenge responds with the options of a challenge and sets the cookie of the browser, or with
// an error as JSON for the script.
func (p *Pages) sendChallenge(w http.ResponseWriter, r *http.Request, c signin.PasskeyChallenge, err error) {
	if err != nil {
		problems, ok := fieldErrors(w, r, err)
		if !ok {
			exchange.FromContext(r.Context()).Fail(err)
			problems = view.Errors{"": "The passkey cannot be used right now. Try again, or use another way."}
		}
		for _, sentence := range problems {
			http.Error(w, sentence, formStatus(w, problems))
			return
		}
	}
	cookie := p.newCookie(p.challengeCookie(), c.Browser.Reveal(), p.Now().Add(signin.BrowserLifetime))
	cookie.SameSite = http.SameSiteStrictMode
	http.SetCookie(w, cookie)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(c.Options)
}

// passkeyResponse returns the response of the browser to a challenge.
func (p *Pages) passkeyResponse(r *http.Request) signin.PasskeyResponse {
	return signin.PasskeyResponse{
		Browser: cookieValue(r, p.challengeCookie()), Response: r.PostFormValue("response"), Name: r.PostFormValue("name"),
	}
}

func (p *Pages) signInOptions(w http.ResponseWriter, r *http.Request) {
	c, err := p.SignIn.BeginPasskeySignIn(r.Context(), p.origin(r), cookieValue(r, p.challengeCookie()))
	p.sendChallenge(w, r, c, err)
}

func (p *Pages) secondFactorOptions(w http.ResponseWriter, r *http.Request) {
	c, err := p.SignIn.BeginPasskeyFactor(r.Context(), p.pendingCookie(r), cookieValue(r, p.challengeCookie()))
	p.sendChallenge(w, r, c, err)
}

func (p *Pages) confirmOptions(w http.ResponseWriter, r *http.Request) {
	c, err := p.SignIn.BeginPasskeyConfirm(r.Context(), identity(r.Context()), cookieValue(r, p.challengeCookie()))
	p.sendChallenge(w, r, c, err)
}

func (p *Pages) passkeyOptions(w http.ResponseWriter, r *http.Request) {
	c, err := p.SignIn.BeginAddPasskey(r.Context(), identity(r.Context()), cookieValue(r, p.challengeCookie()))
	p.sendChallenge(w, r, c, err)
}

// passkeySignIn starts a session for the owner of a passkey.
func (p *Pages) passkeySignIn(w http.ResponseWriter, r *http.Request) {
	in, err := p.SignIn.SignInWithPasskey(r.Context(), p.origin(r), p.passkeyResponse(r))
	if err == nil {
		p.admit(w, r, in, r.PostFormValue("next"))
		return
	}
	noteFailure(r, err)
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showSignIn(w, r, view.SignIn{Next: r.PostFormValue("next"), Errors: problems})
	}
}

// secondFactorPasskey ends a pending sign-in with a passkey.
func (p *Pages) secondFactorPasskey(w http.ResponseWriter, r *http.Request) {
	in, err := p.SignIn.CompleteWithPasskey(r.Context(), p.origin(r), p.pendingCookie(r), p.passkeyResponse(r))
	p.endPending(w, r, in, err)
}

// confirmPasskey verifies a passkey of the person and replaces the session by a new one.
func (p *Pages) confirmPasskey(w http.ResponseWriter, r *http.Request) {
	in, err := p.SignIn.ConfirmWithPasskey(r.Context(), p.origin(r), identity(r.Context()), p.passkeyResponse(r))
	p.endConfirm(w, r, in, err)
}

// passkeyForm serves the page that adds a passkey.
func (p *Pages) passkeyForm(w http.ResponseWriter, r *http.Request) {
	p.showPasskeyForm(w, r, nil)
}

func (p *Pages) showPasskeyForm(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	p.show(w, r, screen{formStatus(w, problems), "passkey_new"}, view.PasskeyNew{
		Frame: p.frame(r.Context(), view.SectionSecurity), Name: cmp.Or(kept(r, "POST "+passkeysPath, "name"), p.origin(r).Agent), Errors: problems,
	})
}

// addPasskey adds the passkey that the browser made. If recovery codes were made with it, they are
// shown.
func (p *Pages) addPasskey(w http.ResponseWriter, r *http.Request) {
	added, err := p.SignIn.AddPasskey(r.Context(), p.origin(r), identity(r.Context()), p.passkeyResponse(r))
	if err == nil {
		p.setSession(w, added.SignedIn)
		if len(added.Codes) > 0 {
			p.showCodes(w, r, added.Codes, "The passkey is added.")
			return
		}
	}
	p.endForm(w, r, formResult{err: err, next: securityPath + "?done=passkey", again: p.showPasskeyForm})
}

// passkeyEdit serves the page on which a person renames and removes a passkey.
func (p *Pages) passkeyEdit(w http.ResponseWriter, r *http.Request) {
	p.showPasskey(w, r, nil)
}

// showPasskey shows the page of the passkey whose id is in the address.
func (p *Pages) showPasskey(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	factors, err := p.factors(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	for _, k := range factors.Passkeys {
		if k.ID != r.PathValue("id") {
			continue
		}
		p.show(w, r, screen{formStatus(w, problems), "passkey_edit"}, view.PasskeyEdit{
			Frame: p.frame(r.Context(), view.SectionSecurity), Passkey: k, Name: cmp.Or(kept(r, "POST "+passkeysPath+"/{id}", "name"), k.Name), Errors: problems,
			Last: len(factors.Passkeys) == 1 && !factors.App, Required: factors.Required,
		})
		return
	}
	p.fail(w, r, toksta.NotFoundID("passkey", r.PathValue("id")))
}

func (p *Pages) renamePasskey(w http.ResponseWriter, r *http.Request) {
	renamed := store.Passkey{ID: r.PathValue("id"), Name: r.PostFormValue("name")}
	err := p.SignIn.RenamePasskey(r.Context(), p.origin(r), identity(r.Context()), renamed)
	p.endForm(w, r, formResult{err: err, next: securityPath + "?done=passkey_renamed", again: p.showPasskey})
}

func (p *Pages) removePasskey(w http.ResponseWriter, r *http.Request) {
	err := p.SignIn.RemovePasskey(r.Context(), p.origin(r), identity(r.Context()), r.PathValue("id"))
	if err == nil {
		http.Redirect(w, r, securityPath+"?done=passkey_removed", http.StatusSeeOther)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showPasskey(w, r, problems)
	}
}
