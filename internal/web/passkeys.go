package web

import (
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
	problems, ok := fieldErrors(w, r, err)
	if !ok {
		p.fail(w, r, err)
		return
	}
	p.showSignIn(w, r, view.SignIn{Next: r.PostFormValue("next"), Errors: problems})
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
	name := r.PostFormValue("name")
	if fields, again := restored(r, "POST "+passkeysPath); again {
		name = fields.Get("name")
	}
	if name == "" {
		name = p.origin(r).Agent
	}
	p.show(w, r, screen{formStatus(w, problems), "passkey_new"}, view.PasskeyNew{
		Frame: p.frame(r.Context(), view.SectionSecurity), Name: name, Errors: problems,
	})
}

// addPasskey adds the passkey that the browser made.
func (p *Pages) addPasskey(w http.ResponseWriter, r *http.Request) {
	added, err := p.SignIn.AddPasskey(r.Context(), p.origin(r), identity(r.Context()), p.passkeyResponse(r))
	if err != nil {
		problems, ok := fieldErrors(w, r, err)
		if !ok {
			p.fail(w, r, err)
			return
		}
		p.showPasskeyForm(w, r, problems)
		return
	}
	p.setSession(w, added.SignedIn)
	if len(added.Codes) > 0 {
		p.showCodes(w, r, added.Codes, "The passkey is added.")
		return
	}
	http.Redirect(w, r, securityPath+"?done=passkey", http.StatusSeeOther)
}

// passkeyEdit serves the page on which a person renames and removes a passkey.
func (p *Pages) passkeyEdit(w http.ResponseWriter, r *http.Request) {
	fields, _ := restored(r, "POST "+passkeysPath+"/{id}")
	p.showPasskey(w, r, fields.Get("name"), nil)
}

// showPasskey shows the page of a passkey. name is the value of the field, "" for the stored name.
func (p *Pages) showPasskey(w http.ResponseWriter, r *http.Request, name string, problems view.Errors) {
	factors, err := p.factors(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	for _, k := range factors.Passkeys {
		if k.ID != r.PathValue("id") {
			continue
		}
		if name == "" {
			name = k.Name
		}
		p.show(w, r, screen{formStatus(w, problems), "passkey_edit"}, view.PasskeyEdit{
			Frame: p.frame(r.Context(), view.SectionSecurity), Passkey: k, Name: name, Errors: problems,
			Last: len(factors.Passkeys) == 1 && !factors.App, Required: factors.Required,
		})
		return
	}
	p.fail(w, r, toksta.NotFoundID("passkey", r.PathValue("id")))
}

func (p *Pages) renamePasskey(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("name")
	err := p.SignIn.RenamePasskey(r.Context(), p.origin(r), identity(r.Context()), store.Passkey{ID: r.PathValue("id"), Name: name})
	if err == nil {
		http.Redirect(w, r, securityPath+"?done=passkey_renamed", http.StatusSeeOther)
		return
	}
	problems, ok := fieldErrors(w, r, err)
	if !ok {
		p.fail(w, r, err)
		return
	}
	p.showPasskey(w, r, name, problems)
}

func (p *Pages) removePasskey(w http.ResponseWriter, r *http.Request) {
	if err := p.SignIn.RemovePasskey(r.Context(), p.origin(r), identity(r.Context()), r.PathValue("id")); err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, securityPath+"?done=passkey_removed", http.StatusSeeOther)
}
