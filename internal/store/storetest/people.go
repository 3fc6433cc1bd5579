package storetest

import (
	"errors"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// members: two members must not have the same address.
func members(t *suite) {
	m := toksta.Member{
		ID: "mem_a", VerifiedAt: now, ExpiresAt: now, Email: "Ada.Ö@Example.com", Name: "Ada", PasswordHash: "$argon2id$", CreatedAt: now,
		Consent: "I accept the terms.", ConsentAt: now,
	}
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{m}})
	got, err := t.s.MemberByEmail(t.Context(), "aDA.ö@example.COM")
	t.ok(err)
	is(t, got, m)
	twin := m
	twin.ID, twin.Email = "mem_b", "ada.ö@example.com"
	_, err = t.s.Commit(t.Context(), operator, decided(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{twin}}))
	is(t, errors.Is(err, store.ErrTaken), true)
	idn := m
	idn.ID, idn.Email = "mem_c", "Ada@Bücher.example"
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{idn}})
	for _, spelling := range []string{"ada@bücher.example", "ada@xn--bcher-kva.example", "ada@bu\u0308cher.example", "ADA@BÜCHER.EXAMPLE"} {
		got, err = t.s.MemberByEmail(t.Context(), spelling)
		t.ok(err)
		is(t, got, idn)
	}
	twin.Email = "ada@xn--bcher-kva.example"
	_, err = t.s.Commit(t.Context(), operator, decided(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{twin}}))
	is(t, errors.Is(err, store.ErrTaken), true)
	m.DisabledAt = now
	t.commit(store.Mutation{Kind: toksta.ChangeMemberDisabled, Members: []toksta.Member{m}})
	got, err = t.s.Member(t.Context(), "mem_a")
	t.ok(err)
	is(t, got, m)
	// A member with another address is found by it, and no longer by the earlier one.
	idn.Email = "Grace@example.org"
	t.commit(store.Mutation{Kind: toksta.ChangeMemberProfileSet, Members: []toksta.Member{idn}})
	got, err = t.s.MemberByEmail(t.Context(), "grace@EXAMPLE.org")
	t.ok(err)
	is(t, got, idn)
	_, err = t.s.MemberByEmail(t.Context(), "ada@bücher.example")
	t.missing(err)
	_, err = t.s.MemberByEmail(t.Context(), "x@example.com")
	t.missing(err)
	_, err = t.s.Member(t.Context(), "mem_x")
	t.missing(err)
}

// signUps: a sign-up ends after its time, unless the address was verified.
func signUps(t *suite) {
	for id, m := range map[toksta.MemberID]toksta.Member{
		"mem_over":     {Email: "over@x", ExpiresAt: now.Add(-time.Millisecond)},
		"mem_over2":    {Email: "over2@x", ExpiresAt: now.Add(-time.Hour)},
		"mem_open":     {Email: "open@x", ExpiresAt: now},
		"mem_verified": {Email: "verified@x", ExpiresAt: now.Add(-time.Hour), VerifiedAt: now},
		"mem_ended":    {ExpiresAt: now.Add(-time.Hour)},
		"mem_other":    {Email: "other@x"},
	} {
		m.ID, m.CreatedAt = id, now
		t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{m}})
	}
	for limit, want := range map[int][]toksta.MemberID{10: {"mem_over", "mem_over2"}, 1: {"mem_over"}} {
		list, err := t.s.ListExpiredSignUps(t.Context(), now, limit)
		t.ok(err)
		var ids []toksta.MemberID
		for _, m := range list {
			ids = append(ids, m.ID)
		}
		is(t, ids, want)
	}
}

