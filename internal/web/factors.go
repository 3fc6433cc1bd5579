package web

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	securityPath = "/account/security"
	appPath      = securityPath + "/authenticator"
	codesPath    = securityPath + "/recovery-codes"
	missingPath  = securityPath + "/second-factor"
)

// factorRoutes registers the pages of the second factor.
func (p *Pages) factorRoutes(mux *routes) {
	mux.Handle("GET "+missingPath, p.session(p.factorMissing))
	mux.Handle("GET "+appPath, p.factor(p.appForm))
	mux.Form("POST "+appPath, form{page: appPath, action: "set up an authenticator app"}, p.factor(p.confirmApp))
	mux.Handle("GET "+appPath+"/remove", p.factor(p.removeAppForm))
	mux.Form("POST "+appPath+"/remove", form{page: appPath + "/remove", action: "remove the authenticator app"}, p.factor(p.removeApp))
	mux.Handle("GET "+codesPath, p.factor(p.codesForm))
	mux.Form("POST "+codesPath, form{page: codesPath, action: "make new recovery codes"}, p.factor(p.renewCodes))
}

// defaultRecent is the time after a confirmation in which factors can be changed, if
// Config.Recent sets none.
const defaultRecent = 15 * time.Minute

// factor wraps session and requires a recent proof before factors are changed: with a factor if the
// person has one, so that the password alone takes none away.
func (p *Pages) factor(next http.HandlerFunc) http.Handler {
	return p.session(func(w http.ResponseWriter, r *http.Request) {
		who := identity(r.Context())
		state, err := p.SignIn.FactorState(r.Context(), who)
		if err != nil {
			p.fail(w, r, err)
			return
		}
		proved, page := who.Session.ConfirmedAt, "/confirm"
		if state.HasFactor() {
			proved, page = who.Session.FactorAt, confirmFactor
		}
		if p.Now().Sub(proved) > cmp.Or(p.Recent, defaultRecent) {
			p.ask(w, r, page)
			return
		}
		next(w, r)
	})
}

// factors returns the part of the security page about passkeys and the second factor.
func (p *Pages) factors(r *http.Request) (view.Factors, error) {
	who := identity(r.Context())
	state, err := p.SignIn.FactorState(r.Context(), who)
	if err != nil {
		return view.Factors{}, err
	}
	passkeys, err := p.SignIn.ListPasskeys(r.Context(), who)
	if err != nil {
		return view.Factors{}, err
	}
	out := view.Factors{
		Offered: p.SignIn.Passkeys != nil, App: state.TOTP, Codes: state.RecoveryCodes, OfCodes: signin.RecoveryCodes, Required: p.SignIn.RequireFactor,
	}
	for _, k := range passkeys {
		out.Passkeys = append(out.Passkeys, view.Passkey{
			ID: k.ID, Name: k.Name, Created: k.CreatedAt, Used: k.UsedAt, Synced: k.BackedUp, Suspected: k.SuspectedAt,
		})
	}
	return out, nil
}

// factorNotice returns the sentence about a processed form of the factors, "" for another form.
func factorNotice(done string) string {
	return map[string]string{
		"passkey":         "The passkey is added. You can sign in with it.",
		"passkey_renamed": "The passkey has its new name.",
		"passkey_removed": "The passkey is removed. It no longer signs in here; you can delete it from your device.",
		"app_removed":     "The authenticator app is removed.",
	}[done]
}

// factorMissing serves the page on which a person chooses a second factor, because the vendor
// requires one.
func (p *Pages) factorMissing(w http.ResponseWriter, r *http.Request) {
	if identity(r.Context()).Needs == signin.NeedsNothing {
		http.Redirect(w, r, securityPath, http.StatusSeeOther)
		return
	}
	p.show(w, r, screen{page: "factor_missing"}, view.FactorsMissing{
		Frame: p.frame(r.Context(), view.SectionSecurity), Offered: p.SignIn.Passkeys != nil,
	})
}

// appForm serves the page with the secret of a new authenticator app.
func (p *Pages) appForm(w http.ResponseWriter, r *http.Request) { p.showApp(w, r, nil) }

// showApp shows the QR code and the secret, until the app is confirmed.
func (p *Pages) showApp(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	set, err := p.SignIn.SetUpApp(r.Context(), identity(r.Context()))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := view.AppSetUp{Frame: p.frame(r.Context(), view.SectionSecurity), URI: set.URI.Reveal(), Errors: problems}
	for group := range slices.Chunk([]byte(set.Secret.Reveal()), 4) {
		page.Secret = append(page.Secret, string(group))
	}
	p.show(w, r, screen{formStatus(w, problems), "app_setup"}, page)
}

// confirmApp makes the app a second factor, after its first code, and shows the recovery codes.
func (p *Pages) confirmApp(w http.ResponseWriter, r *http.Request) {
	added, err := p.SignIn.ConfirmApp(r.Context(), p.origin(r), identity(r.Context()), toksta.Hide(r.PostFormValue("code")))
	if err == nil {
		p.setSession(w, added.SignedIn)
		p.showCodes(w, r, added.Codes, "The authenticator app is set up.")
		return
	}
	problems, ok := fieldErrors(w, r, err)
	if !ok || problems[""] != "" { // an app was confirmed before: its secret is not shown again
		p.fail(w, r, err)
		return
	}
	p.showApp(w, r, problems)
}

// showCodes shows new recovery codes once, as the response to the form that made them: they are in
// no address and no cookie.
func (p *Pages) showCodes(w http.ResponseWriter, r *http.Request, codes []toksta.Hidden, added string) {
	page := view.RecoveryCodes{Frame: p.frame(r.Context(), view.SectionSecurity), Added: added}
	for _, c := range codes {
		page.Codes = append(page.Codes, c.Reveal())
	}
	p.show(w, r, screen{page: "recovery_codes"}, page)
}

// codesForm serves the page that asks before it replaces the recovery codes.
func (p *Pages) codesForm(w http.ResponseWriter, r *http.Request) { p.showCodes(w, r, nil, "") }

func (p *Pages) renewCodes(w http.ResponseWriter, r *http.Request) {
	codes, err := p.SignIn.RenewRecoveryCodes(r.Context(), p.origin(r), identity(r.Context()))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.showCodes(w, r, codes, "")
}

// removeAppForm serves the page that asks before the authenticator app is removed.
func (p *Pages) removeAppForm(w http.ResponseWriter, r *http.Request) {
	factors, err := p.factors(r)
	if err == nil && !factors.App {
		err = toksta.NotFound("authenticator app")
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{page: "app_remove"}, view.RemoveFactor{
		Frame: p.frame(r.Context(), view.SectionSecurity), Last: len(factors.Passkeys) == 0, Required: factors.Required,
	})
}

func (p *Pages) removeApp(w http.ResponseWriter, r *http.Request) {
	if err := p.SignIn.RemoveApp(r.Context(), p.origin(r), identity(r.Context())); err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, securityPath+"?done=app_removed", http.StatusSeeOther)
}
