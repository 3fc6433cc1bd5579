package web

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

const invitationPath = "/invitation"

// invitationTime is the lifetime of the cookie with the code of an invitation: a person signs in
// or up in the meantime.
const invitationTime = time.Hour

// invitationRoutes registers the page of an invitation.
func (p *Pages) invitationRoutes(mux *routes) {
	mux.Handle("GET /invitation", p.optional(p.showInvitation))
	// The form has only the field next, with this page: after signing in, the person presses again.
	mux.Form("POST /invitation", form{step: true}, p.person(p.join))
}

// showInvitation serves the page of an invitation: the account and the role that it gives, and its
// author. It uses nothing, so a scanner of mails can open the link.
//
// The link has the code in the address. It moves to a cookie at once, so that it is in no history, in
// no address that the person passes on, and kept while the person signs in.
func (p *Pages) showInvitation(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if code := r.FormValue("code"); code != "" {
		p.setInvitation(w, code)
		http.Redirect(w, r, invitationPath, http.StatusSeeOther)
		return
	}
	p.showOffer(w, r, nil)
}

// showOffer shows the page of the invitation whose code is in the cookie.
func (p *Pages) showOffer(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	page := view.Offer{Sheet: p.sheet(), CanSignUp: p.SignIn.Policy != signin.Closed, Errors: problems}
	who, signedIn := r.Context().Value(identityKey{}).(signin.Identity)
	page.SignedInAs = who.Member.Email
	offer, err := p.readOffer(r)
	switch refused, _ := errors.AsType[*toksta.Error](err); {
	case err == nil:
	case refused != nil && refused.Code == toksta.CodeForbidden:
		page.Invalid = refused.Message
		p.show(w, r, screen{http.StatusNotFound, "invitation"}, page)
		return
	default:
		p.fail(w, r, err)
		return
	}
	page.AccountID = string(offer.Account.ID)
	page.Account, page.Role, page.RoleNote = offer.Account.Name, string(offer.Role), roleWords(offer.Role)
	page.Inviter, page.Email, page.Expires = cmp.Or(offer.Inviter, p.Brand.Product, "The vendor"), offer.Email, offer.ExpiresAt
	if signedIn {
		page.Other = offer.Email != "" && text.FoldAddress(offer.Email) != text.FoldAddress(who.Member.Email)
		_, err := p.Members.Get(r.Context(), members.Ref{Account: offer.Account.ID, Member: who.Member.ID})
		page.Belongs = err == nil
	}
	p.show(w, r, screen{formStatus(w, problems), "invitation"}, page)
}

// readOffer returns the description of the invitation whose code is in the cookie. Unknown codes count as
// guesses of the network.
func (p *Pages) readOffer(r *http.Request) (offer members.Offer, err error) {
	_, err = p.SignIn.Throttle.Try(r.Context(), func() (err error) {
		offer, err = p.Members.Offer(r.Context(), p.invitation(r))
		return err
	}, signin.Name{Scope: signin.ScopeNetwork, Value: p.origin(r).Network()})
	if err == nil && offer.Account.ID == "" {
		err = &toksta.Error{Code: toksta.CodeForbidden, Message: "This invitation is for a new account. Use it on the page on which you sign up."}
	}
	return offer, err
}

// join makes the signed-in person a member, and shows the account. If the browser has opened the
// invitation of another account since it got the page, the person decides again: the link can be a
// stranger's.
func (p *Pages) join(w http.ResponseWriter, r *http.Request) {
	if shown := r.PostFormValue("account"); shown != "" {
		if offer, err := p.readOffer(r); err == nil && string(offer.Account.ID) != shown {
			p.showOffer(w, r, view.Errors{"": "This browser has opened another invitation in the meantime. Look at its account before you join."})
			return
		}
	}
	joined, err := p.Members.Join(r.Context(), p.actor(r), p.invitation(r))
	if err == nil {
		p.setInvitation(w, "")
		http.Redirect(w, r, p.moveTo(r, joined.Member.Membership.AccountID), http.StatusSeeOther)
		return
	}
	if problems, ok := p.formErrors(w, r, err); ok {
		p.showOffer(w, r, problems)
	}
}

// invitation returns the code of the invitation that the browser opened last, empty if there is none.
func (p *Pages) invitation(r *http.Request) toksta.Hidden {
	return cookieValue(r, p.hostCookie("invitation"))
}

// invitationCode returns the code with which a person signs up: the one in the address or, with the
// field invited, the one of the invitation that the browser opened last.
func (p *Pages) invitationCode(r *http.Request) string {
	if r.FormValue("invited") == "" {
		return r.FormValue("invitation")
	}
	return p.invitation(r).Reveal()
}

// setInvitation sets the cookie with the code of an invitation. An empty code deletes the cookie.
func (p *Pages) setInvitation(w http.ResponseWriter, code string) {
	http.SetCookie(w, p.newCookie(p.hostCookie("invitation"), code, p.Now().Add(invitationTime)))
}
