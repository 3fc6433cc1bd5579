package web

import (
	"cmp"
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

// label is what the pages call a key, and what a person types to revoke it: its name, or its id where an earlier version
// stored a name that shows nothing.
func label(k toksta.Key) string {
	if text.SameName(k.Name, "") {
		return string(k.ID)
	}
	return k.Name
}

// ref names a key with its account, so that no service call can reach another
// tenant by mistake.
func ref(k toksta.Key) keys.Ref { return keys.Ref{Account: k.AccountID, Key: k.ID} }

// usageTime is how long a page that rotates or revokes a key waits for usage.
const usageTime = 2 * time.Second

// lastUse reads the newest use of the key. Rotating and revoking do not depend
// on it: if usage cannot be read in time, the page says "Not known".
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

// withoutUsage notes on the exchange why a page lacks usage, unless the
// client has disconnected.
func withoutUsage(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	exchange.FromContext(ctx).Err = fmt.Errorf("the page is without usage: %w", err)
}

// editForm shows the name to change; what a key may do is not edited here.
func (p *Pages) editForm(w http.ResponseWriter, r *http.Request) {
	if key, ok := p.key(w, r); ok {
		p.show(w, r, screen{page: "key_edit"}, p.editView(r, key, cmp.Or(r.FormValue("name"), key.Name)))
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
	if form.Errors, ok = fieldErrors(w, r, err); !ok {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{http.StatusUnprocessableEntity, "key_edit"}, form)
}

// editView keeps the name of now apart from the one typed: the heading must
// not change before the key does.
func (p *Pages) editView(r *http.Request, k toksta.Key, value string) view.KeyEdit {
	return view.KeyEdit{Frame: p.frame(r.Context(), view.SectionKeys), ID: string(k.ID), Name: label(k), Value: value}
}

// rotateForm asks first, and carries the token that makes the answer's reload
// harmless.
func (p *Pages) rotateForm(w http.ResponseWriter, r *http.Request) {
	if key, ok := p.key(w, r); ok {
		p.showRotate(w, r, key, nil)
	}
}

// rotate shows the new secret in this one answer; the form's token makes a
// reload rotate once. The form names the secret that it showed, so that it
// never ends a newer one.
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
		p.already(w, r, known, true)
	default:
		faults, ok := fieldErrors(w, r, err)
		if !ok {
			p.fail(w, r, err)
			return
		}
		// Read anew: the form shows the secret that is current now.
		if key, ok = p.key(w, r); ok {
			p.showRotate(w, r, key, faults)
		}
	}
}

// showRotate fills in what the form shows of the key, under a token of its own.
func (p *Pages) showRotate(w http.ResponseWriter, r *http.Request, k toksta.Key, faults view.Errors) {
	p.show(w, r, screen{formStatus(w, faults), "key_rotate"}, view.KeyRotate{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(k.ID), Name: label(k), Token: rand.Text(),
		Generation: k.Current().Number, Text: p.keyText(k.Current()), Use: p.lastUse(r.Context(), k), Errors: faults,
	})
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
	if !text.SameName(r.PostFormValue("name"), label(key)) {
		p.showRevoke(w, r, key, view.Errors{"name": "This is not the key's name. Nothing was revoked."})
		return
	}
	revoked, err := p.Keys.Revoke(r.Context(), p.actor(r), ref(key))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, r, screen{page: "key_revoked"}, view.KeyRevoked{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(key.ID), Name: label(key),
		Nodes: len(revoked.Receipt.Confirmed), Took: revoked.Receipt.Took, Fenced: fenced(revoked.Receipt),
		Change: revoked.Receipt.Change.Seq, At: revoked.Receipt.Change.At, Use: p.lastUse(r.Context(), key),
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

// showRevoke shows what is known of the key in use: revoking it stops that use
// at once.
func (p *Pages) showRevoke(w http.ResponseWriter, r *http.Request, k toksta.Key, faults view.Errors) {
	form := view.KeyRevoke{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(k.ID), Name: label(k), Text: p.keyText(k.Current()),
		Use: p.lastUse(r.Context(), k), Typed: r.PostFormValue("name"), Errors: faults,
	}
	var err error
	if form.Today, err = p.callsToday(r.Context(), k); err != nil {
		withoutUsage(r.Context(), err)
		form.TodayUnknown = true
	}
	p.show(w, r, screen{formStatus(w, faults), "key_revoke"}, form)
}