// memberships: a removed or disabled member must lose the role at once, and in the other
// accounts keep it.
func memberships(t *suite) {
	a, b := t.account("acct_a"), t.account("acct_b")
	ann := toksta.Member{ID: "mem_a", Email: "a@x", CreatedAt: now}
	bob := toksta.Member{ID: "mem_b", Email: "b@x", CreatedAt: now}
	annA := toksta.Membership{AccountID: a.ID, MemberID: ann.ID, Role: toksta.MemberOwner, CreatedAt: now}
	annB := toksta.Membership{AccountID: b.ID, MemberID: ann.ID, Role: toksta.MemberViewer, CreatedAt: now.Add(time.Minute)}
	bobA := toksta.Membership{AccountID: a.ID, MemberID: bob.ID, Role: toksta.MemberDeveloper, CreatedAt: now.Add(time.Minute)}
	t.commit(store.Mutation{
		Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{ann, bob}, Memberships: []toksta.Membership{annA, annB, bobA},
	})
	role := func(account toksta.AccountID, member toksta.MemberID) toksta.MemberRole {
		t.Helper()
		r, err := t.s.Role(t.Context(), account, member)
		if err != nil {
			t.missing(err)
		}
		return r
	}
	list := func(account toksta.AccountID) []store.AccountMember {
		t.Helper()
		all, err := t.s.ListAccountMembers(t.Context(), account)
		t.ok(err)
		return all
	}
	is(t, []toksta.MemberRole{role(a.ID, ann.ID), role(b.ID, ann.ID), role(a.ID, bob.ID), role(b.ID, bob.ID)},
		[]toksta.MemberRole{toksta.MemberOwner, toksta.MemberViewer, toksta.MemberDeveloper, ""})
	is(t, list(a.ID), []store.AccountMember{{Member: ann, Membership: annA}, {Member: bob, Membership: bobA}})
	of, err := t.s.ListMemberships(t.Context(), ann.ID)
	t.ok(err)
	is(t, of, []toksta.Membership{annA, annB})

	bobA.DisabledAt = now
	t.commit(store.Mutation{Kind: toksta.ChangeMemberDisabled, Memberships: []toksta.Membership{bobA}})
	is(t, role(a.ID, bob.ID), "")
	is(t, list(a.ID)[1].CanAct(), false)
	annA.RemovedAt = now
	t.commit(store.Mutation{Kind: toksta.ChangeMemberRemoved, Memberships: []toksta.Membership{annA}})
	is(t, []toksta.MemberRole{role(a.ID, ann.ID), role(b.ID, ann.ID)}, []toksta.MemberRole{"", toksta.MemberViewer})
	is(t, list(a.ID), []store.AccountMember{{Member: bob, Membership: bobA}})
	got, err := t.s.Membership(t.Context(), a.ID, ann.ID)
	t.ok(err)
	is(t, got, annA)
	ann.DisabledAt = now
	t.commit(store.Mutation{Kind: toksta.ChangeMemberDisabled, Members: []toksta.Member{ann}})
	is(t, role(b.ID, ann.ID), "")
	is(t, list(b.ID)[0].CanAct(), false)
	_, err = t.s.Membership(t.Context(), b.ID, bob.ID)
	t.missing(err)
}

// erasedAddresses: several members without an address, whose personal data was erased, must not
// exclude each other.
func erasedAddresses(t *suite) {
	gone := []toksta.Member{{ID: "mem_a"}, {ID: "mem_b"}}
	t.commit(store.Mutation{Kind: toksta.ChangeMemberExpired, Members: gone})
	_, err := t.s.MemberByEmail(t.Context(), "")
	t.missing(err)
}

// people creates members with these ids.
func (t *suite) people(ids ...toksta.MemberID) {
	t.Helper()
	m := store.Mutation{Kind: toksta.ChangeMemberCreated}
	for _, id := range ids {
		m.Members = append(m.Members, toksta.Member{ID: id, Email: string(id) + "@example.com", CreatedAt: now})
	}
	t.commit(m)
}

