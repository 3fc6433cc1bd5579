package signin

import (
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the operator sees the live sessions of a person and no others, ends all of them, and with them
// the links in mails that the person could still use. The change log names the operator. The sessions of
// other people continue.
func TestOperatorEndsSessions(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	ada, bob := w.signUp(t, "ada@example.com"), w.signUp(t, "bob@example.com")
	second, err := w.SignIn(t.Context(), from(1), "ada@example.com", toksta.Hide(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	code := w.resetCode(t, box, "ada@example.com")
	expired := store.Session{ID: toksta.Digest{1}, MemberID: ada.Member.ID, SeenAt: w.now.Add(-30 * 24 * time.Hour), ExpiresAt: w.now.Add(time.Hour)}
	if err := w.Sessions.PutSession(t.Context(), expired); err != nil {
		t.Fatal(err)
	}
	listed, err := w.SessionsOf(t.Context(), ada.Member.ID)
	if err != nil || len(listed) != 2 || listed[0].Account != ada.Account.ID || listed[0].Method != MethodPassword {
		t.Fatalf("listed %+v, %v", listed, err)
	}
	operator := toksta.Actor{Kind: toksta.ActorOperator, ID: "olga", Name: "Olga"}
	if n, err := w.EndSessionsOf(t.Context(), operator, ada.Member.ID); n != 2 || err != nil {
		t.Fatalf("ended %d, %v", n, err)
	}
	if w.isSignedIn(t, ada.Cookie) || w.isSignedIn(t, second.SignedIn.Cookie) || !w.isSignedIn(t, bob.Cookie) {
		t.Error("other sessions ended than those of the person")
	}
	if err := w.reset(t, code); err == nil {
		t.Error("a link in a mail still works")
	}
	changes, err := w.Store.ListChanges(t.Context(), store.ChangeQuery{Account: ada.Account.ID, Limit: 1})
	if err != nil || changes[0].Kind != toksta.ChangeSessionsEnded || changes[0].Actor != operator || changes[0].MemberID != ada.Member.ID || changes[0].Detail["sessions"] != "2" {
		t.Errorf("recorded %+v, %v", changes, err)
	}
	if n, err := w.EndSessionsOf(t.Context(), operator, ada.Member.ID); n != 0 || err != nil {
		t.Errorf("repeated: %d, %v", n, err)
	}
	_, err = w.SessionsOf(t.Context(), "mem_none")
	wantError(t, err, toksta.CodeNotFound, "mem_none")
	_, err = w.EndSessionsOf(t.Context(), operator, "mem_none")
	wantError(t, err, toksta.CodeNotFound, "mem_none")
}
