package signin

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// postbox is the mail of a test: it writes each mail at once and keeps it.
type postbox struct {
	tb    testing.TB
	mails []mail.Message
	full  bool // no further mail is accepted
}

func (p *postbox) Post(m mail.Message) { p.mails = append(p.mails, m) }

func (p *postbox) Compose(write func(context.Context) (mail.Message, error)) bool {
	if p.full {
		return false
	}
	m, err := write(p.tb.Context())
	if err != nil {
		p.tb.Error(err)
	}
	if m.To != "" {
		p.mails = append(p.mails, m)
	}
	return true
}

// newMailWorld returns a world with mail.
func newMailWorld(tb testing.TB) (*world, *postbox) {
	tb.Helper()
	w, box := newWorld(tb, Open), &postbox{tb: tb}
	letters, err := mail.NewLetters(mail.LettersConfig{Look: brand.Look{Product: "Skies"}, PagesURL: "https://keys.example"})
	if err != nil {
		tb.Fatal(err)
	}
	w.Mail, w.Letters, w.PagesURL = box, letters, "https://keys.example"
	return w, box
}

var linkPattern = regexp.MustCompile(`https://keys\.example(/\S*)\?code=([A-Za-z0-9_-]{43})(?:\s|$)`)

// code returns the path and the code of the link in the newest mail, which must be to an address.
func (p *postbox) code(to string) (path string, code toksta.Hidden) {
	p.tb.Helper()
	if len(p.mails) == 0 {
		p.tb.Fatalf("no mail was sent to %s", to)
	}
	m := p.mails[len(p.mails)-1]
	found := linkPattern.FindStringSubmatch(m.Text)
	if m.To != to || found == nil {
		p.tb.Fatalf("the mail to %s has no link:\n%s", m.To, m.Text)
	}
	if !strings.Contains(m.HTML, found[2]) {
		p.tb.Errorf("the HTML of the mail to %s lacks the link", to)
	}
	return found[1], toksta.Hide(found[2])
}

// resetCode requests a link for a new password and returns its code.
func (w *world) resetCode(tb testing.TB, box *postbox, email string) toksta.Hidden {
	tb.Helper()
	if err := w.RequestReset(tb.Context(), home, ResetRequest{Email: email}); err != nil {
		tb.Fatal(err)
	}
	path, code := box.code(email)
	if path != ResetPath {
		tb.Errorf("the link leads to %s", path)
	}
	return code
}

const nextPassword = "a staple for the battery horse"

func (w *world) reset(tb testing.TB, code toksta.Hidden) error {
	_, err := w.ResetByLink(tb.Context(), from(9), code, toksta.Hide(nextPassword))
	return err
}

// Guarantee: a link in a mail sets a new password once. It ends all sessions and all other links
// of the person, proves the address, and starts no session.
func TestReset(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	in := w.signUp(t, "ada@example.com")
	eve := w.signUp(t, "eve@example.com")
	first, second := w.resetCode(t, box, "ada@example.com"), w.resetCode(t, box, "ada@example.com")
	foreign := w.resetCode(t, box, "eve@example.com")
	for range 3 { // reading uses nothing
		if email, err := w.ResetAddress(t.Context(), first); err != nil || email != "ada@example.com" {
			t.Fatalf("the link is for %q, %v", email, err)
		}
	}
	if _, err := w.ResetByLink(t.Context(), home, first, toksta.Hide("short")); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("a short password: %v", err)
	}
	if err := w.reset(t, first); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.reset(t, first), toksta.CodeForbidden, "used before")
	wantError(t, w.reset(t, second), toksta.CodeForbidden, "used before")
	if _, err := w.Authenticate(t.Context(), in.Cookie); toksta.ErrorCode(err) != toksta.CodeUnauthorized {
		t.Errorf("a session from before the reset: %v", err)
	}
	if _, err := w.Authenticate(t.Context(), eve.Cookie); err != nil {
		t.Errorf("the session of another person: %v", err)
	}
	if email, err := w.ResetAddress(t.Context(), foreign); err != nil || email != "eve@example.com" {
		t.Errorf("the link of another person: %q, %v", email, err)
	}
	if _, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword)); err == nil {
		t.Error("the old password still works")
	}
	again, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(nextPassword))
	if err != nil || !again.Member.VerifiedAt.Equal(w.now) {
		t.Errorf("sign-in with the new password: verified at %v, %v", again.Member.VerifiedAt, err)
	}
}