// erasedPeople: a request that is in progress during an erasure must not leave a row about the person.
func erasedPeople(t *suite) {
	t.people("mem_a")
	writes := map[string]func() error{
		"session": func() error {
			return t.s.PutSession(t.Context(), store.Session{ID: digest("session"), MemberID: "mem_a", ExpiresAt: now.Add(time.Hour)})
		},
		"ticket": func() error {
			return t.s.PutTicket(t.Context(), store.Ticket{ID: digest("ticket"), MemberID: "mem_a", ExpiresAt: now})
		},
		"browser": func() error {
			_, err := t.s.PutBrowser(t.Context(), store.Browser{ID: digest("browser"), MemberID: "mem_a", SeenAt: now}, toksta.Digest{})
			return err
		},
		"authenticator app": func() error {
			return t.s.PutTOTP(t.Context(), store.TOTP{MemberID: "mem_a", Secret: toksta.Hide("SECRET"), CreatedAt: now})
		},
	}
	erased := store.Erasure{Members: []toksta.MemberID{"mem_a"}}
	unseen := func() {
		t.Helper()
		t.write(notice("1"))
		t.ok(t.s.SetTopics(t.Context(), noticeBox, map[string]bool{"keys": false}))
	}
	for _, write := range writes {
		t.ok(write())
	}
	unseen()
	rows, err := t.s.Erase(t.Context(), erased)
	t.ok(err)
	is(t, len(rows), 6)
	t.commit(store.Mutation{Kind: toksta.ChangeMemberErased, Members: []toksta.Member{{ID: "mem_a", CreatedAt: now, DisabledAt: now}}})
	for name, write := range writes {
		if err := write(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	unseen()
	rows, err = t.s.Erase(t.Context(), erased)
	t.ok(err)
	is(t, rows, map[string]int64{})
}

// tickets: a link in a mail must work once, also if it is opened twice at the same time.
func tickets(t *suite) {
	t.people("mem_a", "mem_b")
	put := func(id, purpose string, member toksta.MemberID) store.Ticket {
		t.Helper()
		v := store.Ticket{ID: digest(id), Purpose: purpose, MemberID: member, AccountID: "acct_a", Data: `{"a":1}`, ExpiresAt: now}
		t.ok(t.s.PutTicket(t.Context(), v))
		return v
	}
	one, two := put("1", "reset", "mem_a"), put("2", "reset", "mem_a")
	verify, other := put("3", "verify", "mem_a"), put("4", "reset", "mem_b")
	got, err := t.s.Ticket(t.Context(), one.ID)
	t.ok(err)
	is(t, got, one)
	used := make(chan error, 8)
	for range cap(used) {
		go func() {
			_, err := t.s.UseTicket(t.Context(), one.ID)
			used <- err
		}()
	}
	succeeded := 0
	for range cap(used) {
		if err := <-used; err == nil {
			succeeded++
		} else {
			t.missing(err)
		}
	}
	is(t, succeeded, 1)
	left := func() (out []store.Ticket) {
		t.Helper()
		for _, v := range []store.Ticket{one, two, verify, other} {
			if found, err := t.s.Ticket(t.Context(), v.ID); err == nil {
				out = append(out, found)
			}
		}
		return out
	}
	is(t, left(), []store.Ticket{two, verify, other})
	t.ok(t.s.DeleteTickets(t.Context(), store.TicketSet{}))
	t.ok(t.s.DeleteTickets(t.Context(), store.TicketSet{Before: now}))
	t.ok(t.s.DeleteTickets(t.Context(), store.TicketSet{Member: "mem_a", Purpose: "reset"}))
	is(t, left(), []store.Ticket{verify, other})
	t.ok(t.s.DeleteTickets(t.Context(), store.TicketSet{Member: "mem_a"}))
	is(t, left(), []store.Ticket{other})
	t.ok(t.s.DeleteTickets(t.Context(), store.TicketSet{Before: now.Add(time.Millisecond)}))
	is(t, left(), nil)
}

// latestTickets: of two sign-outs of a person, in any order of their writes, the later one must be kept.
func latestTickets(t *suite) {
	earlier := store.Ticket{ID: digest("1"), Purpose: "ended", Data: `{"a":1}`, ExpiresAt: now}
	later := store.Ticket{ID: earlier.ID, Purpose: "ended", Data: `{"a":2}`, ExpiresAt: now.Add(time.Millisecond)}
	for _, v := range []store.Ticket{earlier, later, earlier} {
		t.ok(t.s.KeepLatestTicket(t.Context(), v))
	}
	got, err := t.s.Ticket(t.Context(), earlier.ID)
	t.ok(err)
	is(t, got, later)
}

// databaseTime: the order of two events at different nodes must not depend on the clocks of the nodes.
func databaseTime(t *suite) {
	before, err := t.s.Time(t.Context())
	t.ok(err)
	t.commit(store.Mutation{Kind: toksta.ChangeMemberExpired})
	newest, err := t.s.ListChanges(t.Context(), store.ChangeQuery{Limit: 1})
	t.ok(err)
	after, err := t.s.Time(t.Context())
	t.ok(err)
	is(t, before.After(newest[0].At) || newest[0].At.After(after), false)
}

// invitations: a used or revoked invitation must stay so.
func invitations(t *suite) {
	i := store.Invitation{
		Code: digest("code"), ID: "inv_a", AccountID: "acct_a", Role: toksta.MemberAdmin, Email: "a@example.com",
		CreatedAt: now, CreatedBy: "mem_a", ExpiresAt: now,
	}
	other := store.Invitation{Code: digest("second"), ID: "inv_b", AccountID: "acct_a", Role: toksta.MemberViewer, RevokedAt: now}
	open := func() []store.Invitation {
		t.Helper()
		all, err := t.s.ListInvitations(t.Context(), "acct_a")
		t.ok(err)
		return all
	}
	defer func() { is(t, open(), nil) }()
	t.commit(store.Mutation{Kind: toksta.ChangeInvitationCreated, Invitations: []store.Invitation{i, other}})
	is(t, open(), []store.Invitation{i})
	t.commit(store.Mutation{Kind: toksta.ChangeInvitationCreated, Invitations: []store.Invitation{i}})
	i.UsedAt = now
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Invitations: []store.Invitation{i}})
	got, err := t.s.Invitation(t.Context(), i.Code)
	t.ok(err)
	is(t, got, i)
	_, err = t.s.Invitation(t.Context(), digest("other"))
	t.missing(err)
}

