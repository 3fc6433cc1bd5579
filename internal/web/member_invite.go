package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// inviteForm serves the form that invites a person. The field again has the id of an open invitation,
// whose address and role the form then has: the address of the page contains no person's address.
func (p *Pages) inviteForm(w http.ResponseWriter, r *http.Request) {
	again := toksta.InvitationID(r.FormValue("again"))
	if again == "" {
		p.showInvite(w, r, nil)
		return
	}
	open, err := p.Members.Invitations(r.Context(), identity(r.Context()).Account.ID)
	at := slices.IndexFunc(open, func(i store.Invitation) bool { return i.ID == again })
	switch {
	case err != nil:
		p.fail(w, r, err)
	case at < 0:
		p.notFound(w, r)
	default:
		p.showInviteForm(w, r, invitee{open[at].Email, open[at].Role}, nil)
	}
}

// invitee is the person whom the form invites.
type invitee struct {
	email string
	role  toksta.MemberRole
}

// showInvite shows the form with the fields that the request or its draft has.
func (p *Pages) showInvite(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	to := invitee{kept(r, "POST /account/members", "email"), toksta.MemberRole(kept(r, "POST /account/members", "role"))}
	if !to.role.IsValid() {
		to.role = toksta.MemberViewer
	}
	p.showInviteForm(w, r, to, problems)
}

func (p *Pages) showInviteForm(w http.ResponseWriter, r *http.Request, to invitee, problems view.Errors) {
	p.show(w, r, screen{formStatus(w, problems), "invite"}, view.Invite{
		Frame: p.frame(r.Context(), view.SectionMembers), Email: to.email, Roles: roleChoices(identity(r.Context()).Role, to.role),
		HasMail: p.Members.Mail != nil, ByLink: kept(r, "POST /account/members", "by") == "link", Errors: problems,
	})
}

// invite makes an invitation. Its link is sent by mail, or shown once: a link that its author sees
// proves nothing about the address. If the form is sent again, the new link replaces the one before.
//
// Mails are limited by their address too: the members of many accounts must not fill the mailbox of a
// stranger.
func (p *Pages) invite(w http.ResponseWriter, r *http.Request) {
	req := members.InviteRequest{
		Account: identity(r.Context()).Account.ID, Email: r.PostFormValue("email"), Role: toksta.MemberRole(r.PostFormValue("role")),
		ByMail: p.Members.Mail != nil && r.PostFormValue("by") != "link",
	}
	if req.ByMail {
		to := signin.Name{Scope: signin.ScopeInvitation, Value: text.FoldAddress(strings.TrimSpace(req.Email))}
		if err := p.SignIn.Throttle.Count(r.Context(), to); err != nil {
			p.endForm(w, r, formResult{err: err, again: p.showInvite})
			return
		}
	}
	made, err := p.Members.Invite(r.Context(), p.actor(r), req)
	if code := made.Code.Reveal(); err == nil && code != "" {
		p.show(w, r, screen{page: "invited"}, view.Invited{
			Frame: p.frame(r.Context(), view.SectionMembers), Email: made.Invitation.Email, As: string(made.Invitation.Role),
			Link: p.PagesURL + invitationPath + "?code=" + url.QueryEscape(code), Expires: made.Invitation.ExpiresAt,
		})
		return
	}
	p.endForm(w, r, formResult{err: err, next: membersPath + "?done=invited", again: p.showInvite})
}

// revokeInvitation revokes the open invitation whose id is in the address.
func (p *Pages) revokeInvitation(w http.ResponseWriter, r *http.Request) {
	_, err := p.Members.RevokeInvitation(r.Context(), p.actor(r), members.InvitationRef{
		Account: identity(r.Context()).Account.ID, Invitation: toksta.InvitationID(r.PathValue("id")),
	})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, membersPath+"?done=revoked", http.StatusSeeOther)
}
