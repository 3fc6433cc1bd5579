package keys_test

import (
	"errors"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/sdk/toksta"
)

func wantRepeated(t *testing.T, when string, err error, key toksta.KeyID) {
	t.Helper()
	e, ok := errors.AsType[*toksta.Error](err)
	if !ok || e.Reason != toksta.ReasonRepeated || e.Details["key_id"] != string(key) {
		t.Errorf("%s: the repeated request returns %v, want %s of %s", when, err, toksta.ReasonRepeated, key)
	}
}

// A repeated request returns the result of the first one. After a lost response,
// the caller must learn that the key exists, although the current state does not
// allow a new key.
func TestRepeatIgnoresCurrentState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Catalog.MaxKeys = 1
	request := keys.CreateRequest{Account: "acct_1", Name: "last", Token: "form", ExpiresAt: new(w.now.Add(time.Hour))}
	made, err := w.Create(t.Context(), ada, request)
	if err != nil {
		t.Fatal(err)
	}
	repeat := func(when string) {
		t.Helper()
		_, err := w.Create(t.Context(), ada, request)
		wantRepeated(t, when, err, made.Key.ID)
	}
	repeat("at the limit of live keys")
	w.account.Status = toksta.StatusPastDue
	w.put(t, w.account)
	repeat("past due")
	w.now = w.now.Add(2 * time.Hour)
	repeat("after the requested expiry")
}

// The same token for another key is another rotation. Otherwise the old secret of
// the other key, which may have leaked, would stay live.
func TestRotateTokenBelongsToOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.create(t, "a"), w.create(t, "b")
	for _, c := range []keys.Created{a, b} {
		rotated, err := w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(c), Token: "form"})
		if err != nil || rotated.Key.ID != c.Key.ID || len(rotated.Key.Generations) != 2 {
			t.Fatalf("rotate %s: %+v, %v", c.Key.Name, rotated.Key, err)
		}
	}
	if _, err := w.Revoke(t.Context(), ada, ref(a)); err != nil {
		t.Fatal(err)
	}
	_, err := w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(a), Token: "form"})
	wantRepeated(t, "after a revocation", err, a.Key.ID)
}

// A form that shows an older secret does not rotate the key, because that would
// revoke the newer secret of a colleague.
func TestRotateRejectsAnOlderGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create(t, "a")
	stale := keys.RotateRequest{Ref: ref(c), Generation: 1, Token: "stale"}
	first, err := w.Rotate(t.Context(), ada, keys.RotateRequest{Ref: ref(c), Generation: 1, Token: "colleague"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Rotate(t.Context(), ada, stale)
	wantError(t, err, toksta.CodeConflict, "Nothing was rotated")
	now, err := w.Get(t.Context(), "acct_1", c.Key.ID)
	if err != nil || now.Current().Digest != first.Key.Current().Digest || !now.Current().RevokedAt.IsZero() {
		t.Errorf("the colleague's secret: %+v, %v", now.Current(), err)
	}
	stale.Generation = 2
	if _, err := w.Rotate(t.Context(), ada, stale); err != nil {
		t.Errorf("rotate the secret that is current: %v", err)
	}
}
