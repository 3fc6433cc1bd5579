package members_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// postbox keeps the mails to invited people.
type postbox struct{ letters []members.Letter }

// Invite implements [members.Mailer].
func (p *postbox) Invite(_ context.Context, l members.Letter) error {
	p.letters = append(p.letters, l)
	return nil
}

// invite makes an invitation of an address to acct_a and returns its code.
func (w *world) invite(tb testing.TB, by toksta.Actor, req members.InviteRequest) members.Invited {
	tb.Helper()
	req.Account = "acct_a"
	out, err := w.Invite(tb.Context(), by, req)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// The code of an invitation is only in the result: the store has its hash, and the
// change log does not contain it.
func TestInvite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out := w.invite(t, operator, members.InviteRequest{Email: "ada@example.com"})
	code := out.Code.Reveal()
	i, err := w.store.Invitation(t.Context(), sha256.Sum256([]byte(code)))
	if err != nil || i.AccountID != "acct_a" || i.Email != "ada@example.com" || i.Role != toksta.MemberOwner || !i.ExpiresAt.Equal(w.now.Add(members.DefaultInvitation)) {
		t.Errorf("%+v, %v", i, err)
	}
	if text := fmt.Sprintf("%+v %#v", out, w.newest(t)); len(code) < 20 || strings.Contains(text, code) {
		t.Error("the code is in the change log or in a printed value")
	}
	for text, req := range map[string]members.InviteRequest{
		"e-mail address": {Email: "ada"},
		"such as":        {Email: "ad\u202ea@example.com"}, // turns the direction of the text after it
		"no role":        {Role: "root"},
		"negative":       {Valid: -1},
		"sends no mail":  {Email: "ada@example.com", ByMail: true},
	} {
		_, err = w.Invite(t.Context(), operator, req)
		w.wantError(t, err, toksta.CodeValidation, text)
	}
	_, err = w.Invite(t.Context(), operator, members.InviteRequest{Account: "acct_none"})
	w.wantError(t, err, toksta.CodeNotFound, "account")
	for _, req := range []members.InviteRequest{{Account: "acct_a", Role: toksta.MemberViewer}, {Account: "acct_a", Email: "x@example.com"}} {
		_, err = w.Invite(t.Context(), person("owner"), req)
		w.wantError(t, err, toksta.CodeValidation, "")
	}
	_, err = w.Invite(t.Context(), person("owner"), members.InviteRequest{Email: "x@example.com", Role: toksta.MemberViewer})
	w.wantError(t, err, toksta.CodeForbidden, "")
}

// Guarantee: owners invite with every role, admins with every role except owner, and no other
// role invites or revokes. An admin does not revoke the invitation of an owner.
func TestRolesInvite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, actor := range append(toksta.MemberRoles(), "b") {
		for n, role := range toksta.MemberRoles() {
			req := members.InviteRequest{Account: "acct_a", Email: fmt.Sprintf("%s-%d@example.com", actor, n), Role: role}
			want := actor == toksta.MemberOwner || actor == toksta.MemberAdmin && role != toksta.MemberOwner
			if _, err := w.Invite(t.Context(), person(string(actor)), req); (err == nil) != want || err != nil && toksta.ErrorCode(err) != toksta.CodeForbidden {
				t.Errorf("%s invites a %s: %v", actor, role, err)
			}
			made := w.invite(t, operator, members.InviteRequest{Email: req.Email, Role: role}).Invitation
			ref := members.InvitationRef{Account: "acct_a", Invitation: made.ID}
			if _, err := w.RevokeInvitation(t.Context(), person(string(actor)), ref); (err == nil) != want || err != nil && toksta.ErrorCode(err) != toksta.CodeForbidden {
				t.Errorf("%s revokes the invitation of a %s: %v", actor, role, err)
			}
			if _, err := w.RevokeInvitation(t.Context(), person("b"), members.InvitationRef{Account: "acct_b", Invitation: made.ID}); toksta.ErrorCode(err) != toksta.CodeNotFound {
				t.Errorf("an invitation of another account: %v", err)
			}
		}
	}
}

