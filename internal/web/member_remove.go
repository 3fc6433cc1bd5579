package web

import (
	"net/http"
	"net/url"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/web/view"
)

// rotateKeys is the choice to keep the keys of a removed member and to rotate each of them. A
// rotation shows a secret that belongs into a program, so the person does it key by key.
const rotateKeys = "rotate"

// removeForm serves the confirmation before a member is removed.
func (p *Pages) removeForm(w http.ResponseWriter, r *http.Request) { p.showRemove(w, r, nil) }

// showRemove shows the confirmation. If the member made keys, it asks what happens to them. None of
// the choices is preset: each is wrong for some accounts.
func (p *Pages) showRemove(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	m, made, ok := p.memberWithKeys(w, r)
	if !ok {
		return
	}
	page := view.MemberRemove{Frame: p.frame(r.Context(), view.SectionMembers), Member: p.memberRow(r.Context(), m), Errors: problems}
	if page.Keys = len(made); len(made) > 0 {
		page.Choices = []view.Choice{
			{Value: rotateKeys, Text: "Keep them, and rotate them now", Note: "For secrets that the person could know. The next page lists the keys; programs work until you rotate each one."},
			{Value: string(members.RevokeKeys), Text: "Revoke them", Note: "For keys that only this person used. Calls with them are rejected at once."},
			{Value: string(members.KeepKeys), Text: "Keep them", Note: "For secrets that the person never saw, or that programs still need."},
		}
		for i := range page.Choices {
			page.Choices[i].Checked = page.Choices[i].Value == kept(r, "POST /account/members/{id}/remove", "keys")
		}
	}
	p.show(w, r, screen{formStatus(w, problems), "member_remove"}, page)
}

// removeMember removes a member, and revokes the keys of the member in the same change if this was
// chosen.
func (p *Pages) removeMember(w http.ResponseWriter, r *http.Request) {
	m, made, ok := p.memberWithKeys(w, r)
	if !ok {
		return
	}
	chosen, keys := r.PostFormValue("keys"), members.KeyChoice(r.PostFormValue("keys"))
	if chosen == rotateKeys || chosen == "" && len(made) == 0 {
		keys = members.KeepKeys
	}
	if keys != members.KeepKeys && keys != members.RevokeKeys {
		p.showRemove(w, r, view.Errors{"keys": "Choose what happens to the keys. Nothing was changed."})
		return
	}
	_, err := p.Members.Remove(r.Context(), p.actor(r), members.RemoveRequest{
		Ref: members.Ref{Account: m.Membership.AccountID, Member: m.Member.ID}, Keys: keys,
	})
	next := membersPath + "/" + url.PathEscape(string(m.Member.ID)) + "/removed"
	if chosen == rotateKeys {
		next += "?keys=" + rotateKeys
	}
	p.endForm(w, r, formResult{err: err, next: next, again: p.showRemove})
}

// showRemoved serves the result of a removal, with the keys of the member that still work. A member
// who was not removed has no such page.
func (p *Pages) showRemoved(w http.ResponseWriter, r *http.Request) {
	m, err := p.Members.Former(r.Context(), p.memberRef(r))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	made, err := p.madeKeys(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{page: "member_removed"}, view.MemberRemoved{
		Frame: p.frame(r.Context(), view.SectionMembers), Member: p.memberRow(r.Context(), m), Made: made, Rotate: r.FormValue("keys") == rotateKeys,
	})
}
