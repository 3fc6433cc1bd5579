package notices

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// Guarantee: each member whose role allows it gets a mail about a change, and no other person: a
// viewer gets none about keys, and no member gets one about another account.
func TestRecipients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := key("key_1")
	w.createKey(by("dan"), k)
	same(t, w.received(),
		"adam@customer.example: Acme API: the key name of key_1 was created", "ann@customer.example: Acme API: the key name of key_1 was created",
		"dan@customer.example: Acme API: the key name of key_1 was created")
	same(t, w.items("dan", toksta.MemberDeveloper), "key_created") // read: dan did it
	same(t, w.items("ann", toksta.MemberOwner), "key_created*")
	if all, err := w.db.ListNotices(t.Context(), boxOf("vic"), 10); err != nil || len(all) != 0 {
		t.Errorf("the viewer has %d notices, %v", len(all), err)
	}

	w.commit(byOperator, store.Mutation{Kind: toksta.ChangeKeyRotated, AccountID: "acct_a", KeyID: k.ID, Keys: []toksta.Key{k}})
	w.commit(byOperator, store.Mutation{Kind: toksta.ChangeKeyRenamed, AccountID: "acct_a", KeyID: k.ID, Keys: []toksta.Key{k}})
	w.commit(by("ann"), store.Mutation{Kind: toksta.ChangeKeyRevoked, AccountID: "acct_a", KeyID: k.ID, Keys: []toksta.Key{k}})
	if got := w.received(); len(got) != 6 {
		t.Errorf("a rotation and a revocation: %q", got)
	}
	more := []toksta.Key{key("key_2"), key("key_3")}
	w.commit(byOperator, store.Mutation{Kind: toksta.ChangeKeysRevoked, Keys: more, Detail: map[string]string{"keys": "2"}})
	w.pass()
	for _, m := range w.box.take() {
		if !strings.Contains(m.Text, "Acme API revoked 2 API keys of the account Account a at once.") {
			t.Errorf("%s: %s", m.To, m.Text)
		}
	}
	w.commit(by("ann"), store.Mutation{
		Kind: toksta.ChangeMemberRoleSet, AccountID: "acct_a", MemberID: "mem_dan", Detail: map[string]string{"role": "developer → viewer"},
		Memberships: []toksta.Membership{{AccountID: "acct_a", MemberID: "mem_dan", Role: toksta.MemberViewer, CreatedAt: start}},
	})
	same(t, w.received(),
		"adam@customer.example: Acme API: dan has another role in Account a", "ann@customer.example: Acme API: dan has another role in Account a",
		"dan@customer.example: Acme API: your role in Account a is now viewer")
	same(t, w.items("dan", toksta.MemberViewer), "role_changed*") // and no longer those about keys
	w.commit(by("ann"), store.Mutation{Kind: toksta.ChangeAccountClosed, AccountID: "acct_a"})
	if got := w.received(); len(got) != 5 || !strings.Contains(got[0], "is closed") {
		t.Errorf("the end of the account: %q", got)
	}
}

// Guarantee: a removed person gets the mail about the removal, and no further one about the
// account, also none that was already written. The same holds for the keys and a person who lost
// the right to them.
func TestRemovedMemberGetsNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.box.fail(errors.New("down"))
	w.createKey(by("ann"), key("key_1"))
	w.pass()
	w.box.fail(nil)
	revoked := key("key_2")
	revoked.RevokedAt = start
	w.commit(by("ann"), store.Mutation{
		Kind: toksta.ChangeMemberRemoved, AccountID: "acct_a", MemberID: "mem_dan", Keys: []toksta.Key{revoked},
		Memberships: []toksta.Membership{{AccountID: "acct_a", MemberID: "mem_dan", Role: toksta.MemberDeveloper, CreatedAt: start, RemovedAt: start}},
	})
	w.commit(by("ann"), store.Mutation{
		Kind: toksta.ChangeMemberRoleSet, AccountID: "acct_a", MemberID: "mem_adam", Detail: map[string]string{"role": "admin → viewer"},
		Memberships: []toksta.Membership{{AccountID: "acct_a", MemberID: "mem_adam", Role: toksta.MemberViewer, CreatedAt: start}},
	})
	w.createKey(by("ann"), key("key_3"))
	w.clock.add(time.Hour)
	got := w.received()
	same(t, slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, "adam") }),
		"adam@customer.example: Acme API: your role in Account a is now viewer")
	same(t, slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, "dan") }),
		"dan@customer.example: Acme API: you are no longer a member of Account a")
	same(t, slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, "ann") }),
		"ann@customer.example: Acme API: adam has another role in Account a", "ann@customer.example: Acme API: dan is no longer a member of Account a", "ann@customer.example: Acme API: the key name of key_1 was created",
		"ann@customer.example: Acme API: the key name of key_3 was created")
}

