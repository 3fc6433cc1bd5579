package web

import (
	"net/http"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// askLinkPath is the address of the page that mails a link to sign in.
const askLinkPath = "/signin/link"

// linksOffered reports whether people can sign in by a link in a mail.
func (p *Pages) linksOffered() bool { return p.SignIn.CanMail() && p.SignIn.Links }

// signInLinkRoutes registers the pages to sign in by a link in a mail, if they are offered.
func (p *Pages) signInLinkRoutes(mux *routes) {
	if !p.linksOffered() {
		return
	}
	mux.HandleFunc("GET "+askLinkPath, p.askLinkForm)
	mux.Form("POST "+askLinkPath, form{step: true}, http.HandlerFunc(p.askLink))
	mux.HandleFunc("GET "+signin.SignInLinkPath, p.signInLinkForm)
	mux.Form("POST "+signin.SignInLinkPath, form{}, http.HandlerFunc(p.signInByLink))
}

// askLinkForm serves the form that asks for the address.
func (p *Pages) askLinkForm(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, screen{page: "mailform"}, p.askLinkView(r))
}

func (p *Pages) askLinkView(r *http.Request) view.MailForm {
	return view.MailForm{
		Sheet: p.sheet(), Title: "Sign in by mail", Text: "You get a mail with a link. Open it in this browser.", Action: askLinkPath, Next: r.FormValue("next"),
	}
}

// askLink mails a link that works in this browser. The response is the same for an unknown address,
// also in its duration.
func (p *Pages) askLink(w http.ResponseWriter, r *http.Request) {
	email, next := r.PostFormValue("email"), r.PostFormValue("next")
	binding, err := p.SignIn.RequestSignInLink(r.Context(), p.origin(r), signin.LinkRequest{
		Email: email, Next: safeNext(next), Binding: cookieValue(r, p.bindingName()),
	})
	if err == nil {
		p.setBinding(w, binding)
		sent := view.Sent{
			Sheet: p.sheet(), Email: email, Valid: lifetime(signin.LinkLifetime), Action: askLinkPath,
			Text: "If there is a person with this address, a mail with a link to sign in is on its way to",
			Note: "Open it in this browser.", Kept: keptNext(next), Again: sentAgain(r),
		}
		p.show(w, r, screen{page: "sent"}, sent)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		form := p.askLinkView(r)
		form.Email, form.Errors = email, problems
		p.show(w, r, screen{formStatus(w, problems), "mailform"}, form)
	}
}

// keptNext returns the hidden field with the page to open after the sign-in, if there is one.
func keptNext(next string) []view.Field {
	if next == "" {
		return nil
	}
	return []view.Field{{Name: "next", Value: next}}
}

// sentAgain reports whether the form is that of the page about a sent mail, which asks for another one.
func sentAgain(r *http.Request) bool { return r.PostFormValue("again") != "" }

// bindingName returns the name of the cookie of a browser that asked for a link to sign in.
func (p *Pages) bindingName() string { return p.hostCookie("account_link_browser") }

// setBinding sets the cookie that binds a link to this browser. It is valid as long as the link.
func (p *Pages) setBinding(w http.ResponseWriter, binding toksta.Hidden) {
	http.SetCookie(w, p.newCookie(p.bindingName(), binding.Reveal(), p.Now().Add(signin.LinkLifetime)))
}

// linkCookies returns the cookies of a browser that opened a link to sign in.
func (p *Pages) linkCookies(r *http.Request) signin.LinkCookies {
	return signin.LinkCookies{Code: p.linkCode(r), Binding: cookieValue(r, p.bindingName())}
}

// signInLinkForm serves the page with the button that signs in. It does not use the link.
func (p *Pages) signInLinkForm(w http.ResponseWriter, r *http.Request) {
	if p.takeCode(w, r) {
		return
	}
	email, err := p.SignIn.SignInAddress(r.Context(), p.linkCookies(r))
	if err != nil {
		p.failSignInLink(w, r, err)
		return
	}
	p.show(w, r, screen{page: "signin_link"}, view.SignInLink{Sheet: p.sheet(), Email: email})
}

func (p *Pages) failSignInLink(w http.ResponseWriter, r *http.Request, err error) {
	p.failLink(w, r, err, view.Link{Text: "Ask for a new link", URL: askLinkPath})
}

// signInByLink uses the link and starts a session, or asks for the second factor.
func (p *Pages) signInByLink(w http.ResponseWriter, r *http.Request) {
	in, next, err := p.SignIn.SignInByLink(r.Context(), p.origin(r), p.linkCookies(r))
	if err != nil {
		p.failSignInLink(w, r, err)
		return
	}
	p.setLinkCookie(w, "")
	p.admit(w, r, in, next)
}