// Guarantee: an invitation is used once, by the address for which it was made, until it expires
// or is revoked, and gives its role.
func TestJoin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out := w.invite(t, person("admin"), members.InviteRequest{Email: "B@Example.com", Role: toksta.MemberBilling})
	offer, err := w.Offer(t.Context(), out.Code)
	if err != nil || offer.Account.Name != "Acme" || offer.Role != toksta.MemberBilling || offer.Inviter != "admin" || offer.ByMail {
		t.Errorf("%+v, %v", offer, err)
	}
	other := w.invite(t, operator, members.InviteRequest{Role: toksta.MemberViewer})
	_, err = w.Join(t.Context(), person("viewer"), other.Code)
	w.wantError(t, err, toksta.CodeConflict, "already belong")
	_, err = w.Join(t.Context(), operator, other.Code)
	w.wantError(t, err, toksta.CodeForbidden, "")
	for _, code := range []toksta.Hidden{toksta.Hide("guess"), {}, toksta.Hide("m-" + out.Code.Reveal())} {
		_, err := w.Join(t.Context(), person("b"), code)
		w.wantError(t, err, toksta.CodeForbidden, "not valid")
		_, err = w.Offer(t.Context(), code)
		w.wantError(t, err, toksta.CodeForbidden, "not valid")
	}
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_eve", Name: "Eve", Email: "eve@example.com"}}})
	_, err = w.Join(t.Context(), person("eve"), out.Code)
	w.wantError(t, err, toksta.CodeForbidden, "another address")
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_off", Email: "off@example.com", DisabledAt: w.now}}})
	_, err = w.Join(t.Context(), person("off"), other.Code)
	w.wantError(t, err, toksta.CodeForbidden, "does not allow")
	if _, err := w.Join(t.Context(), person("b"), out.Code); err != nil || w.role(t, "b") != toksta.MemberBilling {
		t.Errorf("%v, role %q", err, w.role(t, "b"))
	}
	_, err = w.Join(t.Context(), person("b"), out.Code)
	w.wantError(t, err, toksta.CodeForbidden, "used")
	late := w.invite(t, operator, members.InviteRequest{Valid: time.Minute})
	w.now = w.now.Add(time.Minute)
	_, err = w.Join(t.Context(), person("eve"), late.Code)
	w.wantError(t, err, toksta.CodeForbidden, "expired")
	w.commit(t, store.Mutation{Kind: toksta.ChangeAccountClosed, Accounts: []toksta.Account{{ID: "acct_a", Name: "Acme", ClosedAt: w.now}}})
	_, err = w.Join(t.Context(), person("eve"), other.Code)
	w.wantError(t, err, toksta.CodeForbidden, "not valid")
	_, err = w.Invite(t.Context(), person("owner"), members.InviteRequest{Account: "acct_a", Email: "x@example.com", Role: toksta.MemberViewer})
	w.wantError(t, err, toksta.CodeConflict, "closed")
}

// Guarantee: of two people who use one invitation at the same time, one joins.
func TestJoinOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_c", Email: "c@example.com"}}})
	code := w.invite(t, operator, members.InviteRequest{Role: toksta.MemberViewer}).Code
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, name := range []string{"b", "c"} {
		wg.Go(func() { _, errs[i] = w.Join(t.Context(), person(name), code) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || toksta.ErrorCode(errors.Join(errs...)) != toksta.CodeForbidden {
		t.Errorf("%v, %v", errs[0], errs[1])
	}
}

// Guarantee: the last free place of an account can be taken by an invitation, and no further one. The
// rejected person keeps the invitation.
func TestJoinFullAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_c", Email: "c@example.com"}}})
	first := w.invite(t, operator, members.InviteRequest{Role: toksta.MemberViewer}).Code
	second := w.invite(t, operator, members.InviteRequest{Role: toksta.MemberViewer}).Code
	w.addMembers(t, members.MaxMembers-7)
	if _, err := w.Join(t.Context(), person("b"), first); err != nil {
		t.Errorf("the last place: %v", err)
	}
	_, err := w.Join(t.Context(), person("c"), second)
	w.wantError(t, err, toksta.CodeForbidden, "no room")
	w.take(t, "b", "removed")
	if _, err := w.Join(t.Context(), person("c"), second); err != nil {
		t.Errorf("after a place became free: %v", err)
	}
}

// Guarantee: a removed member comes back by an invitation only, with the role of the invitation.
func TestJoinAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.take(t, "owner2", "removed")
	code := w.invite(t, person("owner"), members.InviteRequest{Email: "owner2@example.com", Role: toksta.MemberViewer}).Code
	if _, err := w.Enable(t.Context(), person("owner"), in("owner2")); err != nil || w.role(t, "owner2") != "" {
		t.Errorf("enabling a removed member: %v, role %q", err, w.role(t, "owner2"))
	}
	if _, err := w.Join(t.Context(), person("owner2"), code); err != nil || w.role(t, "owner2") != toksta.MemberViewer {
		t.Errorf("%v, role %q", err, w.role(t, "owner2"))
	}
	w.take(t, "owner2", "disabled")
	_, err := w.Invite(t.Context(), person("owner"), members.InviteRequest{Account: "acct_a", Email: "owner2@example.com", Role: toksta.MemberViewer})
	w.wantError(t, err, toksta.CodeValidation, "belongs to a member")
}

