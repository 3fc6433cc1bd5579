package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a form that was opened before another person rotated the key
// rotates nothing, says so, and shows the current secret.
func TestStaleRotateForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.create(t, "CRM sync")
	page := "/account/keys/" + string(k.ID) + "/rotate"
	stale := w.get(t, page).fields()
	colleague, err := w.Keys.Rotate(t.Context(), w.actor(), keys.RotateRequest{Ref: ref(k)})
	if err != nil {
		t.Fatal(err)
	}
	rejected := w.post(t, page, stale)
	rejected.shows(t, 422, "Nothing was rotated", colleague.Key.Current().Start)
	if got := w.key(t, k.ID).Current().Digest; got != colleague.Key.Current().Digest {
		t.Error("the stale form ended the colleague's secret")
	}
	again := rejected.fields()
	w.post(t, page, again).shows(t, 200, "Copy the new secret now")
	w.post(t, page, again).shows(t, 200, "already rotated")
}

// Guarantee: a key can be revoked and rotated while usage cannot be read, and
// the pages state that it is not known.
func TestPagesWithoutUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.create(t, "CRM sync")
	page := "/account/keys/" + string(k.ID)
	w.usage.Store(&errUnreadable)
	w.get(t, "/account").shows(t, 200, "Usage could not be read", "Not known", page+"/revoke")
	w.get(t, page).shows(t, 200, "Usage could not be read", "Not known", page+"/revoke")
	w.get(t, page+"/rotate").shows(t, 200, "Not known", "Rotate now")
	form := w.get(t, page+"/revoke")
	form.shows(t, 200, "<dt>Last used</dt><dd>Not known</dd>", "<dt>Today</dt><dd>Not known</dd>")
	w.post(t, page+"/revoke", url.Values{"name": {"no"}}).shows(t, 422, "Nothing was revoked")
	w.post(t, page+"/revoke", url.Values{"name": {"CRM sync"}}).shows(t, 200, "is revoked", "Not known")
	if w.key(t, k.ID).RevokedAt.IsZero() {
		t.Error("the key is not revoked")
	}
}

// hanging is a store whose usage does not respond.
type hanging struct{ store.Store }

func (hanging) LastUses(ctx context.Context, _ toksta.AccountID) (map[toksta.KeyID]store.LastUse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hanging) Account(ctx context.Context, _ toksta.AccountID) (toksta.Account, error) {
	<-ctx.Done()
	return toksta.Account{}, ctx.Err()
}

// Guarantee: usage that does not respond delays the pages of a revocation by
// seconds only.
func TestUsageThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pages{Config: Config{Usage: &usage.Reader{Store: hanging{}}}}
		start := time.Now()
		if use := p.lastUse(t.Context(), toksta.Key{}); !use.Unknown {
			t.Errorf("the last use is %+v", use)
		}
		if _, err := p.callsToday(t.Context(), toksta.Key{}); err == nil {
			t.Error("the calls of today are known")
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the page takes %v", took)
		}
	})
}

// Guarantee: reloading the page of the last key that an account may have
// reports that it was created, not that there are too many keys.
func TestReloadAtTheLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Catalog.MaxKeys = 1
	form := w.get(t, "/account/keys/new").fields()
	form.Set("name", "last")
	form.Set("expires", "never")
	w.post(t, "/account/keys", form).shows(t, 200, "Copy the new secret now")
	w.post(t, "/account/keys", form).shows(t, 200, "already created")
	form.Set("token", rand.Text())
	w.post(t, "/account/keys", form).shows(t, 422, "1 of 1 live keys")
}

// Guarantee: the history counts all changes and ends with the creation of the
// key.
func TestLongHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.create(t, "name 0")
	const renames = 520 // more than are read at once
	for i := range renames {
		_, err := w.Keys.Rename(t.Context(), w.actor(), keys.RenameRequest{Ref: ref(k), Name: fmt.Sprint("name ", i+1)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]struct {
		events int
		text   string
	}{
		"":             {newestChanges + 1, "Show 470 older changes"},
		"?history=all": {renames + 1, "name 0 → name 1"},
	} {
		page := w.get(t, "/account/keys/"+string(k.ID)+query)
		page.shows(t, 200, ">521 changes<", "<h3>Created</h3>", want.text)
		if n := strings.Count(page.body, "<h3>Renamed</h3>") + strings.Count(page.body, "<h3>Created</h3>"); n != want.events {
			t.Errorf("%q: %d events, want %d", query, n, want.events)
		}
	}
}

// Guarantee: a person who must sign in or confirm first finds the form as it
// was filled in, and it still creates one key.
func TestFormsOutliveTheSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.get(t, "/account/keys/new").fields()
	form.Set("name", "Night & day")
	form.Set("scope", "only")
	form.Set("family", "job")
	form.Set("expires", "day")
	form.Set("day", "2099-12-31")
	form.Set("ips", "203.0.113.0/24, 2001:db8::/32")

	w.ahead.Store(int64(2 * time.Hour)) // no longer recent
	asked := w.post(t, "/account/keys", form)
	asked.shows(t, 200, "Confirm it’s you", "create a key")
	back := w.post(t, "/confirm", url.Values{"next": {asked.fields().Get("next")}, "password": {password}})
	back.shows(t, 200, "<h1>Create key</h1>")
	for name, want := range form {
		if got := back.fields()[name]; len(got) != 1 || got[0] != want[0] {
			t.Errorf("after confirming, the form has %s %q, want %q", name, got, want)
		}
	}
	w.post(t, "/account/keys", form).shows(t, 200, "Copy the new secret now")
	w.ahead.Store(int64(4 * time.Hour)) // the created page is reloaded later
	asked = w.post(t, "/account/keys", form)
	w.post(t, "/confirm", url.Values{"next": {asked.fields().Get("next")}, "password": {password}})
	w.post(t, "/account/keys", form).shows(t, 200, "already created")
}

// Guarantee: the pages have one name for the vendor, as the creator of a key and
// in its history, and state in words that a key has never been used.
func TestVendorsUnusedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := toksta.Actor{Kind: toksta.ActorOperator, Name: "ops script"}
	created, err := w.Keys.Create(t.Context(), operator, keys.CreateRequest{Account: w.account, Name: "CRM sync"})
	if err != nil {
		t.Fatal(err)
	}
	page := "/account/keys/" + string(created.Key.ID)
	w.get(t, "/account").shows(t, 200, "<bdi>the vendor</bdi>")
	w.get(t, page).shows(t, 200, "by <bdi>the vendor</bdi>")
	w.post(t, page+"/revoke", url.Values{"name": {"CRM sync"}}).shows(t, 200, "<dt>Last used</dt><dd>Never</dd>")
}
