package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// keyRoutes registers the pages of keys, which are also pages for frames.
func (p *Pages) keyRoutes(mux table) {
	change := func(next http.HandlerFunc) http.Handler { return p.member(p.may(toksta.PermitKeys, next)) }
	replace := func(next http.HandlerFunc) http.Handler { return change(p.fresh(next)) }
	mux.Handle("GET /account/keys/new", replace(p.keyForm))
	mux.Form("POST /account/keys", form{
		page: "/account/keys/new", keeps: []string{"token", "name", "scope", "family", "expires", "day", "ips"},
		action: "create a key",
	}, replace(p.createKey))
	mux.Handle("GET /account/keys/{id}", p.member(p.showKey))
	mux.Handle("GET /account/keys/{id}/secret", change(p.showSecret))
	mux.Handle("GET /account/keys/{id}/edit", change(p.editForm))
	mux.Form("POST /account/keys/{id}/edit", form{keeps: []string{"name"}}, change(p.edit))
	mux.Handle("GET /account/keys/{id}/rotate", replace(p.rotateForm))
	mux.Form("POST /account/keys/{id}/rotate", form{action: "rotate a key"}, replace(p.rotate))
	mux.Handle("GET /account/keys/{id}/revoke", replace(p.revokeForm))
	mux.Form("POST /account/keys/{id}/revoke", form{action: "revoke a key"}, replace(p.revoke))
	mux.Handle("GET /account/keys/{id}/revoked", p.member(p.showRevoked))
}

// key returns the key whose id is in the address. If the key does not exist or
// belongs to another account, key responds with the error page 404 and returns
// false.
func (p *Pages) key(w http.ResponseWriter, r *http.Request) (toksta.Key, bool) {
	key, err := p.Keys.Get(r.Context(), identity(r.Context()).Account.ID, toksta.KeyID(r.PathValue("id")))
	if err != nil {
		p.fail(w, r, err)
		return toksta.Key{}, false
	}
	return key, true
}

// label returns the name of a key on the pages, which a person also types to
// revoke it. If an earlier version stored a name without visible characters, it
// is the id.
func label(k toksta.Key) string {
	if text.SameName(k.Name, "") {
		return string(k.ID)
	}
	return k.Name
}

// ref identifies a key together with its account, so that no service call can
// reach another account.
func ref(k toksta.Key) keys.Ref { return keys.Ref{Account: k.AccountID, Key: k.ID} }

// usageTime bounds the time in which a page that rotates or revokes a key reads
// usage.
const usageTime = 2 * time.Second

// lastUse returns the newest use of the key. Rotating and revoking do not
// depend on usage: if it cannot be read in time, the page shows "Not known".
func (p *Pages) lastUse(ctx context.Context, k toksta.Key) view.LastUse {
	limited, cancel := context.WithTimeout(ctx, usageTime)
	defer cancel()
	uses, err := p.Usage.Store.LastUses(limited, k.AccountID)
	if err != nil {
		withoutUsage(ctx, err)
		return view.LastUse{Unknown: true}
	}
	return view.LastUse{At: uses[k.ID].At, From: uses[k.ID].Address}
}

// withoutUsage notes in the exchange why a page lacks usage, unless the client
// has disconnected.
func withoutUsage(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	exchange.FromContext(ctx).Err = fmt.Errorf("the page is without usage: %w", err)
}

// editForm serves the form that renames a key.
func (p *Pages) editForm(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	name := key.Name
	if fields, again := restored(r, "POST /account/keys/{id}/edit"); again {
		name = fields.Get("name")
	}
	p.show(w, r, screen{page: "key_edit"}, p.editView(r, key, name))
}

// edit renames the key, or shows the form again with its errors.
func (p *Pages) edit(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	form := p.editView(r, key, r.PostFormValue("name"))
	_, err := p.Keys.Rename(r.Context(), p.actor(r), keys.RenameRequest{Ref: ref(key), Name: form.Value})
	if err == nil {
		http.Redirect(w, r, keyPath(r, key.ID), http.StatusSeeOther)
		return
	}
	if form.Errors, ok = p.formErrors(w, r, err); ok {
		p.show(w, r, screen{http.StatusUnprocessableEntity, "key_edit"}, form)
	}
}

// editView returns the data of the form: value is the text of its field, and
// the heading has the current name.
func (p *Pages) editView(r *http.Request, k toksta.Key, value string) view.KeyEdit {
	return view.KeyEdit{Frame: p.frame(r.Context(), view.SectionKeys), ID: string(k.ID), Name: label(k), Value: value}
}

// rotateForm serves the confirmation before a rotation.
func (p *Pages) rotateForm(w http.ResponseWriter, r *http.Request) {
	if key, ok := p.key(w, r); ok {
		p.showRotate(w, r, key, nil)
	}
}

// rotate replaces the secret and redirects to the page that shows the new one once. The
// form has a token, so that a reload does not rotate again, and the number of
// the shown generation, so that it never revokes a newer secret.
func (p *Pages) rotate(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	token := r.PostFormValue("token")
	generation, err := strconv.Atoi(r.PostFormValue("generation"))
	if err != nil || generation < 1 || len(token) != len(rand.Text()) {
		p.showRotate(w, r, key, view.Errors{"": "The form was incomplete. Nothing was rotated: send it again."})
		return
	}
	rotated, err := p.Keys.Rotate(r.Context(), p.actor(r), keys.RotateRequest{Ref: ref(key), Generation: generation, Token: token})
	switch known, _ := errors.AsType[*toksta.Error](err); {
	case err == nil:
		p.reveal(w, r, rotated)
	case known != nil && known.Reason == toksta.ReasonRepeated:
		p.alreadyDone(w, r, known)
	default:
		problems, ok := p.formErrors(w, r, err)
		if !ok {
			return
		}
		// Read again, so that the form shows the current secret.
		if key, ok = p.key(w, r); ok {
			p.showRotate(w, r, key, problems)
		}
	}
}

// showRotate shows the confirmation with a new token.
func (p *Pages) showRotate(w http.ResponseWriter, r *http.Request, k toksta.Key, problems view.Errors) {
	p.show(w, r, screen{formStatus(w, problems), "key_rotate"}, view.KeyRotate{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(k.ID), Name: label(k), Token: rand.Text(),
		Generation: k.Current().Number, Text: p.keyText(k.Current()), Use: p.lastUse(r.Context(), k), Errors: problems,
	})
}

// revokeForm serves the confirmation before a revocation.
func (p *Pages) revokeForm(w http.ResponseWriter, r *http.Request) {
	if key, ok := p.key(w, r); ok {
		p.showRevoke(w, r, key, nil)
	}
}

// showRevoke shows the confirmation, with the last use and today's calls of the
// key as a warning.
func (p *Pages) showRevoke(w http.ResponseWriter, r *http.Request, k toksta.Key, problems view.Errors) {
	form := view.KeyRevoke{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(k.ID), Name: label(k), Text: p.keyText(k.Current()),
		Use: p.lastUse(r.Context(), k), Typed: r.PostFormValue("name"), Errors: problems,
	}
	var err error
	if form.Today, err = p.callsToday(r.Context(), k); err != nil {
		withoutUsage(r.Context(), err)
		form.TodayUnknown = true
	}
	p.show(w, r, screen{formStatus(w, problems), "key_revoke"}, form)
}