// sessions: a session must end at its expiry and at a sign-out, also in a stolen
// browser.
func sessions(t *suite) {
	a := t.account("acct_a")
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{
		{ID: "mem_a", Email: "a@x"}, {ID: "mem_b", Email: "b@x"},
	}})
	put := func(id string, member toksta.MemberID, minute int) store.Session {
		t.Helper()
		s := store.Session{
			ID: digest(id), MemberID: member, AccountID: a.ID, Method: "password", Provider: "sso", ProviderSession: id,
			Bound: id == "2", ConfirmedAt: now, FactorAt: now.Add(time.Second), CreatedAt: now.Add(time.Duration(minute) * time.Minute), SeenAt: now,
			ExpiresAt: now.Add(time.Duration(minute) * time.Hour), Address: "192.0.2.1", Agent: "browser",
		}
		t.ok(t.s.PutSession(t.Context(), s))
		return s
	}
	one, two, three := put("1", "mem_a", 1), put("2", "mem_a", 2), put("3", "mem_a", 3)
	other := put("4", "mem_b", 1)
	list := func(member toksta.MemberID, at time.Time) []store.Session {
		t.Helper()
		s, err := t.s.ListSessions(t.Context(), member, at)
		t.ok(err)
		return s
	}
	is(t, list("mem_a", one.ExpiresAt), []store.Session{three, two})
	one.SeenAt = now.Add(time.Minute)
	one.AccountID = "acct_b"
	t.ok(t.s.TouchSession(t.Context(), one))
	got, err := t.s.Session(t.Context(), one.ID)
	t.ok(err)
	is(t, got, one)

	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{ID: two.ID}))
	t.missing(t.s.TouchSession(t.Context(), two))
	_, err = t.s.Session(t.Context(), two.ID)
	t.missing(err)
	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{Member: "mem_a", Keep: three.ID}))
	is(t, list("mem_a", now), []store.Session{three})
	is(t, list("mem_b", now), []store.Session{other})
	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{Before: other.ExpiresAt.Add(time.Millisecond)}))
	is(t, list("mem_b", now), nil)
	is(t, list("mem_a", now), []store.Session{three})

	put("5", "mem_b", 4)
	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{Provider: "sso"}))
	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{Provider: "other", ProviderSession: "5"}))
	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{Member: "mem_b", Account: "acct_c"}))
	is(t, len(list("mem_b", now)), 1)
	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{Provider: "sso", ProviderSession: "5"}))
	is(t, list("mem_b", now), nil)
	put("6", "mem_b", 4)
	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{Member: "mem_b", Provider: "sso"}))
	is(t, list("mem_b", now), nil)
	t.ok(t.s.EndSessions(t.Context(), store.SessionSet{Member: "mem_a", Account: a.ID}))
	is(t, list("mem_a", now), nil)
}
