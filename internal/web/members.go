package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

const membersPath = "/account/members"

// memberRoutes registers the pages of members and invitations. Every member sees the list. Changes
// need a recent confirmation.
func (p *Pages) memberRoutes(mux *routes) {
	manage := func(next http.HandlerFunc) http.Handler { return p.member(p.may(toksta.PermitMembers, p.fresh(next))) }
	owners := func(next http.HandlerFunc) http.Handler { return p.member(p.may(toksta.PermitOwners, p.fresh(next))) }
	mux.Handle("GET /account/members", p.member(p.listMembers))
	mux.Handle("GET /account/members/new", manage(p.inviteForm))
	mux.Form("POST /account/members", form{page: "/account/members/new", keeps: []string{"email", "role", "by"}, action: "invite a person"}, manage(p.invite))
	mux.Form("POST /account/members/invitations/{id}/revoke", form{page: "/account/members", action: "revoke an invitation"}, manage(p.revokeInvitation))
	const one = "/account/members/{id}"
	mux.Handle("GET /account/members/{id}", p.member(p.showMember))
	mux.Form("POST /account/members/{id}/role", form{page: one, keeps: []string{"role"}, action: "change a member"}, manage(p.setRole))
	mux.Form("POST /account/members/{id}/disable", form{page: one}, manage(p.disableMember))
	mux.Form("POST /account/members/{id}/enable", form{page: one}, manage(p.enableMember))
	mux.Handle("GET /account/members/{id}/remove", manage(p.removeForm))
	mux.Form("POST /account/members/{id}/remove", form{keeps: []string{"keys"}, action: "remove a member"}, manage(p.removeMember))
	mux.Handle("GET /account/members/{id}/removed", p.member(p.may(toksta.PermitMembers, p.showRemoved)))
	mux.Handle("GET /account/members/{id}/owner", owners(p.ownerForm))
	mux.Form("POST /account/members/{id}/owner", form{action: "transfer the ownership"}, owners(p.makeOwner))
}