// Guarantee: a change of the sign-in reaches its owner, a new address also at the old one, with
// any preferences.
func TestOwnSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := map[Topic]bool{}
	for _, topic := range Topics(toksta.MemberOwner) {
		all[topic] = false
	}
	if err := w.SetPreferences(t.Context(), boxOf("vic"), toksta.MemberOwner, all); err != nil {
		t.Fatal(err)
	}
	for change, subject := range map[toksta.ChangeKind]string{
		toksta.ChangeMemberPasswordSet: "your password was changed", toksta.ChangeFactorAdded: "a second factor or passkey was added",
		toksta.ChangeFactorRemoved: "a second factor or passkey was removed", toksta.ChangeIdentityLinked: "another way to sign in was added",
		toksta.ChangeIdentityUnlinked: "a way to sign in was removed",
	} {
		w.commit(by("vic"), store.Mutation{Kind: change, AccountID: "acct_a", MemberID: "mem_vic"})
		same(t, w.received(), "vic@customer.example: Acme API: "+subject)
	}
	verified := store.Mutation{Kind: toksta.ChangeMemberVerified, AccountID: "acct_a", MemberID: "mem_vic", Detail: map[string]string{"email": "vic@customer.example"}}
	w.commit(by("vic"), verified)
	same(t, w.received())
	verified.Detail["password"] = "removed" // by the first link to sign in
	w.commit(by("vic"), verified)
	same(t, w.received(), "vic@customer.example: Acme API: your password was changed")
	signIn := store.Mutation{Kind: toksta.ChangeMemberSignedIn, AccountID: "acct_a", MemberID: "mem_vic", Detail: map[string]string{"method": "password"}}
	w.commit(by("vic"), signIn)
	same(t, w.received())
	signIn.Detail["new_browser"] = "true"
	w.commit(by("vic"), signIn)
	w.pass()
	if mails := w.box.take(); len(mails) != 1 || !strings.Contains(mails[0].Text, "From: 198.51.100.7\nBrowser: Firefox on macOS\n") {
		t.Errorf("a sign-in from a new browser: %+v", mails)
	}
	w.commit(by("vic"), store.Mutation{
		Kind: toksta.ChangeMemberProfileSet, AccountID: "acct_a", MemberID: "mem_vic", Detail: map[string]string{"email": "vic@customer.example → vic@new.example"},
		Members: []toksta.Member{{ID: "mem_vic", Email: "vic@new.example", Name: "vic", CreatedAt: start}},
	})
	same(t, w.received(), "vic@customer.example: Acme API: your e-mail address was changed", "vic@new.example: Acme API: your e-mail address was changed")
	if got := w.items("vic", toksta.MemberViewer); len(got) != 8 || !slices.Contains(got, "address_changed*") {
		t.Errorf("on the page: %q", got)
	}
	w.commit(by("vic"), store.Mutation{
		Kind: toksta.ChangeMemberProfileSet, AccountID: "acct_a", MemberID: "mem_vic", Detail: map[string]string{"name": "vic → Vic"},
	})
	same(t, w.received())
}

