package keys_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/sdk/toksta"
)

func sum(text string) toksta.Digest { return sha256.Sum256([]byte(text)) }

// Guarantee I7: after a rotation the key has exactly one live secret, the new one,
// and keeps its id.
func TestRotate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.create(t, "k")
	w.now = w.now.Add(time.Hour)
	next, err := w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(old), Token: "form-1"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Get(t.Context(), "acct_1", old.Key.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Generations) != 2 || got.Current().Digest != sum(next.Secret.Reveal()) || got.Current().Number != 2 {
		t.Fatalf("generations %+v", got.Generations)
	}
	if g := got.Grants(); !g[0].Revoked || g[1].Revoked {
		t.Errorf("old revoked %v, new revoked %v", g[0].Revoked, g[1].Revoked)
	}
	if !got.Generations[0].RevokedAt.Equal(got.Current().CreatedAt) || got.Generations[0].Digest != sum(old.Secret.Reveal()) {
		t.Errorf("the old secret is not marked revoked at the same moment: %+v", got.Generations)
	}
	_, err = w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(old), Token: "form-1"})
	wantError(t, err, toksta.CodeConflict, "before")
}

// A leaked secret can be replaced in every billing state.
func TestRotateIgnoresBilling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.create(t, "k")
	w.account.Status = toksta.StatusPastDue
	w.put(t, w.account)
	if _, err := w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(k)}); err != nil {
		t.Error(err)
	}
}

// A revoked key stays revoked: it cannot get a new secret, name or limits. An
// expired key cannot be rotated. A repeated revoke is no error and returns the
// change that revoked the key.
func TestRevokedKeysStayRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, expired := w.create(t, "k"), keys.Created{}
	expired, err := w.Create(t.Context(), ada, keys.CreateRequest{Account: "acct_1", Name: "e", ExpiresAt: new(w.now.Add(time.Minute))})
	if err != nil {
		t.Fatal(err)
	}
	first, err := w.Revoke(t.Context(), ada, ref(k))
	if err != nil || first.Key.RevokedAt.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	w.now = w.now.Add(time.Hour)
	again, err := w.Revoke(t.Context(), operator, ref(k))
	if err != nil || again.Receipt.Change.Seq != first.Receipt.Change.Seq || !again.Key.RevokedAt.Equal(first.Key.RevokedAt) {
		t.Errorf("repeat %+v, %v; first %+v", again, err, first)
	}
	_, err = w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(k)})
	wantError(t, err, toksta.CodeConflict, "revoked")
	_, err = w.Rename(t.Context(), ada, keys.RenameRequest{Ref: ref(k), Name: "new"})
	wantError(t, err, toksta.CodeConflict, "revoked")
	none := []toksta.Family{}
	_, err = w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: ref(k), Scopes: &none})
	wantError(t, err, toksta.CodeConflict, "revoked")
	_, err = w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(expired)})
	wantError(t, err, toksta.CodeConflict, "expired")
}

// For every operation, a key of another account is a key that does not exist.
func TestForeignKeysDoNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := keys.Ref{Account: "acct_2", Key: w.create(t, "k").Key.ID}
	n := 1
	for operation, run := range map[string]func() error{
		"get": func() error { _, err := w.Get(t.Context(), foreign.Account, foreign.Key); return err },
		"rename": func() error {
			_, err := w.Rename(t.Context(), ada, keys.RenameRequest{Ref: foreign, Name: "x"})
			return err
		},
		"limits": func() error {
			_, err := w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: foreign, PerMinute: &n})
			return err
		},
		"rotate": func() error { _, err := w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: foreign}); return err },
		"revoke": func() error { _, err := w.Revoke(t.Context(), ada, foreign); return err },
	} {
		t.Run(operation, func(t *testing.T) { wantError(t, run(), toksta.CodeNotFound, "No such key") })
	}
	if k, err := w.Get(t.Context(), "", foreign.Key); err != nil || k.State(w.now) != toksta.KeyLive || k.Name != "k" {
		t.Errorf("the operator sees %+v, %v", k, err)
	}
}

// A change of one limit keeps the others, and each change is in the log once, as
// old → new.
func TestSetLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.create(t, "k")
	ten, data := 10, []toksta.Family{"data"}
	if _, err := w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: ref(k), PerMinute: &ten}); err != nil {
		t.Fatal(err)
	}
	out, err := w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: ref(k), Scopes: &data})
	if err != nil || out.Key.Limits.PerMinute != 10 || len(out.Key.Limits.Scopes) != 1 {
		t.Fatalf("%+v, %v", out.Key.Limits, err)
	}
	if got := out.Receipt.Change.Detail["scopes"]; got != "all → data" || len(out.Receipt.Change.Detail) != 1 {
		t.Errorf("detail %v", out.Receipt.Change.Detail)
	}
	before := len(w.changes(t))
	if _, err := w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: ref(k), Scopes: &data}); err != nil || len(w.changes(t)) != before {
		t.Errorf("the same limits again: %v, %d changes", err, len(w.changes(t))-before)
	}
	// A family that the plan no longer includes may stay, but not be added.
	workspace := []toksta.Family{"data", "workspace"}
	w.account.Entitlements.Families = map[toksta.Family]bool{"workspace": true}
	w.put(t, w.account)
	if _, err := w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: ref(k), Scopes: &workspace}); err != nil {
		t.Fatal(err)
	}
	w.account.Entitlements.Families = nil
	w.put(t, w.account)
	only := []toksta.Family{"workspace"}
	if _, err := w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: ref(k), Scopes: &only}); err != nil {
		t.Errorf("narrowing to a lost family: %v", err)
	}
	if _, err := w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: ref(k), Scopes: &data}); err != nil {
		t.Fatal(err)
	}
	_, err = w.SetLimits(t.Context(), ada, keys.LimitsRequest{Ref: ref(k), Scopes: &workspace})
	wantError(t, err, toksta.CodeValidation, "workspace")
}
