package web

import (
	"cmp"
	"net/http"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
)

// sessionRoutes registers the forms that end sessions. page has the list of sessions.
func (p *Pages) sessionRoutes(mux *routes, page string) {
	mux.Form("POST /account/security/sessions/end", form{page: page}, p.person(p.endSessions))
	mux.Form("POST /account/security/sessions/end-one", form{page: page}, p.person(p.endSession))
}

// sessionList returns the sessions of a person as the page shows them.
func (p *Pages) sessionList(sessions []signin.Session) []view.Session {
	out := make([]view.Session, len(sessions))
	for i, s := range sessions {
		out[i] = view.Session{
			Handle: s.Handle, Device: cmp.Or(s.Agent, "A browser"), From: s.Address, Method: p.sessionWords(s), Account: s.Account.Name,
			Started: s.CreatedAt, Seen: s.SeenAt, Current: s.Current,
		}
	}
	return out
}

// sessionWords returns the way in which a session started, in words.
func (p *Pages) sessionWords(s signin.Session) string {
	words := p.methodWords(s.Method, s.Provider())
	if !s.FactorAt.IsZero() && s.Method != signin.MethodPasskey {
		words += " and a second factor"
	}
	return words
}

// methodWords returns the way in which a person signed in, in words. provider is the name of the
// provider, if one signed the person in.
func (p *Pages) methodWords(m signin.Method, provider string) string {
	vendor := cmp.Or(p.Brand.Product, "the vendor")
	return map[signin.Method]string{
		signin.MethodPassword: "with the password", signin.MethodLink: "with a link in a mail", signin.MethodPasskey: "with a passkey",
		signin.MethodProvider: "with " + cmp.Or(p.SignIn.ProviderLabel(provider), "a provider"),
		signin.MethodVendor:   "by " + vendor,
		signin.MethodEmbedded: "by " + vendor + ", in another page",
	}[m]
}

// signedInWith names the means with which the session of the card about the person started.
func (p *Pages) signedInWith(s signin.Session) string {
	switch s.Method {
	case signin.MethodLink:
		return "A link in a mail"
	case signin.MethodPasskey:
		return "A passkey"
	case signin.MethodProvider:
		return cmp.Or(p.SignIn.ProviderLabel(s.Provider()), "A provider")
	default:
		return "E-mail and password"
	}
}

// endSession ends the session of the person that the form names. If it is the current one, the
// sign-in page is shown.
func (p *Pages) endSession(w http.ResponseWriter, r *http.Request) {
	current, err := p.SignIn.EndSession(r.Context(), identity(r.Context()), r.PostFormValue("session"))
	switch {
	case err != nil:
		p.fail(w, r, err)
	case current:
		p.leave(w, r)
	default:
		http.Redirect(w, r, "/account/security?done=session", http.StatusSeeOther)
	}
}

// endSessions ends all sessions of the person or, depending on the form, all
// except the current session.
func (p *Pages) endSessions(w http.ResponseWriter, r *http.Request) {
	all := r.PostFormValue("which") == "all"
	if err := p.SignIn.SignOutEverywhere(r.Context(), identity(r.Context()), !all); err != nil {
		p.fail(w, r, err)
		return
	}
	if all {
		p.leave(w, r)
		return
	}
	http.Redirect(w, r, "/account/security?done=sessions", http.StatusSeeOther)
}

// leave deletes the cookie of a session that has ended and shows the sign-in page.
func (p *Pages) leave(w http.ResponseWriter, r *http.Request) {
	p.setCookie(w, "", p.Now())
	http.Redirect(w, r, "/signin?out=1", http.StatusSeeOther)
}
