package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
)

// key reads the key that the address names. Another account's key is answered
// as one that does not exist.
func (p *Pages) key(w http.ResponseWriter, r *http.Request) (toksta.Key, bool) {
	key, err := p.Keys.Get(r.Context(), identity(r.Context()).Account.ID, toksta.KeyID(r.PathValue("id")))
	if err != nil {
		p.fail(w, r, err)
		return toksta.Key{}, false
	}
	return key, true
}

// ref names a key with its account, so that no service call can reach another
// tenant by mistake.
func ref(k toksta.Key) keys.Ref { return keys.Ref{Account: k.AccountID, Key: k.ID} }

// lastUse is the newest use of the key, zero when it was never used.
func (p *Pages) lastUse(r *http.Request, k toksta.Key) (store.LastUse, error) {
	uses, err := p.Usage.Store.LastUses(r.Context(), k.AccountID)
	return uses[k.ID], err
}

// editForm shows the name to change; what a key may do is not edited here.
func (p *Pages) editForm(w http.ResponseWriter, r *http.Request) {
	if key, ok := p.key(w, r); ok {
		p.show(w, r, screen{page: "key_edit"}, p.editView(r, key, key.Name))
	}
}

// edit renames the key, or shows the form again with what was typed.
func (p *Pages) edit(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	form := p.editView(r, key, r.PostFormValue("name"))
	_, err := p.Keys.Rename(r.Context(), p.actor(r), keys.RenameRequest{Ref: ref(key), Name: form.Value})
	if err == nil {
		http.Redirect(w, r, "/account/keys/"+string(key.ID), http.StatusSeeOther)
		return
	}
	if form.Errors, ok = fieldErrors(err); !ok {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{http.StatusUnprocessableEntity, "key_edit"}, form)
}

// editView keeps the name of now apart from the one typed: the heading must
// not change before the key does.
func (p *Pages) editView(r *http.Request, k toksta.Key, value string) view.KeyEdit {
	return view.KeyEdit{Frame: p.frame(r.Context(), view.SectionKeys), ID: string(k.ID), Name: k.Name, Value: value}
}

// rotateForm asks first, and carries the token that makes the answer's reload
// harmless.
func (p *Pages) rotateForm(w http.ResponseWriter, r *http.Request) {
	if key, ok := p.key(w, r); ok {
		p.showRotate(w, r, key, view.KeyRotate{Token: rand.Text()})
	}
}

// rotate shows the new secret in this one answer; the form's token makes a
// reload rotate once.
func (p *Pages) rotate(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	token := r.PostFormValue("token")
	if len(token) != len(rand.Text()) {
		p.showRotate(w, r, key, view.KeyRotate{
			Token:  rand.Text(),
			Errors: view.Errors{"": "The form was incomplete. Nothing was rotated: send it again."},
		})
		return
	}
	rotated, err := p.Keys.Rotate(r.Context(), p.actor(r), keys.RotateRequest{Ref: ref(key), Token: token})
	switch known, _ := errors.AsType[*toksta.Error](err); {
	case err == nil:
		p.reveal(w, r, rotated)
	case known != nil && known.Reason == toksta.ReasonRepeated:
		p.already(w, r, known, true)
	default:
		faults, ok := fieldErrors(err)
		if !ok {
			p.fail(w, r, err)
			return
		}
		p.showRotate(w, r, key, view.KeyRotate{Token: token, Errors: faults})
	}
}

// showRotate fills in what the form shows of the key.
func (p *Pages) showRotate(w http.ResponseWriter, r *http.Request, k toksta.Key, form view.KeyRotate) {
	use, err := p.lastUse(r, k)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	form.Frame = p.frame(r.Context(), view.SectionKeys)
	form.ID, form.Name, form.Text = string(k.ID), k.Name, p.keyText(k.Current())
	form.LastUsed, form.LastFrom = use.At, use.Address
	p.show(w, r, screen{formStatus(form.Errors), "key_rotate"}, form)
}

// revokeForm asks for the name of what cannot be brought back.
func (p *Pages) revokeForm(w http.ResponseWriter, r *http.Request) {
	if key, ok := p.key(w, r); ok {
		p.showRevoke(w, r, key, nil)
	}
}

// revoke ends the key once its name was typed, and says which nodes refuse it
// by now. A reload of the answer finds the key revoked and says the same.
func (p *Pages) revoke(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	if !text.SameName(r.PostFormValue("name"), confirmation(key)) {
		p.showRevoke(w, r, key, view.Errors{"name": "This is not the key's name. Nothing was revoked."})
		return
	}
	use, err := p.lastUse(r, key)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	revoked, err := p.Keys.Revoke(r.Context(), p.actor(r), ref(key))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{page: "key_revoked"}, view.KeyRevoked{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(key.ID), Name: key.Name,
		Nodes: len(revoked.Receipt.Confirmed), Took: revoked.Receipt.Took, Fenced: fenced(revoked.Receipt),
		Change: revoked.Receipt.Change.Seq, At: revoked.Receipt.Change.At, LastUsed: use.At, LastFrom: use.Address,
	})
}

// fenced says in words that some node was shut out instead of confirming.
func fenced(receipt toksta.Receipt) string {
	switch n := len(receipt.Fenced); n {
	case 0:
		return ""
	case 1:
		return "1 node did not answer and was shut out: it admits nothing until it has caught up."
	default:
		return fmt.Sprintf("%d nodes did not answer and were shut out: they admit nothing until they have caught up.", n)
	}
}

// confirmation is what a person types to revoke the key: its name, or its id where an earlier version stored a name that
// shows nothing.
func confirmation(k toksta.Key) string {
	if _, err := text.Name("name", k.Name); err != nil {
		return string(k.ID)
	}
	return k.Name
}

// showRevoke shows what is known of the key in use: revoking it stops that use
// at once.
func (p *Pages) showRevoke(w http.ResponseWriter, r *http.Request, k toksta.Key, faults view.Errors) {
	use, err := p.lastUse(r, k)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	today, err := p.callsToday(r, k)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	form := view.KeyRevoke{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(k.ID), Name: k.Name, Text: p.keyText(k.Current()),
		LastUsed: use.At, LastFrom: use.Address, Today: today, Confirm: confirmation(k), Typed: r.PostFormValue("name"), Errors: faults,
	}
	p.show(w, r, screen{formStatus(faults), "key_revoke"}, form)
}