// Guarantee: a member who loses the right to invite leaves no open invitation behind, by which a
// removed admin could come back.
func TestInvitationsEndWithTheRight(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"demoted", "disabled", "disabled everywhere", "removed"} {
		w := newWorld(t)
		owners := w.invite(t, person("owner2"), members.InviteRequest{Email: "x@example.com", Role: toksta.MemberOwner})
		viewers := w.invite(t, person("owner2"), members.InviteRequest{Email: "y@example.com", Role: toksta.MemberViewer})
		kept := w.invite(t, person("owner"), members.InviteRequest{Email: "z@example.com", Role: toksta.MemberOwner})
		w.take(t, "owner2", how)
		for _, i := range []members.Invited{owners, viewers, kept} {
			_, err := w.Offer(t.Context(), i.Code)
			if want := i.Invitation.ID == kept.Invitation.ID || how == "demoted" && i.Invitation.ID == viewers.Invitation.ID; (err == nil) != want {
				t.Errorf("%s: the invitation of %s: %v", how, i.Invitation.Email, err)
			}
		}
	}
}

// Guarantee: a mailed link is not shown to its author, proves the address, and is replaced by a
// further invitation of the address.
func TestInviteByMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	box := &postbox{}
	w.Mail, w.VerifiesAddresses = box, true
	req := members.InviteRequest{Email: "b@example.com", Role: toksta.MemberViewer, ByMail: true}
	if out := w.invite(t, person("owner"), req); out.Code.Reveal() != "" {
		t.Error("the author sees the code of the mail")
	}
	w.invite(t, person("owner"), req)
	byHand := w.invite(t, person("owner"), members.InviteRequest{Email: "c@example.com", Role: toksta.MemberViewer})
	if open, err := w.Invitations(t.Context(), "acct_a"); err != nil || len(open) != 2 {
		t.Errorf("%d open invitations, %v", len(open), err)
	}
	l := box.letters[1]
	if l.To != "b@example.com" || l.Account != "Acme" || l.Inviter != "owner" || l.Role != toksta.MemberViewer || len(box.letters) != 2 {
		t.Errorf("%+v", box.letters)
	}
	_, err := w.Join(t.Context(), person("b"), box.letters[0].Code)
	w.wantError(t, err, toksta.CodeForbidden, "revoked")
	if out, err := w.Join(t.Context(), person("b"), l.Code); err != nil || out.Member.VerifiedAt.IsZero() {
		t.Errorf("%+v, %v", out, err)
	}
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_c", Email: "c@example.com"}}})
	_, err = w.Join(t.Context(), person("c"), byHand.Code)
	w.wantError(t, err, toksta.CodeForbidden, "Verify your address")
}

// Guarantee: members, open invitations, and invitations within an hour are limited, also if
// invitations are revoked, and over all accounts of the inviting member.
func TestInvitationLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberJoined, Memberships: []toksta.Membership{{AccountID: "acct_b", MemberID: "mem_owner", Role: toksta.MemberOwner}}})
	invite := func(by string, account toksta.AccountID, n int) error {
		_, err := w.Invite(t.Context(), person(by), members.InviteRequest{Account: account, Email: fmt.Sprintf("p%d@example.com", n), Role: toksta.MemberViewer})
		return err
	}
	for n := range 20 {
		if err := invite("owner", "acct_a", n%2); err != nil {
			t.Fatal(n, err)
		}
	}
	w.wantError(t, invite("owner", "acct_a", 20), toksta.CodeRateLimited, "within the last hour")
	w.wantError(t, invite("owner2", "acct_a", 20), toksta.CodeRateLimited, "")
	w.wantError(t, invite("owner", "acct_b", 20), toksta.CodeRateLimited, "")
	if err := invite("b", "acct_b", 20); err != nil {
		t.Error(err)
	}
	w.now = w.now.Add(2 * time.Hour) // the log has the time of the database
	for n := range 48 {
		w.invite(t, operator, members.InviteRequest{Email: fmt.Sprintf("q%d@example.com", n)})
	}
	w.wantError(t, invite("owner", "acct_a", 99), toksta.CodeConflict, "open invitations")
	if err := invite("owner", "acct_a", 0); err != nil {
		t.Errorf("replacing an invitation: %v", err)
	}
	w.addMembers(t, members.MaxMembers-6)
	w.wantError(t, invite("owner", "acct_a", 0), toksta.CodeConflict, "members")
}
