package notices

import (
	"slices"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// place returns a membership in acct_a.
func place(name string, role toksta.MemberRole) toksta.Membership {
	return toksta.Membership{AccountID: "acct_a", MemberID: toksta.MemberID("mem_" + name), Role: role, CreatedAt: start}
}

// Guarantee: a person who is disabled or enabled in an account, and the owners and admins of the account, get a
// mail about it. The disabled person gets no further mail about the account.
func TestDisabledMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disabled := place("dan", toksta.MemberDeveloper)
	disabled.DisabledAt = start
	change := func(kind toksta.ChangeKind, m toksta.Membership) {
		w.commit(by("adam"), store.Mutation{Kind: kind, AccountID: "acct_a", MemberID: "mem_dan", Memberships: []toksta.Membership{m}})
	}
	change(toksta.ChangeMemberDisabled, disabled)
	same(t, w.received(),
		"adam@customer.example: Acme API: dan is disabled in Account a", "ann@customer.example: Acme API: dan is disabled in Account a",
		"dan@customer.example: Acme API: you cannot use Account a at the moment")
	w.createKey(by("ann"), key("key_1"))
	if got := w.received(); len(got) != 2 {
		t.Errorf("about a key: %q", got)
	}
	change(toksta.ChangeMemberEnabled, place("dan", toksta.MemberDeveloper))
	same(t, w.received(),
		"adam@customer.example: Acme API: dan can use Account a again", "ann@customer.example: Acme API: dan can use Account a again",
		"dan@customer.example: Acme API: you can use Account a again")
	same(t, w.items("ann", toksta.MemberOwner), "key_created", "member_disabled*", "member_enabled*")
	same(t, w.items("dan", toksta.MemberDeveloper), "access_disabled*", "access_enabled*")
}

// Guarantee: a person whom the vendor disables everywhere gets one mail, and the owners and admins of each of
// the person's accounts one about this account. An account in which the person was disabled before gets none.
func TestDisabledEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere, both, before := place("dan", toksta.MemberViewer), place("ann", toksta.MemberAdmin), place("adam", toksta.MemberAdmin)
	elsewhere.AccountID, both.AccountID, before.AccountID = "acct_z", "acct_z", "acct_z"
	before.DisabledAt = start
	w.commit(byOperator, store.Mutation{Kind: toksta.ChangeAccountMetadata, Memberships: []toksta.Membership{elsewhere, both, before}})
	w.pass()
	for _, c := range []struct {
		kind        toksta.ChangeKind
		other, self string // the start of the subject
	}{
		{toksta.ChangeMemberDisabled, "dan is disabled in Account ", "your sign-in is disabled"},
		{toksta.ChangeMemberEnabled, "dan can use Account ", "you can use your sign-in again"},
	} {
		w.commit(byOperator, store.Mutation{Kind: c.kind, MemberID: "mem_dan"})
		got := w.received()
		for i, to := range []string{"adam: a", "ann: a", "ann: z", "dan", "zoe: z"} {
			name, account, _ := strings.Cut(to, ": ")
			want := c.other + account
			if name == "dan" {
				want = c.self
			}
			if len(got) != 5 || !strings.HasPrefix(got[i], name+"@customer.example: Acme API: "+want) {
				t.Errorf("%s: %q, want %s to %s", c.kind, got, want, name)
			}
		}
	}
	w.commit(byOperator, store.Mutation{Kind: toksta.ChangeMemberDisabled, MemberID: "mem_adam"})
	w.pass()
	mails := w.box.take()
	if len(mails) != 2 {
		t.Errorf("adam was disabled in the second account before: %+v", mails)
	}
	for _, m := range mails {
		own := strings.Contains(m.Text, "Acme API disabled your sign-in to Acme API, in all accounts. Your role stays") && !strings.Contains(m.Text, "Account:")
		if own != (m.To == "adam@customer.example") || m.To == "zoe@customer.example" {
			t.Errorf("to %s: %s", m.To, m.Text)
		}
	}
}

// Guarantee: a transfer of the ownership reaches the new owner, the previous one with the client that did it, and
// the admins, also those who switched the mails about members off. A person who changes their own role is told
// the client, too.
func TestTransferredOwnership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"ann", "adam"} {
		if err := w.SetPreferences(t.Context(), boxOf(name), toksta.MemberAdmin, map[Topic]bool{TopicMembers: false}); err != nil {
			t.Fatal(err)
		}
	}
	w.commit(by("ann"), store.Mutation{
		Kind: toksta.ChangeMemberRoleSet, AccountID: "acct_a", MemberID: "mem_dan",
		Memberships: []toksta.Membership{place("ann", toksta.MemberAdmin), place("dan", toksta.MemberOwner)},
		Detail:      map[string]string{"role": "developer → owner", "previous_owner": "ann: owner → admin"},
	})
	w.pass()
	var got []string
	for _, m := range w.box.take() {
		got = append(got, m.To+": "+m.Subject)
		if client := strings.Contains(m.Text, "From: 198.51.100.7\n"); client != (m.To == "ann@customer.example") {
			t.Errorf("%s is told the client: %v", m.To, client)
		}
	}
	slices.Sort(got)
	same(t, got,
		"adam@customer.example: Acme API: dan is now an owner of Account a", "ann@customer.example: Acme API: dan is now an owner of Account a",
		"dan@customer.example: Acme API: your role in Account a is now owner")

	w.commit(by("ann"), store.Mutation{
		Kind: toksta.ChangeMemberRoleSet, AccountID: "acct_a", MemberID: "mem_ann", Detail: map[string]string{"role": "admin → viewer"},
		Memberships: []toksta.Membership{place("ann", toksta.MemberViewer)},
	})
	w.pass()
	for _, m := range w.box.take() {
		if m.To == "ann@customer.example" && !strings.Contains(m.Text, "Your role was changed in the account Account a to viewer.") {
			t.Errorf("of the own role: %s", m.Text)
		}
	}
}

// Guarantee: all members of a closed account get a mail when it is open again.
func TestReopenedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(byOperator, store.Mutation{Kind: toksta.ChangeAccountReopened, AccountID: "acct_a"})
	if got := w.received(); len(got) != 5 || !strings.HasSuffix(got[0], "the account Account a is open again") {
		t.Errorf("%q", got)
	}
}
