package web

import (
	"net/http"

	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
)

// closeForm serves the confirmation before an account is closed.
func (p *Pages) closeForm(w http.ResponseWriter, r *http.Request) { p.showClose(w, r, nil) }

// showClose shows the confirmation, with the numbers of what ends.
func (p *Pages) showClose(w http.ResponseWriter, r *http.Request, problems view.Errors) {
	ctx, account := r.Context(), identity(r.Context()).Account
	live, err := p.Keys.Live(ctx, account.ID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	open, err := p.Members.Invitations(ctx, account.ID)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{formStatus(w, problems), "close"}, view.Close{
		Frame: p.frame(ctx, view.SectionAccount), Keys: live, Invitations: len(open), Closed: !account.ClosedAt.IsZero(),
		Typed: r.PostFormValue("name"), Errors: problems,
	})
}

// closeAccount closes the account if its name was typed. All its keys are revoked.
func (p *Pages) closeAccount(w http.ResponseWriter, r *http.Request) {
	account := identity(r.Context()).Account
	if !text.SameName(r.PostFormValue("name"), account.Name) {
		p.showClose(w, r, view.Errors{"name": "This is not the name of the account. Nothing was closed."})
		return
	}
	_, err := p.Accounts.Close(r.Context(), p.actor(r), account.ID)
	p.endForm(w, r, formResult{err: err, next: "/account", again: p.showClose})
}
