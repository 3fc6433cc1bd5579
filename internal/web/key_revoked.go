package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// revoke revokes the key if its name was typed, and redirects to the page of the result, so
// that Back does not send the form again. A repeated form finds the key revoked.
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
	q := url.Values{
		"nodes":  {strconv.Itoa(len(revoked.Receipt.Confirmed))},
		"fenced": {strconv.Itoa(len(revoked.Receipt.Fenced))},
		"ms":     {strconv.FormatInt(max(1, revoked.Receipt.Took.Milliseconds()), 10)},
	}
	http.Redirect(w, r, keyPath(r, key.ID)+"/revoked?"+q.Encode(), http.StatusSeeOther)
}

// showRevoked serves the result of a revocation. The numbers of nodes and the time are in the
// address; without them, the page states that the key is rejected, which is true of every
// revoked key. A key that is not revoked has no such page.
func (p *Pages) showRevoked(w http.ResponseWriter, r *http.Request) {
	key, ok := p.key(w, r)
	if !ok {
		return
	}
	if key.RevokedAt.IsZero() {
		http.Redirect(w, r, keyPath(r, key.ID), http.StatusSeeOther)
		return
	}
	change, err := p.revocation(r.Context(), key)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	number := func(name string) int {
		n, err := strconv.Atoi(r.FormValue(name))
		if err != nil || n < 0 || n > 1e6 {
			return 0
		}
		return n
	}
	p.show(w, r, screen{page: "key_revoked"}, view.KeyRevoked{
		Frame: p.frame(r.Context(), view.SectionKeys), ID: string(key.ID), Name: label(key),
		Nodes: number("nodes"), Took: time.Duration(number("ms")) * time.Millisecond, Fenced: fenced(number("fenced")),
		Change: change.Seq, At: key.RevokedAt, Use: p.lastUse(r.Context(), key),
	})
}

// revocation returns the change that revoked the key. It is zero if the change is not in the
// log, for example after an import.
func (p *Pages) revocation(ctx context.Context, k toksta.Key) (toksta.Change, error) {
	changes, err := p.Accounts.Audit(ctx, store.ChangeQuery{Account: k.AccountID, Key: k.ID, Limit: 10})
	if err != nil {
		return toksta.Change{}, err
	}
	for _, c := range changes {
		if revokesKeys(c.Kind) {
			return c, nil
		}
	}
	return toksta.Change{}, nil
}

// revokesKeys reports whether a change of this kind, among the changes of a key, revoked the key.
func revokesKeys(kind toksta.ChangeKind) bool {
	switch kind {
	case toksta.ChangeKeyRevoked, toksta.ChangeKeysRevoked, toksta.ChangeMemberRemoved, toksta.ChangeAccountClosed:
		return true
	default:
		return false
	}
}

// fenced returns a sentence about the nodes that were fenced because they did not confirm the
// change, "" if all nodes confirmed.
func fenced(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 node did not respond and was fenced: it admits no calls until it has applied the change."
	default:
		return fmt.Sprintf("%d nodes did not respond and were fenced: they admit no calls until they have applied the change.", n)
	}
}