// Guarantee: no text of a change gets into a notice, a mail or the log, so a secret in any field
// of a change cannot. Names cannot become a line, a header or a link in a mail.
func TestNoSecretsInNotices(t *testing.T) {
	t.Parallel()
	const secret = "tk_live_d0ntsh0wme"
	w := newWorld(t)
	kinds := toksta.ChangeKinds()
	for _, kind := range kinds {
		actor := toksta.Actor{Kind: toksta.ActorMember, ID: "mem_ann", Name: secret, Address: secret, Agent: secret + " on macOS"}
		detail := map[string]string{"new_browser": secret}
		for _, field := range []string{"role", "email", "name", "secret", "factor", "provider", "keys", "method", "invitation", "failed_before", "previous_owner"} {
			detail[field] = secret
			if field == "email" {
				detail[field] = "old@customer.example → " + secret + "\r\nBcc: eve@evil.example"
			}
		}
		k := key("key_of_" + string(kind))
		w.commit(actor, store.Mutation{Kind: kind, AccountID: "acct_a", KeyID: k.ID, MemberID: "mem_dan", Detail: detail, Keys: []toksta.Key{k}})
		w.clock.add(25 * time.Hour) // not stopped by the daily bound
		w.pass()
	}
	got, seen := w.box.take(), map[string]bool{}
	for _, m := range got {
		if strings.Contains(fmt.Sprint(m), "d0ntsh0wme") || strings.Contains(fmt.Sprint(m), "evil") {
			t.Errorf("the mail has the secret: %+v", m)
		}
		seen[m.Subject] = true
	}
	if len(seen) < 19 {
		t.Errorf("only %d kinds of mails: %v", len(seen), slices.Collect(maps.Keys(seen)))
	}
	for _, member := range []string{"ann", "dan", "vic"} {
		all, err := w.db.ListNotices(t.Context(), boxOf(member), 1000)
		if err != nil || len(all) == 0 {
			t.Errorf("%s has %d notices, %v", member, len(all), err)
		}
		text, err := json.Marshal(all)
		if err != nil || strings.Contains(string(text), "d0ntsh0wme") || strings.Contains(w.log.String(), "d0ntsh0wme") {
			t.Errorf("a notice of %s or the log has the secret", member)
		}
	}

	evil := key("key_evil")
	evil.Name = "http://evil.example\r\nBcc: eve@evil.example <b>"
	w.createKey(by("ann"), evil)
	w.pass()
	for _, m := range w.box.take() {
		if strings.ContainsAny(m.Subject, "\r\n") || strings.Contains(m.Text, "\nBcc") || strings.Contains(m.Text, "evil.example") || strings.Contains(m.HTML, "<b>") {
			t.Errorf("the name of a key: %q\n%s", m.Subject, m.Text)
		}
	}
}

// Guarantee: an event is noticed once, however often it is delivered, and only to members who can
// act on it.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for kind, c := range map[toksta.EventKind]struct {
		data any
		to   []string
	}{
		toksta.EventCreditsLow:       {client.CreditsData{Remaining: 412, Included: 5000, ResetsAt: start}, []string{"adam", "ann", "bill", "dan"}},
		toksta.EventCreditsExhausted: {client.CreditsData{Beyond: "overage"}, []string{"adam", "ann", "bill", "dan"}},
		toksta.EventRateLimitHit:     {client.RateLimitData{PerMinute: 60, Refused: 412, Since: start}, []string{"adam", "ann", "dan"}},
	} {
		encoded, err := json.Marshal(c.data)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := w.Send(t.Context(), store.Event{ID: "evt_" + string(kind), Kind: kind, AccountID: "acct_a", At: w.clock.now(), Data: encoded}); err != nil {
				t.Fatal(err)
			}
		}
		var to []string
		for _, line := range w.received() {
			name, _, _ := strings.Cut(line, "@")
			to = append(to, name)
		}
		same(t, to, c.to...)
	}
	if _, err := w.Send(t.Context(), store.Event{Kind: toksta.EventTest}); err == nil {
		t.Error("a test event became a notice")
	}
}

// Guarantee: the first calls that billing refuses are noticed once for each billing state.
func TestRefusedCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	flush := func(reason toksta.Reason) []string {
		t.Helper()
		w.ObserveFlush(store.UsageBatch{Totals: []store.UsageTotal{{UsageSlot: store.UsageSlot{AccountID: "acct_a", Reason: reason, Hour: start.Unix() / 3600}, Calls: 1}}})
		return w.received()
	}
	if got := flush(toksta.ReasonRateLimited); len(got) != 0 {
		t.Errorf("calls over the rate limit: %q", got)
	}
	if got := flush(toksta.ReasonBillingPastDue); len(got) != 4 || !strings.HasSuffix(got[0], "calls of Account a are refused") {
		t.Errorf("the first refused calls: %q", got)
	}
	if got := flush(toksta.ReasonBillingPastDue); len(got) != 0 {
		t.Errorf("further ones: %q", got)
	}
	w.Service = newService(t, w) // after a restart
	if got := flush(toksta.ReasonBillingPastDue); len(got) != 0 {
		t.Errorf("after a restart: %q", got)
	}
	a, err := w.db.Account(t.Context(), "acct_a")
	if err != nil {
		t.Fatal(err)
	}
	a.StatusSince = start.Add(time.Hour)
	w.commit(byOperator, store.Mutation{Kind: toksta.ChangeStatusSet, AccountID: a.ID, Accounts: []toksta.Account{a}})
	if got := flush(toksta.ReasonSubscriptionInactive); len(got) != 4 {
		t.Errorf("after another billing state: %q", got)
	}
}

// Guarantee: every kind has a letter with its name.
func TestEveryKindHasALetter(t *testing.T) {
	t.Parallel()
	letters := mail.LetterNames()
	for _, kind := range Kinds() {
		if !slices.Contains(letters, string(kind)) {
			t.Errorf("%s has no letter", kind)
		}
	}
}