// listMembers serves the list of members and, to people who manage them, of open invitations.
func (p *Pages) listMembers(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who := identity(ctx)
	all, err := p.Members.List(ctx, who.Account.ID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	made, err := p.liveKeysByMember(ctx, who.Account.ID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := view.Members{
		Frame: p.frame(ctx, view.SectionMembers), Limit: members.MaxMembers, Notice: memberNotices[r.FormValue("done")],
		LastOwner: members.IsLastOwner(all, who.Member.ID), Successor: hasSuccessor(all, who.Member.ID),
	}
	names := map[string]string{}
	for _, m := range all {
		row := p.memberRow(ctx, m)
		row.Keys = made[m.Member.ID]
		page.Rows = append(page.Rows, row)
		names[string(m.Member.ID)] = m.Name
	}
	if page.Can.Members {
		open, err := p.Members.Invitations(ctx, who.Account.ID)
		if err != nil {
			p.fail(w, r, err)
			return
		}
		for _, i := range open {
			by := names[i.CreatedBy]
			if i.CreatedBy == "" {
				by = vendorName
			}
			page.Invitations = append(page.Invitations, view.Invitation{
				ID: string(i.ID), Email: i.Email, Role: string(i.Role), By: by, Expires: i.ExpiresAt,
				Fixed: i.Role == toksta.MemberOwner && !page.Can.Owners || i.ID == "",
			})
		}
	}
	p.show(w, r, screen{page: "members"}, page)
}

// hasSuccessor reports whether a member other than owner can become the owner of the account.
func hasSuccessor(all []store.AccountMember, owner toksta.MemberID) bool {
	return slices.ContainsFunc(all, func(m store.AccountMember) bool {
		return m.Member.ID != owner && m.CanAct() && !m.IsProvisional()
	})
}

// memberNotices are the sentences about a processed form, by the value of the field done in the
// address.
var memberNotices = map[string]string{
	"invited":  "The invitation is on its way by mail.",
	"revoked":  "The invitation is revoked. Its link no longer works.",
	"role":     "The role is changed.",
	"disabled": "The member can no longer use the account, and is signed out of it.",
	"enabled":  "The member can use the account again.",
	"owner":    "The ownership is handed over. You are an admin now.",
}

// liveKeysByMember returns the number of live keys of an account by the member who made them.
func (p *Pages) liveKeysByMember(ctx context.Context, account toksta.AccountID) (map[toksta.MemberID]int, error) {
	all, err := p.Keys.All(ctx, account)
	out := map[toksta.MemberID]int{}
	for _, k := range all {
		if k.State(p.Now()) == toksta.KeyLive {
			out[k.CreatedByID]++
		}
	}
	return out, err
}

// memberRow returns a member as lists and pages show it.
func (p *Pages) memberRow(ctx context.Context, m store.AccountMember) view.Member {
	row := view.Member{
		ID: string(m.Member.ID), Name: cmp.Or(m.Name, string(m.Member.ID)), Email: m.Email, Role: string(m.Membership.Role),
		Joined: m.Membership.CreatedAt, You: m.Member.ID == identity(ctx).Member.ID,
	}
	switch {
	case !m.CanAct():
		row.Badge = view.Badge{Tone: view.ToneOff, Text: "Disabled"}
	case m.IsProvisional():
		row.Badge = view.Badge{Tone: view.ToneWarn, Text: "Not verified"}
	}
	return row
}

// memberOf returns the member whose id is in the address. If the account has no such member,
// memberOf responds with the error page 404 and returns false.
func (p *Pages) memberOf(w http.ResponseWriter, r *http.Request) (store.AccountMember, bool) {
	m, err := p.Members.Get(r.Context(), p.memberRef(r))
	if err != nil {
		p.fail(w, r, err)
		return m, false
	}
	return m, true
}

// memberWithKeys returns the member whose id is in the address, with the live keys that the member
// made. After an error it responds with the error page and returns false.
func (p *Pages) memberWithKeys(w http.ResponseWriter, r *http.Request) (m store.AccountMember, made []view.MadeKey, ok bool) {
	if m, ok = p.memberOf(w, r); !ok {
		return m, nil, false
	}
	made, err := p.madeKeys(r)
	if err != nil {
		p.fail(w, r, err)
	}
	return m, made, err == nil
}

// memberRef names the member whose id is in the address, in the account of the session.
func (p *Pages) memberRef(r *http.Request) members.Ref {
	return members.Ref{Account: identity(r.Context()).Account.ID, Member: toksta.MemberID(r.PathValue("id"))}
}

// memberPath returns the address of the page of the requested member. done names the notice that
// the page shows.
func memberPath(r *http.Request, done string) string {
	return membersPath + "/" + url.PathEscape(r.PathValue("id")) + "?done=" + done
}

// showMember serves the page of one member.
func (p *Pages) showMember(w http.ResponseWriter, r *http.Request) { p.showMemberForm(w, r, nil) }

// showMemberForm shows the page of one member, with the forms that the role of the signed-in
// person allows.
func (p *Pages) showMemberForm(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	m, made, ok := p.memberWithKeys(w, r)
	if !ok {
		return
	}
	all, err := p.Members.List(r.Context(), m.Membership.AccountID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	who := identity(r.Context())
	role := cmp.Or(toksta.MemberRole(kept(r, "POST /account/members/{id}/role", "role")), m.Membership.Role)
	page := view.MemberShow{
		Frame: p.frame(r.Context(), view.SectionMembers), Member: p.memberRow(r.Context(), m), Notice: memberNotices[r.FormValue("done")],
		Roles: roleChoices(who.Role, role), Disabled: !m.Membership.DisabledAt.IsZero(), Everywhere: !m.Member.DisabledAt.IsZero(), Made: made, Errors: problems,
	}
	page.LastOwner = page.You && members.IsLastOwner(all, m.Member.ID)
	switch {
	case !page.Can.Members:
		page.Fixed = deniedWords(who.Role, toksta.PermitMembers)
	case m.Membership.Role == toksta.MemberOwner && !who.Role.Allows(toksta.PermitOwners):
		page.Fixed = "Only an owner can change an owner."
	default:
		page.Removable = string(who.Member.ID) != page.ID
		if page.ReadOnly {
			page.Fixed = "The account is closed, so roles no longer change."
		}
	}
	p.show(w, r, screen{formStatus(w, problems), "member"}, page)
}

// madeKeys returns the live keys that the member in the address made.
func (p *Pages) madeKeys(r *http.Request) (out []view.MadeKey, err error) {
	made, err := p.Members.KeysBy(r.Context(), p.memberRef(r))
	for _, k := range made {
		out = append(out, view.MadeKey{ID: string(k.ID), Name: label(k)})
	}
	return out, err
}

// setRole changes the role of a member. A person who demotes itself finds the list of members next,
// with the rights that are left.
func (p *Pages) setRole(w http.ResponseWriter, r *http.Request) {
	_, err := p.Members.SetRole(r.Context(), p.actor(r), members.RoleRequest{Ref: p.memberRef(r), Role: toksta.MemberRole(r.PostFormValue("role"))})
	p.endForm(w, r, formResult{err: err, next: memberPath(r, "role"), again: p.showMemberForm})
}

// disableMember takes the use of the account from a member.
func (p *Pages) disableMember(w http.ResponseWriter, r *http.Request) {
	_, err := p.Members.Disable(r.Context(), p.actor(r), members.DisableRequest{Ref: p.memberRef(r)})
	p.endForm(w, r, formResult{err: err, next: memberPath(r, "disabled"), again: p.showMemberForm})
}

// enableMember gives a disabled member the use of the account back.
func (p *Pages) enableMember(w http.ResponseWriter, r *http.Request) {
	_, err := p.Members.Enable(r.Context(), p.actor(r), p.memberRef(r))
	p.endForm(w, r, formResult{err: err, next: memberPath(r, "enabled"), again: p.showMemberForm})
}

// ownerForm serves the confirmation before the ownership is handed over.
func (p *Pages) ownerForm(w http.ResponseWriter, r *http.Request) { p.showOwner(w, r, nil) }

func (p *Pages) showOwner(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	if m, ok := p.memberOf(w, r); ok {
		p.show(w, r, screen{formStatus(w, problems), "member_owner"}, view.MemberOwner{
			Frame: p.frame(r.Context(), view.SectionMembers), Member: p.memberRow(r.Context(), m), Errors: problems,
		})
	}
}

// makeOwner makes the member an owner and the signed-in person an admin.
func (p *Pages) makeOwner(w http.ResponseWriter, r *http.Request) {
	_, err := p.Members.TransferOwnership(r.Context(), p.actor(r), p.memberRef(r))
	p.endForm(w, r, formResult{err: err, next: membersPath + "?done=owner", again: p.showOwner})
}
