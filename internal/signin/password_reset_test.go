package signin

import (
	"slices"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a person whose address and network others use to guess gets in by a new password by mail, in
// the browser of the reset and for an hour. The guesses of that browser are limited, and a reset admits no
// further guesses at the code of an app.
func TestResetEndsALockOut(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	ada, eve := w.signUp(t, "ada@example.com").Member, w.signUp(t, "eve@example.com").Member
	attack := func() {
		for i := range 100 {
			_, _ = w.SignIn(t.Context(), from(i), "ada@example.com", toksta.Hide("wrong"))
			_, _ = w.SignIn(t.Context(), home, "other@example.com", toksta.Hide("wrong"))
		}
	}
	signIn := func(o Origin) error {
		_, err := w.SignIn(t.Context(), o, "ada@example.com", toksta.Hide(nextPassword))
		return err
	}
	resetIn := func(email string) Origin {
		done, err := w.ResetByLink(t.Context(), home, w.resetCode(t, box, email), toksta.Hide(nextPassword))
		if err != nil {
			t.Fatal(err)
		}
		o := home
		o.Grace = done.Grace
		return o
	}
	attack()
	own, other := resetIn(ada.Email), resetIn(eve.Email)
	for name, o := range map[string]Origin{"another browser": home, "the browser of another person": other} {
		if err := signIn(o); toksta.ErrorCode(err) != toksta.CodeRateLimited {
			t.Errorf("in %s: %v", name, err)
		}
	}
	if err := signIn(own); err != nil {
		t.Errorf("in the browser of the reset: %v", err)
	}
	code := Name{ScopeCode, string(ada.ID)}
	if names, err := w.guessNames(t.Context(), own, ada.ID, code); err != nil || !slices.Equal(names, []Name{code}) {
		t.Errorf("after a reset, a code counts as %v, %v", names, err)
	}
	through := 0
	for range 50 {
		if _, err := w.SignIn(t.Context(), own, ada.Email, toksta.Hide("wrong")); toksta.ErrorCode(err) == toksta.CodeUnauthorized {
			through++
		}
	}
	if through != 6 {
		t.Errorf("%d guesses got through after a reset, want 6", through)
	}
	again := resetIn(ada.Email)
	if err := w.ResetPassword(t.Context(), operator, ada.ID, toksta.Hide(nextPassword)); err != nil {
		t.Fatal(err)
	}
	if err := signIn(again); toksta.ErrorCode(err) != toksta.CodeRateLimited {
		t.Errorf("in the browser of a reset before another new password: %v", err)
	}
	own = resetIn(ada.Email)
	w.now = w.now.Add(ResetGraceLifetime + time.Second)
	attack()
	if err := signIn(own); toksta.ErrorCode(err) != toksta.CodeRateLimited {
		t.Errorf("after an hour: %v", err)
	}
}
