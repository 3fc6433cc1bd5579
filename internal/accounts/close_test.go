package accounts_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: one change closes an account and revokes all its keys and open invitations. A
// repetition changes nothing, and neither a plan nor a reopening brings a key back.
func TestClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, other := w.create(t), w.create(t)
	key := func(id toksta.KeyID, account toksta.AccountID, revoked time.Time) toksta.Key {
		return toksta.Key{
			ID: id, AccountID: account, RevokedAt: revoked,
			Generations: []toksta.Generation{{Digest: digest(string(id)), Number: 1}},
		}
	}
	before := w.now.Add(-time.Hour)
	invitation := func(code string, account toksta.AccountID) store.Invitation {
		return store.Invitation{Code: digest(code), ID: toksta.InvitationID("inv_" + code), AccountID: account, Role: toksta.MemberViewer}
	}
	used := invitation("used", a.ID)
	used.UsedAt = before
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeKeysImported, Keys: []toksta.Key{
			key("key_1", a.ID, time.Time{}), key("key_2", a.ID, time.Time{}), key("key_3", a.ID, before), key("key_4", other.ID, time.Time{}),
		},
		Invitations: []store.Invitation{invitation("open", a.ID), used, invitation("other", other.ID)},
	})
	wantClosed := func() {
		t.Helper()
		for id, want := range map[toksta.KeyID]time.Time{"key_1": w.now, "key_2": w.now, "key_3": before, "key_4": {}} {
			if k, err := w.store.Key(t.Context(), "", id); err != nil || !k.RevokedAt.Equal(want) {
				t.Errorf("%s: revoked at %v, want %v: %v", id, k.RevokedAt, want, err)
			}
		}
	}
	out, err := w.Close(t.Context(), operator, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if out.Keys != 2 || out.Invitations != 1 || !out.Account.ClosedAt.Equal(w.now) {
		t.Errorf("got %+v", out)
	}
	change := w.changes(t)[0]
	if diff := cmp.Diff(map[string]string{"keys": "2", "invitations": "1"}, change.Detail); diff != "" || change.Kind != toksta.ChangeAccountClosed || change.AccountID != a.ID {
		t.Errorf("change %+v\n%s", change, diff)
	}
	wantClosed()
	for code, want := range map[string]bool{"open": true, "used": false, "other": false} {
		if i, err := w.store.Invitation(t.Context(), digest(code)); err != nil || !i.RevokedAt.IsZero() != want {
			t.Errorf("invitation %s: %+v, %v", code, i, err)
		}
	}
	stored, err := w.Get(t.Context(), a.ID)
	if diff := cmp.Diff(out.Account, stored); diff != "" || err != nil {
		t.Errorf("stored (-returned +stored): %v\n%s", err, diff)
	}
	count := len(w.changes(t))
	if again, err := w.Close(t.Context(), operator, a.ID); err != nil || again.Keys != 0 || len(w.changes(t)) != count {
		t.Errorf("closed again: %+v, %v", again, err)
	}
	w.now = w.now.Add(time.Hour)
	if _, err := w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: a.ID, Plan: "BUILD"}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Get(t.Context(), a.ID); err != nil || w.Catalog.Standing(got).Blocked == "" {
		t.Errorf("a plan brought the account back: %v, %v", got, err)
	}
	w.now = out.Account.ClosedAt
	reopened, err := w.Reopen(t.Context(), operator, a.ID)
	if err != nil || !reopened.Account.ClosedAt.IsZero() || w.Catalog.Standing(reopened.Account).Blocked != "" {
		t.Errorf("reopened: %+v, %v", reopened, err)
	}
	wantClosed()
	_, err = w.Close(t.Context(), operator, "acct_none")
	wantError(t, err, toksta.CodeNotFound, "acct_none")
	_, err = w.Reopen(t.Context(), operator, "acct_none")
	wantError(t, err, toksta.CodeNotFound, "acct_none")
}

// commit makes a change without a service.
func (w *world) commit(tb testing.TB, m store.Mutation) {
	tb.Helper()
	_, err := w.store.Commit(tb.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
	if err != nil {
		tb.Fatal(err)
	}
}

func digest(of string) toksta.Digest { return sha256.Sum256([]byte(of)) }