// Guarantee: of many simultaneous uses of one link, one succeeds.
func TestResetOnce(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	w.signUp(t, "ada@example.com")
	code := w.resetCode(t, box, "ada@example.com")
	errs := make(chan error)
	for range 8 {
		go func() { errs <- w.reset(t, code) }()
	}
	succeeded := 0
	for range 8 {
		if err := <-errs; err == nil {
			succeeded++
		}
	}
	if succeeded != 1 {
		t.Errorf("%d uses of one link succeeded", succeeded)
	}
}

// Guarantee: a link is rejected after 15 minutes, after a change of the address to which it was
// mailed, for a disabled person, and if it was made for something else. An unknown code has the
// same error.
func TestRejectedLinks(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	m := w.signUp(t, "ada@example.com").Member
	change := func(alter func(*toksta.Member)) {
		t.Helper()
		_, err := w.Log.Commit(t.Context(), operator, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
			m, err := r.Member(ctx, m.ID)
			alter(&m)
			return store.Mutation{Kind: toksta.ChangeMemberProfileSet, MemberID: m.ID, Members: []toksta.Member{m}}, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	code := w.resetCode(t, box, "ada@example.com")
	rejected := func(name string, code toksta.Hidden) {
		t.Helper()
		_, read := w.ResetAddress(t.Context(), code)
		for _, err := range []error{read, w.reset(t, code)} {
			if err == nil || err.Error() != invalidLink().Error() {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	change(func(m *toksta.Member) { m.Email = "lovelace@example.com" })
	rejected("another address", code)
	change(func(m *toksta.Member) { m.Email, m.DisabledAt = "ada@example.com", w.now })
	rejected("disabled", code)
	change(func(m *toksta.Member) { m.DisabledAt = time.Time{} })
	rejected("unknown", toksta.Hide(strings.Repeat("A", 43)))
	rejected("malformed", toksta.Hide("../../etc"))
	rejected("empty", toksta.Hidden{})
	id, _ := secretID(code)
	ticket, err := w.Tickets.Ticket(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var other toksta.Hidden
	other, ticket.ID = newSecret()
	ticket.Purpose = "invitation"
	if err := w.Tickets.PutTicket(t.Context(), ticket); err != nil {
		t.Fatal(err)
	}
	rejected("for another purpose", other)
	w.now = w.now.Add(LinkLifetime - time.Millisecond)
	if _, err := w.ResetAddress(t.Context(), code); err != nil {
		t.Errorf("a link is rejected early: %v", err)
	}
	w.now = w.now.Add(time.Millisecond)
	rejected("expired", code)
}

// Guarantee: a mail with a link goes to the stored address and not to the typed one, which the
// database considers equal, and no mail is sent for an unknown or disabled person. The link starts with
// the configured address.
func TestResetMails(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	w.signUp(t, "ada@example.com")
	gone := w.signUp(t, "gone@example.com").Member
	gone.DisabledAt = w.now
	_, err := w.Log.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeMemberDisabled, Members: []toksta.Member{gone}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"unknown@example.com", "gone@example.com"} {
		if err := w.RequestReset(t.Context(), home, ResetRequest{Email: email}); err != nil || len(box.mails) > 0 {
			t.Fatalf("%s: %d mails, %v", email, len(box.mails), err)
		}
	}
	if err := w.RequestReset(t.Context(), home, ResetRequest{Email: " ADA@EXAMPLE.COM "}); err != nil {
		t.Fatal(err)
	}
	_, code := box.code("ada@example.com")
	for _, email := range []string{"", "ada", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com,eve@example.com"} {
		wantError(t, w.RequestReset(t.Context(), home, ResetRequest{Email: email}), toksta.CodeValidation, "Give an e-mail address")
	}
	box.full = true
	wantError(t, w.RequestReset(t.Context(), home, ResetRequest{Email: "ada@example.com"}), toksta.CodeRateLimited, "Try again")
	w.Mail = nil
	wantError(t, w.RequestReset(t.Context(), home, ResetRequest{Email: "ada@example.com"}), toksta.CodeForbidden, "No mail")
	w.Mail, w.PasswordOff = box, true
	wantError(t, w.RequestReset(t.Context(), home, ResetRequest{Email: "ada@example.com"}), toksta.CodeForbidden, "not possible here")
	wantError(t, w.reset(t, code), toksta.CodeForbidden, "not possible here")
}

// Guarantee: no stored row contains a code: the ticket has its SHA-256, the change log and the
// ticket's data have nothing of it.
func TestCodesAreNotStored(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	w.signUp(t, "ada@example.com")
	code := w.resetCode(t, box, "ada@example.com")
	id, _ := secretID(code)
	ticket, err := w.Tickets.Ticket(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.reset(t, code); err != nil {
		t.Fatal(err)
	}
	changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{})
	if err != nil || changes[0].Kind != toksta.ChangeMemberPasswordSet {
		t.Fatalf("%v, %v", changes, err)
	}
	rows, err := json.Marshal([]any{ticket, changes})
	if err != nil {
		t.Fatal(err)
	}
	if text := string(rows); strings.Contains(text, code.Reveal()) || strings.Contains(text, url.QueryEscape(nextPassword)) {
		t.Errorf("a stored row has a secret: %s", text)
	}
}

// Guarantee: requests of mails to one address are delayed, so that it cannot be flooded, and
// requests from other networks do not free it. The error is the same for an unknown address.
func TestMailRequestsAreThrottled(t *testing.T) {
	t.Parallel()
	w, _ := newMailWorld(t)
	w.signUp(t, "ada@example.com")
	for _, email := range []string{"ada@example.com", "unknown@example.com"} {
		sent := 0
		var last error
		for i := range 20 {
			if last = w.RequestReset(t.Context(), from(i), ResetRequest{Email: email}); last == nil {
				sent++
			}
		}
		if sent == 0 || sent > 5 {
			t.Errorf("%s: %d requests at once", email, sent)
		}
		wantError(t, last, toksta.CodeRateLimited, "Too many attempts. Try again in 60 seconds.")
	}
	w.now = w.now.Add(5 * time.Minute)
	if err := w.RequestReset(t.Context(), home, ResetRequest{Email: "ada@example.com"}); err != nil {
		t.Errorf("after the delay: %v", err)
	}
}

// Guarantee: a name, as an earlier version could have stored it, adds no header, no recipient and no
// markup to a mail with a link.
func TestNamesInMails(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	m := w.signUp(t, "ada@example.com").Member
	m.Name = "Ada\r\nBcc: eve@example.com\r\n\r\n<script>x</script> https://evil.example"
	_, err := w.Log.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeMemberProfileSet, MemberID: m.ID, Members: []toksta.Member{m}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.resetCode(t, box, "ada@example.com")
	sent := box.mails[0]
	if strings.ContainsFunc(sent.Subject+sent.To, unicode.IsControl) || strings.Contains(sent.HTML, "<script") ||
		strings.Contains(sent.HTML, `href="https://evil.example`) || strings.Contains(sent.Text, "\nBcc:") || strings.Contains(sent.Text, " https://evil.example") {
		t.Errorf("subject %q\n%s", sent.Subject, sent.Text)
	}
}

// Guarantee: links that were mailed before the password was changed, by the person or the operator, set
// no password and start no session: another person can have read them.
func TestLinksEndWithThePassword(t *testing.T) {
	t.Parallel()
	w, box := newLinkWorld(t)
	in := w.signUp(t, "ada@example.com")
	changes := []func() error{
		func() error {
			_, err := w.ChangePassword(t.Context(), home, in.Identity, PasswordRequest{Current: toksta.Hide(testPassword), Next: toksta.Hide("a much better one")})
			return err
		},
		func() error {
			return w.ResetPassword(t.Context(), operator, in.Member.ID, toksta.Hide("the best of them all"))
		},
	}
	for i, change := range changes {
		reset, signIn := w.resetCode(t, box, "ada@example.com"), w.signInLink(t, box, toksta.Hidden{}, "ada@example.com")
		if _, err := w.SignInAddress(t.Context(), signIn); err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		wantError(t, w.reset(t, reset), toksta.CodeForbidden, "used before")
		_, _, err := w.SignInByLink(t.Context(), home, signIn)
		wantError(t, err, toksta.CodeForbidden, "used before")
		if i == 0 {
			w.now = w.now.Add(2 * time.Hour)
		}
	}
	if err := w.reset(t, w.resetCode(t, box, "ada@example.com")); err != nil {
		t.Errorf("a link of afterwards: %v", err)
	}
}
